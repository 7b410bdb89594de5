"""What verification established about a signature, and by what it was established."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - `trust.batch` reads the annotations at run time
from typing import TYPE_CHECKING, Literal

import msgspec

from pratique.model.digest import Digest  # noqa: TC001 - likewise
from pratique.trust.bundle import Bundle  # noqa: TC001 - likewise
from pratique.trust.identity import Identity  # noqa: TC001 - likewise
from pratique.trust.statement import Statement  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from pratique.trust.entity import Entity
    from pratique.trust.publickey import PublicKey


class Moment(msgspec.Struct, frozen=True, order=True):
    """A time at which somebody believed saw the signature, in UTC, and who that is."""

    at: datetime
    by: str


class Logged(msgspec.Struct, frozen=True):
    """A log that holds the signature.

    Attributes:
        origin: the log's name.
        index: position, as the log counts.
        by: an inclusion proof under a signed tree head, or the log's promise to include alone.
        tree_size: size of the tree proven against; 0 for a promise.
    """

    origin: str
    index: int
    by: Literal["proof", "promise"]
    tree_size: int = 0


class Established(msgspec.Struct, frozen=True):
    """A signature that held, and what is known about it.

    Attributes:
        entity: what was judged.
        statement: the claim that was signed, or None for a signature over bare bytes.
        signer: who signed it.
        key: the key that verified the signature; None for an SSH or OpenPGP key, which `signer` names.
        moments: when it was signed, at the latest, by each that says so; empty where nobody does.
        logs: where it is logged; empty where it is not.
        authority: who issued the signer's certificate; empty for a key.
        ct_logs: certificate-transparency logs that have the certificate.
    """

    entity: Entity
    statement: Statement | None
    signer: Identity
    key: PublicKey | None
    moments: tuple[Moment, ...]
    logs: tuple[Logged, ...]
    authority: str = ""
    ct_logs: tuple[str, ...] = ()

    @property
    def signed_at(self) -> datetime | None:
        """The earliest moment at which the signature is known to have been there."""
        return min(moment.at for moment in self.moments) if self.moments else None


class Verified(msgspec.Struct, frozen=True):
    """A bundle of ours that held, and what it established.

    Attributes:
        digest: SHA-256 of the bundle's bytes, the identity of the evidence.
        statement: the claim that was signed.
        signer: who signed it.
        signed_at: the timestamp authority's time, in UTC; everything was judged at this moment.
        log_index: position in the log.
        bundle: the parsed bundle.
    """

    digest: Digest
    statement: Statement
    signer: Identity
    signed_at: datetime
    log_index: int
    bundle: Bundle
