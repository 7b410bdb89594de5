"""Waiving: a person accepts a violation of the newest decision, with their own key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError, PolicyRefusedError, UsageError
from pratique.flow.evidence import Gathered, gather
from pratique.flow.gate import latest_decision
from pratique.flow.policy import policy_of
from pratique.flow.signing import person_signer
from pratique.flow.waivers import person_behind, with_waivers
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.predicate import WAIVER
from pratique.model.strict_json import canonical_json
from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.evidence import Evidence, GateInput
from pratique.policy.rule_data import WaiversData
from pratique.policy.waivers.judge import WAIVER_ROLE, Judged, judge_waivers, owed
from pratique.policy.waivers.waiver import Scope, Waiver, due_subject, parse_waiver, waivable
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.policy.bundle import PolicyBundle
    from pratique.trust.signers.port import AskSecret

_LISTED = 5


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to accept, why, and until when; see `policy.waiver.Waiver`."""

    scope: Scope
    reason: str
    not_after: datetime
    ticket: str | None = None
    severity_limit: str | None = None


class Covered(msgspec.Struct, frozen=True):
    """A violation that a waiver covers, and how many more people it takes."""

    finding: Finding
    owed: int


class Waived(msgspec.Struct, frozen=True):
    """A waiver in the journal, and what it does for the newest decision."""

    evidence: Digest
    waiver: Waiver
    covered: tuple[Covered, ...]


def waive(
    workspace: Workspace,
    project: Project,
    artifact: Artifact,
    wish: Wish,
    key: str,
    *,
    ask: AskSecret,
) -> Waived:
    """Sign a waiver with a person's own key and journal it, if it counts and there is something to waive.

    The key is a file or a key URI.

    Raises:
        UsageError: nothing in the newest decision is covered, or the waiver says what none may say.
        PolicyRefusedError: this person's waiver would not count.
        ConfigError: the key cannot be used.
    """
    policy = policy_of(workspace, project)
    decision = _newest_decision(workspace, artifact, policy)
    signer, known = person_signer(workspace, key, ask)
    waiver = _make(wish, known.person, workspace.clock())
    covered = [finding for finding in decision.results if waiver.covers(finding)]
    if not covered:
        raise _nothing_to_waive(artifact, decision)
    gathered = gather(workspace, artifact.digest)
    judged = _judge(workspace, artifact, gathered, policy, waiver=waiver, key=signer.identity.subject)
    about = due_subject(waiver, policy.digest)
    name = artifact.name if about == artifact.digest else "policy"
    subject = [Subject(name, about.digest_set)]
    recorded = workspace.append(signer, WAIVER, waiver.to_predicate(), subject)
    admitted = policy.data.waivers or WaiversData()
    found = tuple(Covered(finding, owed(finding, judged, admitted)) for finding in covered)
    return Waived(recorded.digest, waiver, found)


def _newest_decision(workspace: Workspace, artifact: Artifact, policy: PolicyBundle) -> Decision:
    latest = latest_decision(workspace, artifact.digest)
    if latest is None or latest[1].policy != policy.digest:
        raise UsageError(
            f"{artifact.name}: there is no decision by today's policy, so nothing to waive yet",
            hint=f"pratique gate {artifact.digest}",
        )
    return latest[1]


def _make(wish: Wish, person: str, now: datetime) -> Waiver:
    """Take a wish for a waiver as strictly as whoever reads it will."""
    severity_limit = {} if wish.severity_limit is None else {"severityLimit": wish.severity_limit}
    ticket = {} if wish.ticket is None else {"ticket": wish.ticket}
    predicate = {
        "person": person,
        "scope": msgspec.to_builtins(wish.scope),
        "reason": wish.reason,
        "waivedAt": now.isoformat(),
        "notAfter": wish.not_after.isoformat(),
        **ticket,
        **severity_limit,
    }
    try:
        return parse_waiver(predicate)
    except MalformedError as error:
        raise UsageError(error.message, hint="see docs/spec/waiver.md") from error


def _judge(
    workspace: Workspace,
    artifact: Artifact,
    gathered: Gathered,
    policy: PolicyBundle,
    *,
    waiver: Waiver,
    key: str,
) -> Judged:
    """Let policy judge the waiver before it is signed, together with all that are there.

    Raises:
        PolicyRefusedError: it would not count.
    """
    predicate = waiver.to_predicate()
    planned = Evidence(
        digest=sha256_bytes(canonical_json(predicate)),
        predicate_type=WAIVER,
        subjects=(due_subject(waiver, policy.digest),),
        predicate=predicate,
        signer=f"key:sha256:{key}",
        signer_kind="key",
        signed_at=waiver.waived_at,
        log_index=sys.maxsize,
    )
    base = GateInput(subject=artifact.digest, name=artifact.name, effective_time=waiver.waived_at)
    there = with_waivers(workspace, base, gathered, policy)
    together = msgspec.structs.replace(
        there,
        evidence=(*there.evidence, planned),
        people=(*there.people, person_behind(workspace, key, gathered)),
    )
    judged = judge_waivers(together, policy.digest, policy.data.waivers)
    for aside in judged.set_aside:
        if aside.evidence is planned:
            reason = aside.reason.removeprefix(f"waiver {planned.digest.short} ")
            role = f"pratique trust enrol {waiver.person} --role {WAIVER_ROLE} …"
            raise PolicyRefusedError(
                f"the waiver would not count: it {reason}",
                hint=f"an administrator enrols people: {role}" if WAIVER_ROLE in reason else "",
            )
    return judged


def _nothing_to_waive(artifact: Artifact, decision: Decision) -> UsageError:
    """Refuse a waiver that is for nothing, and say what there would be."""
    could = [
        " ".join([finding.code, *(f"--term '{part}'" for part in finding.term)])
        for finding in decision.with_status(Status.VIOLATION)
        if waivable(finding.code)
    ]
    more = f", and {len(could) - _LISTED} more" if len(could) > _LISTED else ""
    return UsageError(
        f"{artifact.name}: the newest decision has no violation that this would waive",
        hint=f"it has: {', '.join(could[:_LISTED])}{more}" if could else "it has none that could be waived",
    )
