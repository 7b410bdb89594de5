"""Evidence in which a collection is none: whatever the rules do with it, both engines come to the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import rule_scenario as r
from patience import PATIENT

from pratique.policy.decision import Decision, Status
from pratique.policy.engine.opa import OpaEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = os.environ.get("PRATIQUE_OPA", "")
# In these a rule iterates; elsewhere a member of another shape is a finding, or nobody looks at it.
PARTS = [name for name in r.PARTS if name != "approvals"]


def containers(value: Any, path: str) -> Iterator[str]:
    """Yield the path of every array and object below a value, it included, as `r.put` takes it."""
    if not isinstance(value, dict | list):
        return
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from containers(item, f"{path}/{str(key).replace('/', '~')}")


def paths(part: str) -> list[str]:
    return [
        path for path in containers(r.PARTS[part](), part) if path not in {part, "provenance/buildDefinition"}
    ]


def codes(decision: Decision) -> set[str]:
    return {item.code for item in decision.with_status(Status.VIOLATION, Status.ERROR)}


@pytest.mark.interop
@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="PRATIQUE_OPA names no OPA program")
@pytest.mark.parametrize("part", PARTS)
def test_opa_refuses_what_the_default_engine_refuses(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    default = {path: r.decide({path: "text"}) for path in paths(part)}
    monkeypatch.setattr(r, "ENGINE", OpaEngine(PROGRAM, PATIENT))
    for path, decision in default.items():
        other = r.decide({path: "text"})
        assert other.allowed == decision.allowed, path
        assert codes(other) == codes(decision), path
