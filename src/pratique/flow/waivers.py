"""Waivers in the journal, and the people who signed them, handed to policy as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.deploy.duties import Involved, conflicts, parse_involved
from pratique.deploy.duties import Person as Named
from pratique.errors import CouldNotCheckError, EvidenceInvalidError
from pratique.flow.evidence import Gathered, for_policy, source_annotations
from pratique.model.predicate import PROVENANCE, WAIVER
from pratique.policy.waivers.person import Grant, Person
from pratique.trust.identity import role_identity

if TYPE_CHECKING:
    from pratique.flow.workspace import Workspace
    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.evidence import GateInput
    from pratique.trust.identity import EnrolledKey
    from pratique.trust.verify import Verified


def with_waivers(
    workspace: Workspace, gate_input: GateInput, gathered: Gathered, policy: PolicyBundle
) -> GateInput:
    """Add the waivers about the artifact or about the policy, and whose the keys are that signed anything.

    What does not verify is left out: a stranger's waiver is nothing that a decision should change for.
    """
    waivers = (*gathered.of_type(WAIVER), *_about_policy(workspace, policy))
    evidence = (*gate_input.evidence, *(for_policy(item) for item in waivers))
    keys = {item.identity.subject for item in evidence if item.signer_kind == "key" and not item.root}
    return msgspec.structs.replace(
        gate_input,
        evidence=evidence,
        people=tuple(
            person_behind(workspace, key, gathered) for key in sorted(keys) if key in workspace.community.keys
        ),
    )


def person_behind(workspace: Workspace, key_id: str, gathered: Gathered) -> Person:
    """Describe the person behind an enrolled key, and their part in an artifact, if any."""
    known = workspace.community.keys[key_id]
    return Person(
        key=f"key:sha256:{key_id}",
        name=known.person,
        not_before=known.not_before,
        not_after=known.not_after,
        grants=tuple(Grant(since=since, roles=roles) for since, roles in known.grants),
        involved=_part_in(workspace, known, gathered),
    )


def _about_policy(workspace: Workspace, policy: PolicyBundle) -> list[Verified]:
    found = []
    for reference in workspace.journal.find(subject=policy.digest, predicate_type=WAIVER):
        try:
            found.append(workspace.verify(reference.digest))
        except EvidenceInvalidError:
            continue
    return found


def _part_in(workspace: Workspace, key: EnrolledKey, gathered: Gathered) -> str:
    """Say why a person may not judge the artifact: they wrote it, or nobody knows who did."""
    builder = role_identity(workspace.authority.trust_domain, "builder")
    built = [item for item in gathered.of_type(PROVENANCE) if item.signer == builder]
    if not built:
        return "nobody knows who wrote and built the artifact"
    try:
        involved = [_involved(item) for item in built]
    except (CouldNotCheckError, EvidenceInvalidError) as error:
        return error.message
    named = Named(key.person, key.emails)
    return "; ".join(dict.fromkeys(reason for item in involved for reason in conflicts(named, item)))


def _involved(built: Verified) -> Involved:
    """As for approvals, the authors of somebody else's published source are strangers here."""
    provenance = built.statement.predicate
    if source_annotations(provenance).get("sourceKind") == "sdist":
        return Involved(authors=(), builder=built.signer.subject, requester="")
    return parse_involved(provenance, requester="")
