"""Carrying a deployment out: each beginning and each end is journalled once, and nobody's place is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pratique.deploy.plan import make_plan
from pratique.errors import InfrastructureError, UsageError
from pratique.flow.artifact import Artifact
from pratique.flow.deployments import environment_of
from pratique.flow.rollout import Basis, carry_out
from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from conftest import State

DECISION = sha256_bytes(b"a decision")


def basis(state: State, name: str = "app-1.whl", environment: str = "app.production") -> Basis:
    artifact = Artifact(name, state.workspace.blobs.put(b"an artifact"))
    plan = make_plan(
        environment=environment,
        path=str(state.folder / "home" / "deployed"),
        artifact_name=name,
        artifact=artifact.digest,
    )
    return Basis(plan, artifact, DECISION, (sha256_bytes(b"an approval"),))


def phases(state: State) -> list[str]:
    return [step.phase for step in environment_of(state.workspace, "app.production").history]


def test_what_is_live_is_recorded_once(state: State) -> None:
    first = carry_out(state.workspace, basis(state))
    assert phases(state) == ["rolling-out", "live"]
    assert (state.folder / "home/deployed/current/app-1.whl").read_bytes() == b"an artifact"
    assert carry_out(state.workspace, basis(state)) == first
    assert phases(state) == ["rolling-out", "live"]


def test_every_failure_is_recorded(state: State) -> None:
    """The second attempt once had a beginning and no end: it had failed just as the first."""
    broken = basis(state, "app-1.tar")  # no archive at all
    for attempt in (1, 2):
        with pytest.raises(InfrastructureError, match="did not go live"):
            carry_out(state.workspace, broken)
        assert phases(state) == ["rolling-out", "failed"] * attempt
    assert environment_of(state.workspace, "app.production").rolling_out == ()
    carry_out(state.workspace, basis(state))
    assert phases(state)[-2:] == ["rolling-out", "live"]


def test_two_environments_cannot_be_at_one_place(state: State) -> None:
    carry_out(state.workspace, basis(state))
    with pytest.raises(UsageError, match=r"is where app\.production is deployed") as caught:
        carry_out(state.workspace, basis(state, environment="other.production"))
    assert "a path of its own" in caught.value.hint
    assert environment_of(state.workspace, "other.production").history == ()
