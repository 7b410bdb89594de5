"""The private root at work: what the protocols share."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from pratique.errors import ConfigError
from pratique.server.audit import Audit, IssuedCertificate, Report, issuance_statement
from pratique.server.commit import Committer
from pratique.server.limits import RateLimit
from pratique.server.oidc.authenticate import Authenticator
from pratique.trust.authority.tsa import SERIAL_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pratique.journal.journal import Journal
    from pratique.model.clock import Clock
    from pratique.server.config import Settings
    from pratique.trust.authority.init import Authority
    from pratique.trust.authority.tsq import Query
    from pratique.trust.bundle import Signed
    from pratique.trust.root import TrustedRoot


class Service:
    """One authority with its journal, serving. `close` it when nobody calls any more.

    Attributes:
        settings: what serve.toml says.
        authority: signs.
        journal: the team's journal.
        audit: notes what was done and refused.
        committer: appends.
        authenticator: knows the issuers of tokens.
        repository: folder of the TUF repository that is served.
        roots: others' trusted roots whose evidence is taken, by name.
        clock: the time.
        per_address: limits requests of an address.
        per_identity: limits certificates and entries of an identity.
    """

    def __init__(
        self,
        settings: Settings,
        authority: Authority,
        journal: Journal,
        *,
        repository: Path,
        roots: Mapping[str, TrustedRoot],
        clock: Clock,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.authority = authority
        self.journal = journal
        self.repository = repository
        self.roots = roots
        self.clock = clock
        limits = settings.config.limits
        self.per_address = RateLimit(limits.per_address, now)
        self.per_identity = RateLimit(limits.per_identity, now)
        self.authenticator = Authenticator(settings, clock=clock, now=now)
        self.audit = Audit()
        signer = authority.signer("authority")
        for issuer in settings.config.issuers:
            if issuer.url == signer.identity.issuer:
                raise ConfigError(f"issuer {issuer.url} is this authority's own name for its roles")

        def record(certificates: Sequence[IssuedCertificate], report: Report) -> Signed:
            return signer.sign(issuance_statement(authority.trusted_root, certificates, report, clock))

        self.committer = Committer(
            journal.append,
            self.audit,
            record,
            waiting=limits.waiting,
            audit_seconds=settings.config.audit_seconds,
            now=now,
        )

    def close(self) -> None:
        """Record what is still to be recorded."""
        self.committer.close()

    def timestamp(self, query: Query) -> bytes:
        """Grant a timestamp query, and note it."""
        serial = secrets.randbits(SERIAL_BITS) | 1
        token = self.authority.answer(query, serial)
        self.audit.timestamped(serial, query.algorithm, query.digest)
        return token

    @property
    def timestamp_chain(self) -> str:
        """The timestamp authority's certificates as PEM, leaf first."""
        chain = self.authority.trusted_root.timestamp_authorities[0].certificates
        return "".join(item.public_bytes(Encoding.PEM).decode() for item in chain)
