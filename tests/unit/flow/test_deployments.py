"""What a history of deployments says about going back, and about approvals given before that."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pratique.flow.deployments import left_at, way_back
from pratique.ledger.fold import Step
from pratique.model.digest import Digest, sha256_bytes

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def digest(name: str) -> Digest:
    return sha256_bytes(name.encode())


def history(*told: str) -> list[Step]:
    """Tell a history in words, as `deploy 1 live`; `previous` is what was live before."""
    steps: list[Step] = []
    live: Digest | None = None
    for index, words in enumerate(told):
        action, artifact, phase = words.split()
        fields: dict[str, Any] = {
            "index": index,
            "signed_at": NOON + dt.timedelta(minutes=index),
            "evidence": digest(f"evidence {index}"),
            "deployment": f"{action} {artifact}",
            "environment": "app.production",
            "artifact": digest(artifact),
            "action": action,
            "phase": phase,
            "requester": "x",
            "decision": digest("decision"),
            "approvals": (),
            "plan": digest("plan"),
            "previous": live,
            "path": "/x",
            "content": None,
            "reason": "",
            "serving": live if phase == "failed" else None,
        }
        steps.append(Step(**fields))
        if phase == "live":
            live = digest(artifact)
    return steps


@pytest.mark.parametrize(
    ("told", "lived"),
    [
        ([], []),
        (["deploy 1 rolling-out"], []),
        (["deploy 1 rolling-out", "deploy 1 live"], ["1"]),
        (["deploy 1 live", "deploy 2 live"], ["1", "2"]),
        (["deploy 1 live", "deploy 2 rolling-out", "deploy 2 failed"], ["1"]),
        (["deploy 1 live", "deploy 1 live", "deploy 2 live"], ["1", "2"]),
        (["deploy 1 live", "deploy 2 live", "rollback 1 live"], ["1"]),
        (["deploy 1 live", "deploy 2 live", "rollback 1 rolling-out"], ["1", "2"]),
        (["deploy 1 live", "deploy 2 live", "deploy 3 live", "rollback 1 live"], ["1"]),
        (["deploy 1 live", "deploy 2 live", "deploy 3 live", "rollback 2 live"], ["1", "2"]),
        (["deploy 1 live", "deploy 2 live", "rollback 1 live", "deploy 2 live"], ["1", "2"]),
        (["deploy 1 live", "deploy 2 live", "rollback 1 live", "deploy 3 live"], ["1", "3"]),
        (["deploy 1 live", "deploy 2 live", "deploy 1 live"], ["1", "2", "1"]),
        (["rollback 1 live"], ["1"]),
    ],
)
def test_the_way_back(told: list[str], lived: list[str]) -> None:
    assert [step.artifact for step in way_back(history(*told))] == [digest(name) for name in lived]


def test_the_way_back_leads_to_the_record_that_made_it_so() -> None:
    found = way_back(history("deploy 1 live", "deploy 2 live", "deploy 2 live", "rollback 1 live"))
    assert [step.index for step in found] == [0]  # its approvals, not the roll-back's


@pytest.mark.parametrize(
    ("told", "artifact", "index"),
    [
        (["deploy 1 live", "deploy 2 live"], "2", None),
        (["deploy 1 live", "deploy 2 live", "rollback 1 live"], "2", 2),
        (["deploy 1 live", "deploy 2 live", "rollback 1 live"], "1", None),
        (["deploy 1 live", "deploy 2 live", "rollback 1 rolling-out"], "2", None),
        (["deploy 1 live", "deploy 2 live", "rollback 1 failed"], "2", None),
        (["deploy 1 live", "deploy 2 live", "rollback 1 live", "deploy 2 live", "rollback 1 live"], "2", 4),
    ],
)
def test_what_was_rolled_back_from(told: list[str], artifact: str, index: int | None) -> None:
    step = left_at(history(*told), digest(artifact))
    assert (step.index if step else None) == index
