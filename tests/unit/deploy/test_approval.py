from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pratique.deploy.approval import Binding, make_approval, parse_approval, verify_approval
from pratique.errors import MalformedError, PolicyRefusedError
from pratique.model.digest import Digest

ARTIFACT, DECISION, PLAN, OTHER = (Digest(letter * 64) for letter in "adef")
BINDING = Binding(artifact=ARTIFACT, environment="prod", decision=DECISION, plan=PLAN)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PREDICATE: dict[str, Any] = {
    "person": "Ada Lovelace",
    "environment": "prod",
    "decision": {"digest": {"sha256": "d" * 64}},
    "plan": {"digest": {"sha256": "e" * 64}},
    "approvedAt": "2026-11-23T12:00:00Z",
    "notAfter": "2026-11-23T13:00:00Z",
    "comment": "checked the migration",
}
SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
SCHEMA = json.loads((SPEC / "approval.schema.json").read_text())


def test_what_is_made_is_the_documented_predicate() -> None:
    made = make_approval(
        BINDING,
        person="Ada Lovelace",
        approved_at=NOON,
        not_after=NOON + HOUR,
        comment="checked the migration",
    )
    assert made.to_predicate() == PREDICATE
    assert parse_approval(PREDICATE) == made
    jsonschema.validate(made.to_predicate(), SCHEMA)


def test_the_example_on_the_page_is_valid() -> None:
    example = json.loads((SPEC / "approval.md").read_text().split("```json\n")[1].split("```")[0])
    jsonschema.validate(example["predicate"], SCHEMA)
    parse_approval(example["predicate"])


BROKEN = [
    {"person": ""},
    {"person": 1},
    {"environment": "Prod"},
    {"decision": {"digest": {"sha256": "D" * 64}}},
    {"decision": {"digest": {"sha256": "d" * 64, "sha512": "x"}}},
    {"decision": "d" * 64},
    {"plan": None},
    {"approvedAt": "yesterday"},
    {"approvedAt": "2026-11-23T12:00:00"},
    {"approvedAt": 1763899200},
    {"comment": None},
    {"unless": "it rains"},
]


@pytest.mark.parametrize("change", BROKEN)
def test_parser_and_schema_refuse_the_same(change: dict[str, Any]) -> None:
    broken = {**PREDICATE, **change}
    with pytest.raises(MalformedError):
        parse_approval(broken)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


@pytest.mark.parametrize("field", ["person", "environment", "decision", "plan", "approvedAt", "notAfter"])
def test_a_missing_field_is_refused(field: str) -> None:
    broken = {name: value for name, value in PREDICATE.items() if name != field}
    with pytest.raises(MalformedError, match=field):
        parse_approval(broken)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


@pytest.mark.parametrize(
    "not_after", ["2026-11-23T12:00:00Z", "2026-11-22T12:00:00Z", "2027-11-23T12:00:00Z"]
)
def test_a_validity_of_nothing_or_for_ever_is_refused(not_after: str) -> None:
    with pytest.raises(MalformedError, match="valid for"):
        parse_approval({**PREDICATE, "notAfter": not_after})


def verify(
    *, subject: Digest = ARTIFACT, binding: Binding = BINDING, signed_at: datetime = NOON, at: datetime = NOON
) -> None:
    verify_approval(parse_approval(PREDICATE), subject, binding, signed_at=signed_at, at=at)


def test_it_holds_for_exactly_what_it_names_until_its_end() -> None:
    verify()
    verify(at=NOON + HOUR)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subject": OTHER}, "artifact"),
        ({"binding": Binding(artifact=OTHER, environment="prod", decision=DECISION, plan=PLAN)}, "artifact"),
        (
            {"binding": Binding(artifact=ARTIFACT, environment="test", decision=DECISION, plan=PLAN)},
            "environment",
        ),
        ({"binding": Binding(artifact=ARTIFACT, environment="prod", decision=OTHER, plan=PLAN)}, "decision"),
        ({"binding": Binding(artifact=ARTIFACT, environment="prod", decision=DECISION, plan=OTHER)}, "plan"),
        ({"at": NOON + HOUR + timedelta(seconds=1)}, "expired"),
        ({"signed_at": NOON + timedelta(minutes=6)}, "but was signed"),
        ({"signed_at": NOON - timedelta(minutes=6)}, "but was signed"),
        ({"at": NOON - timedelta(minutes=6)}, "signed after"),
    ],
)
def test_it_holds_for_nothing_else(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyRefusedError, match=says):
        verify(**changes)
