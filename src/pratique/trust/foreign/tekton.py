"""Tekton Chains' signatures in the annotations of a TaskRun or PipelineRun (pkg/chains/storage/tekton).

`chains.tekton.dev/signature-<kind>-<uid>` holds a DSSE envelope in base64; where Fulcio certified the key,
`cert-…` and `chain-…` hold its certificate and the authority's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.trust.encoding import b64decode
from pratique.trust.foreign.envelope import is_envelope, pem_certificate, read_envelope

if TYPE_CHECKING:
    from pratique.model.digest import Digest
    from pratique.trust.entity import Entity

CARRIER: Final = "Tekton Chains annotation"
_SIGNATURE: Final = "chains.tekton.dev/signature-"
_CERTIFICATE: Final = "chains.tekton.dev/cert-"


def run_annotations(document: dict[str, Any]) -> dict[str, Any]:
    """Give the annotations of a Kubernetes object; none where there are none."""
    metadata = document.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def is_signed_run(document: dict[str, Any]) -> bool:
    """Say whether a document is a Kubernetes object that Chains has signed."""
    return any(name.startswith(_SIGNATURE) for name in run_annotations(document))


def read_run(document: dict[str, Any], source: Digest) -> list[Entity]:
    """Read every envelope that Chains put into an object's annotations.

    Raises:
        MalformedError: a signature that is no envelope (simple signing of images is not read), or a member
            that does not decode.
    """
    notes, found = run_annotations(document), []
    for name in sorted(notes):
        if not name.startswith(_SIGNATURE):
            continue
        envelope = parse_json_object(b64decode(notes[name], what=name), what=name)
        if not is_envelope(envelope):
            raise MalformedError(f"{name}: not a DSSE envelope")
        entities = read_envelope(envelope, source, carrier=CARRIER)
        if pem := notes.get(_CERTIFICATE + name.removeprefix(_SIGNATURE)):
            der = pem_certificate(b64decode(pem, what=name))
            entities = [msgspec.structs.replace(one, certificate=der, key_hint=None) for one in entities]
        found.extend(entities)
    return found
