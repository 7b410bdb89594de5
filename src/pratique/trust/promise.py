"""Rekor v1's promise to include an entry: the signed entry timestamp (SET), and the time it vouches for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.model.strict_json import canonical_json
from pratique.trust.encoding import b64encode
from pratique.trust.publickey import verify_signature

if TYPE_CHECKING:
    from pratique.trust.entity import LogEntry
    from pratique.trust.root import LogInstance, TrustedRoot


def verify_promise(entry: LogEntry, root: TrustedRoot) -> tuple[datetime, LogInstance]:
    """Verify the log's signature over an entry, its index and the time it was taken.

    It covers RFC 8785 JSON of `body`, `integratedTime`, `logIndex` and the hex `logID` (Rekor v1,
    openapi.yaml, LogEntry.verification.signedEntryTimestamp).

    Returns:
        The time, in UTC, and the log.

    Raises:
        MalformedError: a time that is none.
        SignatureInvalidError: no log of the root that was to be believed then promised it.
    """
    try:
        moment = datetime.fromtimestamp(entry.integrated_time or 0, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedError(f"log entry: {entry.integrated_time} is not a time") from error
    log = root.tlog(entry.log_id, moment)
    covered = canonical_json(
        {
            "body": b64encode(entry.body),
            "integratedTime": entry.integrated_time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        }
    )
    if entry.promise is None:
        raise SignatureInvalidError("the log promised nothing")
    verify_signature(log.public_key, entry.promise, covered, what="the log's promise")
    return moment, log
