"""Lists of attestations as registries serve them: npm's, and GitHub's (`attestations` with a bundle each)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.trust.entity import Claimed
from pratique.trust.foreign.sigstore import read_bundle

if TYPE_CHECKING:
    from pratique.model.digest import Digest
    from pratique.trust.entity import Entity

_MAX_BUNDLES: Final = 64


def is_list(document: dict[str, Any]) -> bool:
    """Say whether a document means to be a list of attestations."""
    return isinstance(document.get("attestations"), list)


def read_list(document: dict[str, Any], source: Digest) -> list[Entity]:
    """Read npm's list, whose items announce their predicate type, or that of GitHub's REST API.

    What an item announces is not signed; its statement is held to it.

    Raises:
        MalformedError: no item, an item without a bundle (GitHub may serve an address instead), or see
            `trust.foreign.sigstore.read_bundle`.
    """
    found: list[Entity] = []
    items = document["attestations"]
    if len(items) > _MAX_BUNDLES:
        raise MalformedError(f"attestations: {len(items)} of them, more than {_MAX_BUNDLES}")
    for item in items:
        if not isinstance(item, dict):
            raise MalformedError("attestations: an item is not an object")
        bundle, predicate_type = item.get("bundle"), item.get("predicateType", "")
        if not isinstance(bundle, dict) or not isinstance(predicate_type, str):
            raise MalformedError("attestations: an item without a bundle, or with an odd predicateType")
        entity = read_bundle(bundle, source, Claimed(predicate_type=predicate_type))
        maker = "npm" if predicate_type else "GitHub"
        found.append(msgspec.structs.replace(entity, carrier=f"{entity.carrier} in {maker}'s list"))
    if not found:
        raise MalformedError("attestations: the list is empty")
    return found
