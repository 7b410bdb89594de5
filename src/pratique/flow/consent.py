"""Approvals: what people would agree to, who has, and adding one more."""

from __future__ import annotations

import getpass
import socket
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from pratique.deploy.approval import Approval, Binding, make_approval, parse_approval
from pratique.deploy.consent import Ballot, Consent, Exclusion, evaluate_consent
from pratique.deploy.duties import Involved, Person, conflicts, parse_involved
from pratique.deploy.plan import DeploymentPlan, make_plan
from pratique.deploy.quorum import at_least
from pratique.errors import EvidenceInvalidError, PolicyRefusedError
from pratique.flow.deployments import environment_of, left_at
from pratique.flow.evidence import newest, source_annotations
from pratique.flow.gate import latest_decision
from pratique.flow.policy import policy_of
from pratique.flow.signing import person_signer
from pratique.model import predicate
from pratique.model.clock import format_time
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.environment_config import EnvironmentConfig
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.trust.signers.port import AskSecret


class Proposal(msgspec.Struct, frozen=True):
    """What an approver is asked to agree to: this artifact, this environment, this decision, this plan."""

    environment: str
    config: EnvironmentConfig
    artifact: Artifact
    decision: Digest
    plan: DeploymentPlan

    @property
    def binding(self) -> Binding:
        """What an approval has to name to count."""
        return Binding(
            artifact=self.artifact.digest,
            environment=self.environment,
            decision=self.decision,
            plan=self.plan.digest,
        )


def propose(
    workspace: Workspace,
    project: Project,
    environment: str | None,
    artifact: Artifact,
    decision: Digest | None = None,
) -> Proposal:
    """Put together what is to be agreed to, under a decision or the newest one.

    Raises:
        PolicyRefusedError: there is no decision yet, or it is a refusal: nothing to agree to.
        ConfigError: no such environment.
    """
    name, config = project.environment(environment)
    if decision is None:
        latest = latest_decision(workspace, artifact.digest)
        if latest is None:
            raise PolicyRefusedError(
                f"{artifact.name} {artifact.digest.short}: there is no decision yet",
                hint=f"pratique gate {artifact.digest}",
            )
        if not latest[1].allowed:
            raise PolicyRefusedError(
                f"{artifact.name} {artifact.digest.short}: policy refused it, so there is nothing to approve",
                hint=f"pratique explain {artifact.digest}",
            )
        decision = latest[0].digest
    plan = make_plan(
        environment=qualified(project, name),
        path=environment_path(workspace, config),
        artifact_name=artifact.name,
        artifact=artifact.digest,
        service=config.planned_service(),
    )
    owed = policy_of(workspace, project).requirements.approvals_for(qualified(project, name))
    config = msgspec.structs.replace(config, quorum=at_least(config.quorum, owed))
    return Proposal(qualified(project, name), config, artifact, decision, plan)


def qualified(project: Project, environment: str) -> str:
    """Name an environment so that no other project of the same journal has the same."""
    return f"{project.name}.{environment}"


def environment_path(workspace: Workspace, config: EnvironmentConfig) -> str:
    """Give the absolute path of an environment; the file's is relative to the state directory."""
    return str(workspace.home / config.path)


