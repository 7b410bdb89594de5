"""What the authority did and refused, as signed statements in its own journal; never a token.

A certificate is in the journal before anyone gets it: the SCT inside it promises that. Timestamps and
refusals are noted here and go into the next record.
"""

from __future__ import annotations

import threading
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.model.clock import format_time
from pratique.model.predicate import ISSUANCE
from pratique.trust.encoding import b64encode
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pratique.model.clock import Clock
    from pratique.trust.identity import Identity
    from pratique.trust.root import TrustedRoot

MAX_TIMESTAMPS: Final = 1000
MAX_REFUSALS: Final = 200
_OTHERS: Final = ("", "other", "")


class IssuedCertificate(msgspec.Struct, frozen=True):
    """A certificate that was signed, and is to be logged.

    Attributes:
        der: the certificate.
        serial: its serial number.
        identity: whom it certifies.
        not_before: when it begins.
        not_after: when it ends.
        address: who asked.
    """

    der: bytes
    serial: int
    identity: Identity
    not_before: datetime
    not_after: datetime
    address: str

    def record(self) -> dict[str, str]:
        """Give its part of the statement."""
        return {
            "serial": f"{self.serial:x}",
            "subject": self.identity.subject,
            "issuer": self.identity.issuer,
            "notBefore": format_time(self.not_before),
            "notAfter": format_time(self.not_after),
            "address": self.address,
            "certificate": b64encode(self.der),
        }


class Report(msgspec.Struct, frozen=True):
    """What was noted since the last record.

    Attributes:
        timestamps: serial number, hash function's OID and digest in hex of each, at most 1,000.
        more_timestamps: how many came on top of those.
        refusals: counts by endpoint, reason and address, at most 200 kinds and the rest as `other`.
    """

    timestamps: tuple[dict[str, str], ...]
    more_timestamps: int
    refusals: dict[tuple[str, str, str], int]

    def __bool__(self) -> bool:
        return bool(self.timestamps or self.refusals)


class Audit:
    """Notes timestamps and refusals until they are recorded. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timestamps: list[dict[str, str]] = []
        self._more = 0
        self._refusals: Counter[tuple[str, str, str]] = Counter()

    def timestamped(self, serial: int, algorithm: str, digest: bytes) -> None:
        """Note a timestamp that was granted."""
        with self._lock:
            if len(self._timestamps) < MAX_TIMESTAMPS:
                noted = {"serial": f"{serial:x}", "algorithm": algorithm, "digest": digest.hex()}
                self._timestamps.append(noted)
            else:
                self._more += 1

    def refused(self, endpoint: str, reason: str, address: str) -> None:
        """Note a refusal; all of one kind from one address are counted together."""
        with self._lock:
            self._count((endpoint, reason, address), 1)

    def take(self) -> Report:
        """Take what was noted, for a record that is being made."""
        with self._lock:
            report = Report(tuple(self._timestamps), self._more, dict(self._refusals))
            self._timestamps, self._more = [], 0
            self._refusals.clear()
        return report

    def put_back(self, report: Report) -> None:
        """Note again what could not be recorded."""
        with self._lock:
            kept = [*report.timestamps, *self._timestamps]
            self._timestamps = kept[:MAX_TIMESTAMPS]
            self._more += report.more_timestamps + len(kept) - len(self._timestamps)
            for kind, count in report.refusals.items():
                self._count(kind, count)

    def _count(self, kind: tuple[str, str, str], count: int) -> None:
        known = kind in self._refusals or len(self._refusals) < MAX_REFUSALS
        self._refusals[kind if known else _OTHERS] += count


def issuance_statement(
    root: TrustedRoot, certificates: Sequence[IssuedCertificate], report: Report, clock: Clock
) -> Statement:
    """Make the statement of one record (docs/spec/issuance.md); its first subject is the trusted root."""
    subjects = [Subject(root.tlogs[0].origin, root.fingerprint.digest_set)]
    subjects += [
        Subject(f"certificate {item.serial:x}", {"sha256": sha256(item.der).hexdigest()})
        for item in certificates
    ]
    body: dict[str, Any] = {"recordedAt": format_time(clock())}
    if certificates:
        body["certificates"] = [item.record() for item in certificates]
    if report.timestamps:
        body["timestamps"] = list(report.timestamps)
    if report.more_timestamps:
        body["moreTimestamps"] = report.more_timestamps
    if report.refusals:
        body["refusals"] = [
            {"endpoint": endpoint, "reason": reason, "address": address, "count": count}
            for (endpoint, reason, address), count in sorted(report.refusals.items())
        ]
    return Statement(tuple(subjects), ISSUANCE, body)
