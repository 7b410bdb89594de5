from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pratique.deploy.plan import make_plan
from pratique.deploy.record import Grounds, Health, make_record, parse_record
from pratique.errors import MalformedError
from pratique.model.digest import Digest

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
SCHEMA = json.loads((SPEC / "deployment.schema.json").read_text())
EXAMPLE = json.loads((SPEC / "deployment.md").read_text().split("```json\n")[1].split("```")[0])["predicate"]
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
A, B, C, D = (Digest(letter * 64) for letter in "abcd")
PLAN = make_plan(environment="prod", path="/srv/shop", artifact_name="shop.tar", artifact=A)
GROUNDS = Grounds(
    deployment_id="sha256:" + "9" * 64, requester="zoe", decision=D, approvals=(C, B, C), started_on=NOON
)
END = NOON + timedelta(seconds=4)


def without(*names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**EXAMPLE, **changes}.items() if name not in names}


def test_the_example_on_the_page_is_valid() -> None:
    jsonschema.validate(EXAMPLE, SCHEMA)
    assert parse_record(EXAMPLE).to_predicate() == EXAMPLE


def test_each_phase_is_written_as_specified() -> None:
    begun = make_record(PLAN, GROUNDS, "rolling-out", previous=None).to_predicate()
    assert begun == {
        "deploymentId": "sha256:" + "9" * 64,
        "environment": "prod",
        "action": "deploy",
        "phase": "rolling-out",
        "requester": "zoe",
        "decision": {"digest": {"sha256": "d" * 64}},
        "approvals": [{"digest": {"sha256": "b" * 64}}, {"digest": {"sha256": "c" * 64}}],
        "plan": {"digest": {"sha256": PLAN.digest.hex}},
        "previous": None,
        "target": {"kind": "directory", "path": "/srv/shop"},
        "startedOn": "2026-11-23T12:00:00Z",
    }
    live = make_record(
        PLAN,
        GROUNDS,
        "live",
        previous=B,
        content=C,
        health=Health("http://127.0.0.1:1/", 200, 1),
        finished_on=END,
    ).to_predicate()
    assert live["previous"] == {"digest": {"sha256": "b" * 64}}
    assert live["target"]["content"] == {"digest": {"sha256": "c" * 64}}
    assert live["finishedOn"] == "2026-11-23T12:00:04Z"
    assert "serving" not in live
    failed = make_record(
        PLAN, GROUNDS, "failed", previous=B, finished_on=END, reason="x" * 9000, serving=None
    )
    predicate = failed.to_predicate()
    assert (len(predicate["reason"]), predicate["serving"]) == (4096, None)
    for made in (begun, live, predicate):
        jsonschema.validate(made, SCHEMA)
        assert parse_record(made).to_predicate() == made


BROKEN = {
    "an end while rolling out": without("health", phase="rolling-out"),
    "health while rolling out": without("finishedOn", phase="rolling-out"),
    "live without an end": without("finishedOn"),
    "live with a reason": without(reason="x"),
    "live with serving": without(serving=None),
    "failed without a reason": without(phase="failed", serving=None),
    "failed without serving": without(phase="failed", reason="x"),
    "unknown field": without(ring=1),
    "unknown phase": without(phase="verified"),
    "unknown kind": without(target={"kind": "docker", "path": "/x"}),
    "short id": without(deploymentId="sha256:12"),
    "status out of range": without(health={"url": "http://x/", "status": 999, "attempts": 1}),
    "no previous": without("previous"),
    "local time": without(startedOn="2026-11-23T12:30:00"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_parser_and_schema_refuse_the_same(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_record(broken)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)
