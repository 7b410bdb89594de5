"""The gate: gather the evidence about an artifact, let policy decide, and journal the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.flow.artifact import artifacts_of
from pratique.flow.evidence import Gathered, for_policy, gather, newest
from pratique.flow.policy import engine_of, policy_in_force
from pratique.flow.progress import Outcome
from pratique.flow.waivers import with_waivers
from pratique.flow.witness import cosignatures
from pratique.model import predicate
from pratique.model.digest import Digest, parse_digest_set
from pratique.policy.decision import Decision, Status, parse_decision
from pratique.policy.evidence import GateInput
from pratique.policy.gate import Gated, differences, evaluate
from pratique.policy.vsa import DECISION_EXTENSION, Verifier, vsa_predicate
from pratique.policy.witnessed import Cosigned
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.policy.bundle import PolicyBundle
    from pratique.trust.verify import Verified

_MOVES_WITH_TIME: Final = {"effective_time", "input"}


class Decided(msgspec.Struct, frozen=True):
    """A decision in the journal.

    Attributes:
        evidence: the VSA's evidence digest.
        decision: the result in full, as of now.
        gathered: the evidence that was looked at.
        verifier: who vouches for it, and what it is about.
        note: what a person should know besides: that the bytes were changed since they were built, or that
            the policy is about to expire.
    """

    evidence: Digest
    decision: Decision
    gathered: Gathered
    verifier: Verifier
    note: str = ""


def gate(workspace: Workspace, project: Project, artifact: Artifact) -> Decided:
    """Decide by today's policy and evidence whether an artifact may pass, and journal the decision.

    A decision that already stands is kept if deciding again, now, comes to the same on the same policy and
    evidence: approvals hang on it. A refusal is journalled too. The verdict is the caller's to act on.

    Raises:
        ConfigError: the policy does not hold up.
    """
    workspace.progress.begin("gate", f"{artifact.name}: policy over the evidence")
    in_force = policy_in_force(workspace, project)
    policy = in_force.bundle
    gathered = gather(workspace, artifact.digest)
    given = with_waivers(workspace, gate_input(workspace, artifact, gathered, policy), gathered, policy)
    used = tuple(organisation.used for organisation in in_force.organisations)
    given = msgspec.structs.replace(given, organisations=used)
    gated = evaluate(given, policy, engine_of(project))
    standing = _standing_decision(workspace, artifact, gated.decision)
    verifier = Verifier(
        identity=workspace.authority.signer("verifier").identity.subject,
        resource_uri=f"pratique:{project.name}/{artifact.name}",
        policy_uri=in_force.uri,
    )
    decided = standing or _record(workspace, verifier, artifact, gated)
    outcome = Outcome.REUSED if standing else Outcome.DONE
    if not gated.decision.allowed:
        outcome = Outcome.REFUSED
    line = verdict_line(gated.decision)
    workspace.progress.end(outcome, f"{line}; {in_force.notice}" if in_force.notice else line)
    notes = (_changed_since(workspace, project, artifact, gathered), in_force.notice)
    return Decided(decided, gated.decision, gathered, verifier, "; ".join(note for note in notes if note))


def verdict_line(decision: Decision) -> str:
    """Put a decision into one line."""
    against = decision.with_status(Status.VIOLATION, Status.ERROR)
    warnings = len(decision.with_status(Status.WARNING))
    passed = len(decision.with_status(Status.SUCCESS))
    if decision.allowed:
        count = len(decision.with_status(Status.WAIVED))
        waived = f", {count} waived" if count else ""
        cautions = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
        return f"PASSED  {passed} rules{waived}{cautions}"
    listed = ", ".join(dict.fromkeys(result.code for result in against))
    return f"REFUSED  {listed}" if decision.stops else f"DENIED, NOT ENFORCED ({decision.mode})  {listed}"


def latest_decision(workspace: Workspace, artifact: Digest) -> tuple[Verified, Decision] | None:
    """Find the newest decision about an artifact, with its full result.

    Raises:
        EvidenceInvalidError: the result is missing from the store, or is not what was signed.
    """
    found = newest(workspace, predicate.VSA, "verifier", lambda _: True, artifact)
    return (found, load_decision(workspace, found)) if found else None


def load_decision(workspace: Workspace, vsa: Verified) -> Decision:
    """Load the full result that a VSA names.

    Raises:
        EvidenceInvalidError: it is missing, or not what was signed.
    """
    extension = vsa.statement.predicate.get(DECISION_EXTENSION)
    digest = parse_digest_set(extension.get("digest") if isinstance(extension, dict) else None)
    return parse_decision(workspace.blobs.get(digest))


def gate_input(
    workspace: Workspace, artifact: Artifact, gathered: Gathered, policy: PolicyBundle
) -> GateInput:
    """Put together what policy decides on: whatever some role may sign, and what does not verify of it."""
    claims = {
        predicate.SHORT_NAMES.get(short, short)
        for role in policy.requirements.roles.values()
        for short in role.may_sign
    }
    return GateInput(
        subject=artifact.digest,
        name=artifact.name,
        effective_time=workspace.clock(),
        evidence=tuple(
            for_policy(item) for item in gathered.claims if item.statement.predicate_type in claims
        ),
        # An approval by a stranger, or one whose key was revoked, is not for policy to know: else anybody
        # could change the decision, and so void everybody's approvals.
        rejected=tuple(item for item in gathered.rejected if item.predicate_type in claims),
        cosigned=_cosigned(workspace, policy),
    )


def _cosigned(workspace: Workspace, policy: PolicyBundle) -> tuple[Cosigned, ...]:
    """Give the largest tree that each witness cosigned whom the policy names; all of it is verified."""
    rule = policy.requirements.witnesses
    if rule is None:
        return ()
    sizes: dict[str, int] = {}
    for item in cosignatures(workspace).held():
        witness = str(item.witness)
        if witness in rule.keys:
            sizes[witness] = max(sizes.get(witness, 0), item.size)
    return tuple(Cosigned(witness=witness, size=size) for witness, size in sorted(sizes.items()))


def _changed_since(workspace: Workspace, project: Project, artifact: Artifact, gathered: Gathered) -> str:
    """Say so when nothing is known of these bytes, but other bytes were built under their name."""
    if gathered.verified:
        return ""
    same_name = (other for other in artifacts_of(workspace, project) if other.name == artifact.name)
    other = next(same_name, None)
    if other is None:
        return f"no evidence at all is about {artifact.digest}: it was not built here"
    return (
        f"no evidence is about these bytes, {artifact.digest.short}: {other.name} was built as"
        f" {other.digest.short}, and changed since"
    )


def _standing_decision(workspace: Workspace, artifact: Artifact, now: Decision) -> Digest | None:
    try:
        found = latest_decision(workspace, artifact.digest)
    except EvidenceInvalidError:
        return None
    if found is None or set(differences(found[1], now)) - _MOVES_WITH_TIME:
        return None
    return found[0].digest


def _record(workspace: Workspace, verifier: Verifier, artifact: Artifact, gated: Gated) -> Digest:
    for data in (gated.policy_bytes, gated.input_bytes, gated.decision.encode()):
        workspace.blobs.put(data)
    body = vsa_predicate(gated.decision, verifier)
    subject = [Subject(artifact.name, artifact.digest.digest_set)]
    return workspace.record("verifier", predicate.VSA, body, subject).digest
