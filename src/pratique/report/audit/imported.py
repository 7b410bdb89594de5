"""Others' evidence in a package: verified again, under the root that came with it (step 8; pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.model.predicate import IMPORTED
from pratique.report.audit.signers import may_claim
from pratique.trust.identity import KEYS_ALONE
from pratique.trust.imported import Imported, keys_alone, verify_import
from pratique.trust.revocation import refuse_revoked_entity
from pratique.trust.root import parse_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pratique.model.digest import Digest
    from pratique.trust.identity import Identity
    from pratique.trust.revocation import Revocation
    from pratique.trust.verify import Verified


def verify_brought(
    verified: Verified,
    administrator: Identity,
    revocations: Sequence[Revocation],
    get: Callable[[Digest], bytes],
) -> Imported | None:
    """Verify what a record brought in; nothing for evidence of other kinds, and for others' records.

    Args:
        verified: a piece of evidence of one's own.
        administrator: of the journal's trust root.
        revocations: what no longer counts.
        get: gives the bytes of a digest.

    Raises:
        EvidenceInvalidError: it does not hold, or rests on what was revoked; or a file or root is not there.
    """
    if verified.statement.predicate_type != IMPORTED or not may_claim(verified, administrator, {}):
        return None
    found = verify_import(verified, get)
    alone = found.source.root_name == KEYS_ALONE
    root = keys_alone() if alone else parse_root(get(found.source.root))
    refuse_revoked_entity(found.established, root, revocations)
    return found
