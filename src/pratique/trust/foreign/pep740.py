"""Attestations as PyPI serves them: attestation objects and provenance objects (PEP 740)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust import protojson
from pratique.trust.entity import Claimed, Entity, Envelope
from pratique.trust.material import MAX_PARTS, read_log_entry

if TYPE_CHECKING:
    from pratique.model.digest import Digest

CARRIER: Final = "PyPI attestation (PEP 740)"
_MAX_BUNDLES: Final = 64


def is_attestation(document: dict[str, Any]) -> bool:
    """Say whether a document means to be an attestation object."""
    return "verification_material" in document and "envelope" in document


def is_provenance(document: dict[str, Any]) -> bool:
    """Say whether a document means to be a provenance object."""
    return "attestation_bundles" in document


def read_attestation(document: dict[str, Any], source: Digest, claimed: Claimed | None = None) -> Entity:
    """Read an attestation object (PEP 740, "Attestation objects").

    Raises:
        MalformedError: another version, not exactly one log entry, or a member that does not decode.
    """
    if document.get("version") != 1 or document["version"] is True:
        raise MalformedError("attestation: version 1 is read")
    material, envelope = document.get("verification_material"), document.get("envelope")
    if not isinstance(material, dict) or not isinstance(envelope, dict):
        raise MalformedError("attestation: verification_material or envelope is missing")
    entries = protojson.members(material, "transparency_entries", "attestation", most=MAX_PARTS)
    if len(entries) != 1:
        raise MalformedError(f"attestation: it needs exactly one log entry, not {len(entries)}")
    return Entity(
        carrier=CARRIER,
        source=source,
        content=Envelope(protojson.blob(envelope, "statement", "attestation"), PAYLOAD_TYPE),
        signature=protojson.blob(envelope, "signature", "attestation"),
        certificate=protojson.blob(material, "certificate", "attestation"),
        entries=(read_log_entry(entries[0], proof_needed=True),),
        claimed=claimed or Claimed(),
    )


def read_provenance(document: dict[str, Any], source: Digest) -> list[Entity]:
    """Read a provenance object: attestations by publisher (PEP 740, "Provenance objects").

    Its publishers are not signed; each attestation is held to the one it is listed under.

    Raises:
        MalformedError: another version, no attestation, or a publisher of a kind that is not known here.
    """
    if document.get("version") != 1 or document["version"] is True:
        raise MalformedError("provenance: version 1 is read")
    found: list[Entity] = []
    for bundle in protojson.members(document, "attestation_bundles", "provenance", most=_MAX_BUNDLES):
        publisher = bundle.get("publisher")
        if not isinstance(publisher, dict):
            raise MalformedError("provenance: an attestation bundle without a publisher")
        claimed = _claimed(publisher)
        for item in bundle.get("attestations") or []:
            if not isinstance(item, dict):
                raise MalformedError("provenance: an attestation is not an object")
            found.append(read_attestation(item, source, claimed))
    if not found or len(found) > _MAX_BUNDLES:
        raise MalformedError(f"provenance: it needs between 1 and {_MAX_BUNDLES} attestations")
    return found


def _claimed(publisher: dict[str, Any]) -> Claimed:
    """Give how a publisher's certificate has to name it (PyPI's trusted publishers)."""
    kind = publisher.get("kind")
    if kind == "GitHub":
        repository = protojson.text(publisher, "repository", "publisher")
        workflow = protojson.text(publisher, "workflow", "publisher")
        return Claimed(
            issuer="https://token.actions.githubusercontent.com",
            subject_prefix=f"https://github.com/{repository}/.github/workflows/{workflow}@",
        )
    if kind == "GitLab":
        repository = protojson.text(publisher, "repository", "publisher")
        workflow = protojson.text(publisher, "workflow_filepath", "publisher")
        return Claimed(
            issuer="https://gitlab.com", subject_prefix=f"https://gitlab.com/{repository}//{workflow}@"
        )
    raise MalformedError(f"provenance: a publisher of kind {str(kind)[:40]!r}; GitHub and GitLab are read")
