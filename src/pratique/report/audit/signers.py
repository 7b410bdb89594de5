"""Who may make which claim in a package (pure): roles of the embedded authority, and enrolled people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import EvidenceInvalidError
from pratique.model import predicate as p
from pratique.model.clock import parse_time
from pratique.model.digest import parse_digest_set
from pratique.trust.identity import EnrolledKey, Identity, role_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.model.digest import Digest
    from pratique.trust.statement import Statement
    from pratique.trust.verify import Verified

_ROLES: Final = {
    p.RUNNER_POSTURE: "runner",
    p.RUNNER_BASELINE: "runner",
    p.PROVENANCE: "builder",
    p.REBUILD: "rebuilder",
    p.SBOM: "scanner",
    p.VULNS: "scanner",
    p.VSA: "verifier",
    p.IMPORTED: "verifier",
    p.DEPLOYMENT: "deployer",
    p.ENROLMENT: "administrator",
    p.AUDIT_SEAL: "administrator",
    p.ROOT_ROTATION: "administrator",
    p.REVOCATION: "administrator",
}


def verify_signer(verified: Verified, administrator: Identity, keys: Mapping[str, EnrolledKey]) -> None:
    """Verify that a signer may make the claim it signed. Claims of other kinds are anyone's to make.

    Raises:
        EvidenceInvalidError: another role's claim, or an approval by anyone but the enrolled person it names.
    """
    kind = verified.statement.predicate_type
    if role := _ROLES.get(kind):
        domain = administrator.subject.removeprefix("spiffe://").partition("/")[0]
        if verified.signer != role_identity(domain, role):
            raise EvidenceInvalidError(
                f"a {p.short_name(kind)} signed by {verified.signer}, not by the {role}"
            )
    elif kind == p.APPROVAL:
        _verify_person(verified, keys)


def may_claim(verified: Verified, administrator: Identity, keys: Mapping[str, EnrolledKey]) -> bool:
    """Say whether a signer may make its claim, where a claim that does not count is simply not followed."""
    try:
        verify_signer(verified, administrator, keys)
    except EvidenceInvalidError:
        return False
    return True


def _verify_person(verified: Verified, keys: Mapping[str, EnrolledKey]) -> None:
    person = verified.statement.predicate.get("person")
    enrolled = keys.get(verified.signer.subject) if verified.signer.kind == "key" else None
    if enrolled is None:
        raise EvidenceInvalidError(f"an approval signed by {verified.signer}, who is not an enrolled person")
    if enrolled.person != person:
        raise EvidenceInvalidError(
            f"an approval in the name of {str(person)[:80]!r}, by {enrolled.person}'s key"
        )
    if not enrolled.roles_at(verified.signed_at):
        raise EvidenceInvalidError(f"an approval by {enrolled.person}, who held no role when signing")
    _verify_readable(verified.statement.predicate)


def _verify_readable(approval: Mapping[str, Any]) -> None:
    """An approval says what it is of and how long it holds, or it is none: a person may sign anything."""
    for name in ("decision", "plan"):
        reference = approval.get(name)
        parse_digest_set(reference.get("digest") if isinstance(reference, dict) else None)
    parse_time(str(approval.get("notAfter")))


def subject_digests(statement: Statement) -> set[Digest]:
    """Give the SHA-256 digests a statement is about."""
    return {subject.sha256 for subject in statement.subjects if "sha256" in subject.digest}
