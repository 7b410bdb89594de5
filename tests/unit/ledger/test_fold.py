from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pratique.errors import EvidenceInvalidError
from pratique.ledger.drift import NotSeen, Seen, State, compare
from pratique.ledger.fold import Entry, Ledger, fold, where
from pratique.model.digest import Digest, sha256_bytes

A, B, C = (Digest(letter * 64) for letter in "abc")
CONTENT = Digest("1" * 64)
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def record(index: int, phase: str, artifact: Digest = A, *, environment: str = "prod", deployment: str = "", **more: Any) -> Entry:  # fmt: skip  # noqa: E501
    predicate = {
        "deploymentId": deployment or str(artifact),
        "environment": environment,
        "action": "deploy",
        "phase": phase,
        "requester": "zoe@example.org",
        "decision": {"digest": {"sha256": "d" * 64}},
        "approvals": [{"digest": {"sha256": "e" * 64}}],
        "plan": {"digest": {"sha256": "f" * 64}},
        "previous": None,
        "target": {"kind": "directory", "path": "/srv/shop"},
        "startedOn": "2026-11-23T11:59:00Z",
        "somethingNew": [1, 2],
        **more,
    }
    return Entry(
        index=index,
        signed_at=START + timedelta(minutes=index),
        artifact=artifact,
        predicate=predicate,
        evidence=sha256_bytes(f"{index} {phase} {artifact}".encode()),
    )


def reference(digest: Digest) -> dict[str, Any]:
    return {"digest": {"sha256": digest.hex}}


def target(content: Digest) -> dict[str, Any]:
    return {"kind": "directory", "path": "/srv/shop", "content": reference(content)}


def test_what_is_live_since_when_why_and_what_was_before() -> None:
    ledger = fold(
        [
            record(1, "rolling-out"),
            record(2, "live", target=target(CONTENT)),
            record(5, "rolling-out", B, previous=reference(A)),
            record(9, "live", B, previous=reference(A)),
        ]
    )
    live = ledger["prod"].live
    assert live is not None
    assert (live.artifact, live.previous, live.since) == (B, A, START + timedelta(minutes=9))
    assert (live.by.decision.hex, live.by.approvals[0].hex) == ("d" * 64, "e" * 64)
    assert live.by.index == 9
    assert [step.index for step in ledger["prod"].history] == [1, 2, 5, 9]
    assert ledger["prod"].rolling_out == ()


def test_an_interrupted_roll_out_is_visible_until_it_ends_or_another_is_live() -> None:
    begun = [record(1, "live"), record(2, "rolling-out", B)]
    prod = fold(begun)["prod"]
    assert prod.live is not None
    assert prod.live.artifact == A
    assert [step.artifact for step in prod.rolling_out] == [B]
    for end in (
        record(3, "live", B),
        record(3, "failed", B, reason="x", serving=reference(A)),
        record(3, "live", C),
    ):
        assert fold([*begun, end])["prod"].rolling_out == ()
    assert len(fold([*begun, record(3, "rolling-out", C)])["prod"].rolling_out) == 2


def test_a_phase_recorded_again_changes_nothing() -> None:
    once = fold([record(1, "rolling-out"), record(2, "live")])["prod"]
    twice = fold([record(1, "rolling-out"), record(2, "live"), record(3, "rolling-out"), record(4, "live")])[
        "prod"
    ]
    assert twice.live == once.live
    assert twice.rolling_out == ()


def test_a_failure_says_what_it_left() -> None:
    before = [record(1, "live", A, target=target(CONTENT)), record(2, "rolling-out", B)]
    kept = fold([*before, record(3, "failed", B, reason="503", serving=reference(A))])["prod"]
    assert kept.live == fold(before)["prod"].live
    nothing = fold([*before, record(3, "failed", B, reason="503", serving=None)])["prod"]
    assert nothing.live is None
    assert nothing.history[-1].reason == "503"
    back = fold(
        [
            *before,
            record(3, "failed", B, reason="503", serving=None),
            record(4, "failed", C, reason="x", serving=reference(A)),
        ]
    )["prod"].live
    assert back is not None
    assert (back.artifact, back.content, back.by.index) == (A, CONTENT, 1)
    assert back.since == START + timedelta(minutes=4)


def test_a_deployment_that_is_taken_out_is_not_live() -> None:
    assert fold([record(1, "live", A), record(2, "rolled-back", A)])["prod"].live is None
    later = fold([record(1, "live", A), record(2, "live", B), record(3, "rolled-back", A)])["prod"].live
    assert later is not None
    assert later.artifact == B


def test_where_an_artifact_runs() -> None:
    ledger = fold(
        [record(1, "live"), record(2, "live", environment="test"), record(3, "live", B, environment="dev")]
    )
    assert [(s.by.environment, s.by.index) for s in where(ledger, A)] == [("prod", 1), ("test", 2)]
    assert where(ledger, C) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "lively"},
        {"decision": None},
        {"decision": {"digest": {"sha256": "x"}}},
        {"approvals": [{}]},
        {"startedOn": "2026-11-23T11:59:00"},
        {"target": {}},
        {"environment": 7},
    ],
)
def test_a_record_that_cannot_be_read_is_not_passed_over(change: dict[str, Any]) -> None:
    broken = {**record(7, "live").predicate, **change}
    with pytest.raises(EvidenceInvalidError, match="log index 7"):
        fold([Entry(index=7, signed_at=START, artifact=A, predicate=broken, evidence=A)])


def test_two_records_at_one_place_are_refused() -> None:
    with pytest.raises(EvidenceInvalidError, match="log index 1"):
        fold([record(1, "live"), record(1, "live", B)])
    assert fold([record(1, "live"), record(1, "live")])["prod"].history != ()


LEDGER: Ledger = fold([record(1, "live", A, target=target(CONTENT))])


@pytest.mark.parametrize(
    ("observed", "environment", "state", "says"),
    [
        (Seen(artifact=A, content=CONTENT), "prod", State.IN_SYNC, ""),
        (Seen(artifact=None), "none", State.IN_SYNC, ""),
        (NotSeen("permission denied"), "prod", State.UNKNOWN, "permission denied"),
        (NotSeen("permission denied"), "none", State.UNKNOWN, "permission denied"),
        (Seen(artifact=None), "prod", State.DRIFTED, "nothing is there; recorded is sha256:aaaaaaaaaaaa"),
        (Seen(artifact=B), "prod", State.DRIFTED, "sha256:bbbbbbbbbbbb is there"),
        (Seen(artifact=B), "none", State.DRIFTED, "recorded is nothing"),
        (Seen(artifact=A, content=B), "prod", State.DRIFTED, "its content is sha256:bbbb"),
        (Seen(artifact=A), "prod", State.DRIFTED, "not there to compare"),
        (Seen(artifact=A, content=CONTENT, problems=("app.py: added",)), "prod", State.DRIFTED, "app.py"),
    ],
)
def test_drift(observed: Seen | NotSeen, environment: str, state: State, says: str) -> None:
    found = compare(observed, LEDGER.get(environment))
    assert found.state is state
    assert bool(found.reasons) == (state is not State.IN_SYNC)
    assert says in "".join(found.reasons)


def test_an_interrupted_roll_out_is_drift() -> None:
    prod = fold([record(1, "live", A), record(2, "rolling-out", B)])["prod"]
    found = compare(Seen(artifact=A), prod)
    assert found.state is State.DRIFTED
    assert "no recorded end" in found.reasons[0]
