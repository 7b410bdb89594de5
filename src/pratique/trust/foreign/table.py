"""Which carrier a piece of evidence came in, and what reads it: one explicit table, tried in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import parse_json_object
from pratique.trust.bundle import MAX_BUNDLE_BYTES
from pratique.trust.foreign import attestations, cosign, envelope, pep740, sigstore, tekton

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.model.digest import Digest
    from pratique.trust.entity import Entity

MAX_DOCUMENTS: Final = 256

Reader = tuple["Callable[[dict[str, Any]], bool]", "Callable[[dict[str, Any], Digest], list[Entity]]"]

CARRIERS: Final[tuple[Reader, ...]] = (
    (sigstore.is_bundle, lambda document, source: [sigstore.read_bundle(document, source)]),
    (pep740.is_attestation, lambda document, source: [pep740.read_attestation(document, source)]),
    (pep740.is_provenance, pep740.read_provenance),
    (attestations.is_list, attestations.read_list),
    (cosign.is_legacy_bundle, lambda document, source: [cosign.read_legacy_bundle(document, source)]),
    (envelope.is_envelope, envelope.read_envelope),
    (tekton.is_signed_run, tekton.read_run),
)


def read_evidence(data: bytes) -> list[Entity]:
    """Read a file of evidence: one JSON document, or one a line (JSON Lines), each of any carrier known.

    Returns:
        Its signatures, at least one.

    Raises:
        MalformedError: nothing that is known here; or of a known kind and wrong.
    """
    source = sha256_bytes(data)
    found = [entity for document in _documents(data) for entity in _read(document, source)]
    if len(found) > MAX_DOCUMENTS:
        raise MalformedError(f"evidence: {len(found)} signatures, more than {MAX_DOCUMENTS}")
    return found


def _documents(data: bytes) -> list[dict[str, Any]]:
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    several = len(lines) > 1 and all(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    if several and len(lines) > MAX_DOCUMENTS:
        raise MalformedError(f"evidence: {len(lines)} lines, more than {MAX_DOCUMENTS}")
    texts = lines if several else [data]
    return [parse_json_object(text, what="evidence", max_bytes=MAX_BUNDLE_BYTES) for text in texts]


def _read(document: dict[str, Any], source: Digest) -> list[Entity]:
    for means_to_be, read in CARRIERS:
        if means_to_be(document):
            return read(document, source)
    raise MalformedError(
        "evidence: of a kind that is not read here",
        hint="read are Sigstore bundles, PyPI, npm and GitHub attestations, cosign's old bundles, DSSE"
        " envelopes and runs that Tekton Chains signed",
    )
