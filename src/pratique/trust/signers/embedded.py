"""`embedded:ROLE`: a role of the private root; a fresh key and certificate for each signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pratique.trust.signers.port import Signer, Surroundings
    from pratique.trust.signers.uri import KeyUri


def open_signer(uri: KeyUri, world: Surroundings) -> Signer:
    """Take a role of the embedded authority.

    Raises:
        UsageError: no such role.
    """
    return world.role_signer(uri.rest)
