"""Ask witnesses over HTTP to cosign this log, and keep what they answer (C2SP tlog-witness)."""

from __future__ import annotations

import http.client
import re
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pratique.errors import EvidenceInvalidError, InfrastructureError, UsageError
from pratique.flow.witness import cosignatures, request_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.flow.workspace import Workspace
    from pratique.journal.cosignatures import Held
    from pratique.trust.cosignature import VerifierKey

SIZE_TYPE: Final = "text/x.tlog.size"
_SECONDS: Final = 15.0
_MAX_BYTES: Final = 64 * 1024
_SIZE = re.compile(r"(0|[1-9][0-9]{0,15})\n\Z")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def ask_witness(
    workspace: Workspace, url: str, witnesses: Sequence[VerifierKey], *, ca_file: str | None = None
) -> list[Held]:
    """Ask the witness at a URL to cosign the newest checkpoint, verify the answer, and keep it.

    The witness says which size it knows when the proof starts elsewhere; it is asked once more then.

    Args:
        workspace: the log's.
        url: the witness's submission prefix; `https`, or `http` on loopback.
        witnesses: whose signatures are believed; the one at the URL among them.
        ca_file: PEM of the authorities to believe in place of the system's.

    Raises:
        UsageError: no such URL, or none of these witnesses answered.
        EvidenceInvalidError: the witness refuses this log as forked, shrunken or not its own.
        InfrastructureError: it does not answer as a witness does.
    """
    held = cosignatures(workspace)
    known = {str(witness) for witness in witnesses}
    sizes = [item.size for item in held.held() if str(item.witness) in known]
    journal, old = workspace.journal, max(sizes, default=0)
    status, kind, answer = _post(url, request_from(journal, old), ca_file)
    if status == http.client.CONFLICT and kind == SIZE_TYPE:
        if not _SIZE.match(answer):
            raise InfrastructureError(f"{url} answers a conflict without a size: {answer[:80]!r}")
        size = int(answer)
        if size > journal.head().size:
            raise EvidenceInvalidError(
                f"the witness at {url} cosigned {size} entries of this log, which has {journal.head().size}",
                hint="this state directory was restored from an old copy, or somebody else has the log's key",
            )
        status, _, answer = _post(url, request_from(journal, size), ca_file)
    if status in {http.client.CONFLICT, http.client.UNPROCESSABLE_ENTITY}:
        raise EvidenceInvalidError(
            f"the witness at {url} refuses this log: {answer[:500]}",
            hint="it saw another history of this log; compare: pratique log witnesses",
        )
    if status != http.client.OK:
        raise InfrastructureError(
            f"the witness at {url} does not cosign: HTTP {status} {answer[:300]}",
            hint="does it know this log? it is told by: pratique witness serve --log",
        )
    return held.collect(journal.checkpoint() + answer, witnesses, journal)


def _post(url: str, body: str, ca_file: str | None) -> tuple[int, str, str]:
    """POST to add-checkpoint; redirects are not followed. Gives status, media type and text."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    if not parts.hostname or not (secure or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise UsageError(f"{url[:200]!r} is no https address of a witness")
    try:
        if secure:
            tls = ssl.create_default_context(cafile=ca_file)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_SECONDS, context=tls
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
        try:
            connection.request("POST", f"{parts.path.rstrip('/')}/add-checkpoint", body.encode())
            reply = connection.getresponse()
            data = reply.read(_MAX_BYTES + 1)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise InfrastructureError(f"the witness at {url} cannot be reached: {error}") from error
    if len(data) > _MAX_BYTES:
        raise InfrastructureError(f"the witness at {url} answers more than {_MAX_BYTES} bytes")
    kind = (reply.getheader("Content-Type") or "").partition(";")[0].strip()
    return reply.status, kind, data.decode("utf-8", "replace")
