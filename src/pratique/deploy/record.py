"""The deployment predicate: an artifact entering an environment, under a decision and approvals.

Implements docs/spec/deployment.md. A deployment is recorded before the environment is touched (`rolling-out`)
and once its end is known (`live` or `failed`), so a roll-out that was cut off shows as one without an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from pratique.deploy.wire import LongText, Moment, Name, Reference, Text, parse_struct, refer, to_json
from pratique.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pratique.deploy.plan import DeploymentPlan
    from pratique.model.digest import Digest

DeploymentPhase = Literal["rolling-out", "live", "failed", "rolled-back"]


class Target(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Where: a directory on this host, and the digest of the release's content once it is in place."""

    kind: Literal["directory"]
    path: Text
    content: Reference | None = None


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last answer to the health check: URL, HTTP status (0: no answer), attempts made."""

    url: Text
    status: Annotated[int, msgspec.Meta(ge=0, le=599)]
    attempts: Annotated[int, msgspec.Meta(ge=0)]


class DeploymentRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The predicate.

    Attributes:
        deployment_id: derived from plan, decision and approvals; the same in every record of a deployment.
        environment: the environment's name.
        action: what was asked for.
        phase: how far it came.
        requester: who asked.
        decision: evidence digest of the decision.
        approvals: evidence digests of the approvals counted.
        plan: digest of the plan.
        previous: the artifact that was live before; None where there was none.
        target: the place.
        health: the health check's outcome.
        started_on: when the roll-out began.
        finished_on: when its end was known; absent exactly while rolling out.
        reason: why it failed.
        serving: after a failure, the artifact the environment was left with; None where nothing works.
    """

    deployment_id: Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
    environment: Name
    action: Literal["deploy", "rollback"]
    phase: DeploymentPhase
    requester: Text
    decision: Reference
    approvals: tuple[Reference, ...]
    plan: Reference
    previous: Reference | None
    target: Target
    started_on: Moment
    health: Health | msgspec.UnsetType = msgspec.UNSET
    finished_on: Moment | msgspec.UnsetType = msgspec.UNSET
    reason: LongText | msgspec.UnsetType = msgspec.UNSET
    serving: Reference | msgspec.UnsetType | None = msgspec.UNSET

    def to_predicate(self) -> dict[str, Any]:
        """Give the predicate's JSON object."""
        return to_json(self)


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment rests on, the same in all of its records."""

    deployment_id: str
    requester: str
    decision: Digest
    approvals: tuple[Digest, ...]
    started_on: datetime


def make_record(
    plan: DeploymentPlan,
    grounds: Grounds,
    phase: DeploymentPhase,
    *,
    previous: Digest | None,
    content: Digest | None = None,
    health: Health | None = None,
    finished_on: datetime | None = None,
    reason: str | None = None,
    serving: Digest | None = None,
) -> DeploymentRecord:
    """Make the record of one phase of a deployment.

    Raises:
        MalformedError: a value the predicate cannot carry.
    """
    record = DeploymentRecord(
        deployment_id=grounds.deployment_id,
        environment=plan.environment,
        action=plan.action,
        phase=phase,
        requester=grounds.requester,
        decision=refer(grounds.decision),
        approvals=_references(grounds.approvals),
        plan=refer(plan.digest),
        previous=refer(previous) if previous else None,
        target=Target(plan.kind, plan.path, refer(content) if content else None),
        started_on=grounds.started_on,
        health=health or msgspec.UNSET,
        finished_on=finished_on or msgspec.UNSET,
        reason=reason[:4096] if reason is not None else msgspec.UNSET,
        serving=(refer(serving) if serving else None) if phase == "failed" else msgspec.UNSET,
    )
    return parse_record(record.to_predicate())


def parse_record(predicate: Mapping[str, Any]) -> DeploymentRecord:
    """Type a deployment predicate.

    Raises:
        MalformedError: not a deployment record, or one that contradicts itself.
    """
    record = parse_struct(predicate, DeploymentRecord, what="deployment record")
    ended = record.finished_on is not msgspec.UNSET
    if ended == (record.phase == "rolling-out"):
        raise MalformedError(f"deployment record: {record.phase} {'with' if ended else 'without'} finishedOn")
    if (record.phase == "failed") != (record.reason is not msgspec.UNSET):
        raise MalformedError("deployment record: a reason belongs to a failure, and to nothing else")
    if (record.phase == "failed") != (record.serving is not msgspec.UNSET):
        raise MalformedError("deployment record: `serving` belongs to a failure, and to nothing else")
    if isinstance(record.health, Health) and record.phase == "rolling-out":
        raise MalformedError("deployment record: a health check before the switch")
    return record


def _references(digests: Sequence[Digest]) -> tuple[Reference, ...]:
    return tuple(refer(digest) for digest in sorted(set(digests)))