def requester() -> str:
    """Name who runs this command, as the machine knows them."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def consent_to(workspace: Workspace, proposal: Proposal) -> Consent:
    """Judge every approval in the journal against a proposal, and the environment's quorum.

    An approval given before the environment was rolled back from this very artifact does not count: it was
    given without knowing that.

    Raises:
        CouldNotCheckError: the provenance does not say who wrote the source.
    """
    now = workspace.clock()
    ballots = _ballots(workspace, proposal.artifact)
    left = left_at(environment_of(workspace, proposal.environment).history, proposal.artifact.digest)
    stale = [ballot for ballot in ballots if left is not None and ballot.log_index < left.index]
    consent = evaluate_consent(
        proposal.config.quorum,
        [item.ballot for item in ballots if item not in stale],
        enrolled=workspace.community.at(now),
        binding=proposal.binding,
        involved=involved_in(workspace, proposal.artifact),
        at=now,
    )
    if left is None:
        return consent
    reason = f"was given before {proposal.environment} was rolled back from it, {format_time(left.signed_at)}"
    excluded = [
        Exclusion(item.ballot.evidence, person, f"the approval of {person} {reason}")
        for item in stale
        for person in (item.ballot.approval.person,)
    ]
    return msgspec.structs.replace(consent, excluded=(*consent.excluded, *excluded))


class _Cast(msgspec.Struct, frozen=True):
    """A ballot, and when it was cast as the log orders things."""

    ballot: Ballot
    log_index: int


def _ballots(workspace: Workspace, artifact: Artifact) -> list[_Cast]:
    ballots = []
    _ = workspace.community  # if this fails, it is not the approvals that are wrong
    for reference in workspace.journal.find(subject=artifact.digest, predicate_type=predicate.APPROVAL):
        try:
            verified = workspace.verify(reference.digest)
            approval = parse_approval(verified.statement.predicate)
        except EvidenceInvalidError:
            continue  # signed by a stranger, damaged, or no approval at all: it can count for nothing
        ballot = Ballot(
            evidence=verified.digest,
            subject=artifact.digest,
            key=verified.signer.subject,
            signed_at=verified.signed_at,
            approval=approval,
        )
        ballots.append(_Cast(ballot, verified.log_index))
    return ballots


def person_of(workspace: Workspace, approval: Digest) -> str:
    """Name who gave an approval that a deployment rests on, or say that it does not hold any more."""
    try:
        return str(workspace.verify(approval).statement.predicate["person"])
    except EvidenceInvalidError:
        return f"{approval.short} (no longer valid)"


def void_reason(workspace: Workspace, approvals: tuple[Digest, ...]) -> str:
    """Say why one of the approvals does not hold any more: its key was revoked, or it is damaged."""
    for approval in approvals:
        try:
            workspace.verify(approval)
        except EvidenceInvalidError as error:
            return error.message
    return ""


def involved_in(workspace: Workspace, artifact: Artifact) -> Involved:
    """Tell from the artifact's own provenance who wrote and built it.

    Somebody else's published source distribution has authors too, but they are strangers here: there nobody
    is excluded as an author.

    Raises:
        PolicyRefusedError: there is no provenance.
        CouldNotCheckError: it names no authors.
    """
    found = newest(workspace, predicate.PROVENANCE, "builder", lambda _: True, artifact.digest)
    if found is None:
        raise PolicyRefusedError(f"{artifact.name}: nobody knows who built it", hint="pratique build")
    provenance = found.statement.predicate
    if source_annotations(provenance).get("sourceKind") == "sdist":
        builder = provenance["runDetails"]["builder"]["id"]
        return Involved(authors=(), builder=builder, requester=requester())
    return parse_involved(provenance, requester())


def approve(
    workspace: Workspace,
    proposal: Proposal,
    key: str,
    *,
    ask: AskSecret,
    comment: str = "",
) -> tuple[Approval, Digest]:
    """Sign a person's agreement with their own key (a file or a key URI), and journal it.

    Raises:
        PolicyRefusedError: the key is nobody's here, or its owner had a hand in the artifact.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds the key does not answer.
    """
    signer, known = person_signer(workspace, key, ask)
    now = workspace.clock()
    person = Person(known.person, known.emails)
    reasons = conflicts(person, involved_in(workspace, proposal.artifact))
    if reasons:
        raise PolicyRefusedError(
            f"{person.name} cannot approve {proposal.artifact.name}: {'; '.join(reasons)}",
            hint="somebody else has to",
        )
    approval = make_approval(
        proposal.binding,
        person=person.name,
        approved_at=now,
        not_after=now + timedelta(hours=proposal.config.approval_hours),
        comment=comment,
    )
    subject = [Subject(proposal.artifact.name, proposal.artifact.digest.digest_set)]
    recorded = workspace.append(signer, predicate.APPROVAL, approval.to_predicate(), subject)
    return approval, recorded.digest
