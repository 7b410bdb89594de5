"""A witness over HTTP: `add-checkpoint` and its monitoring endpoint (https://c2sp.org/tlog-witness)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.journal.addcheckpoint import parse_request
from pratique.journal.witness import ConflictError, MisbehaviourError, Witness
from pratique.server.app import make_app
from pratique.server.asgi import Tls, listening, run_application
from pratique.server.http import Call, CallRefusedError, Code, Reply, Route
from pratique.server.limits import RateLimit
from pratique.trust.cosignature import text_of
from pratique.trust.note import MAX_NOTE_CHARACTERS, parse_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.model.clock import Clock

log = logging.getLogger("pratique.server")
Logs = Mapping[str, Sequence[Ed25519PublicKey]]
"""The keys of the logs to cosign for, by origin."""

SIZE_TYPE: Final = "text/x.tlog.size"
_TEXT: Final = "text/plain; charset=utf-8"
_MAX_BYTES: Final = 2 * MAX_NOTE_CHARACTERS
_PER_MINUTE: Final = 120
_CONNECTIONS: Final = 64
_SECONDS: Final = 10.0


def routes(witness: Witness, logs: Logs, clock: Clock) -> list[Route]:
    """Give a witness's table of routes.

    Args:
        witness: who cosigns; processes may share its folder.
        logs: the keys of the logs to cosign for, by origin.
        clock: the time.
    """

    def add_checkpoint(call: Call) -> Reply:
        request = parse_request(_text(call.body))
        origin = parse_checkpoint(text_of(request.checkpoint)).origin
        if not logs.get(origin):
            raise _refused(HTTPStatus.NOT_FOUND, "a log that this witness does not know", "log-unknown")
        known = witness.head(origin)
        size = 0 if known is None else known.size
        if request.old != size:  # not misbehaviour: anybody can send an old checkpoint
            return Reply(HTTPStatus.CONFLICT, f"{size}\n".encode(), SIZE_TYPE)
        try:
            cosigned = witness.cosign(request, logs, clock)
        except ConflictError as error:
            return Reply(HTTPStatus.CONFLICT, f"{error.size}\n".encode(), SIZE_TYPE)
        except MisbehaviourError as error:
            status = HTTPStatus.UNPROCESSABLE_ENTITY if error.kind == "unproven" else HTTPStatus.CONFLICT
            raise _refused(status, error.message, error.kind) from error
        except MalformedError:
            raise
        except SignatureInvalidError as error:
            raise _refused(HTTPStatus.FORBIDDEN, error.message, "log-signature") from error
        return Reply(HTTPStatus.OK, cosigned.line.encode(), _TEXT)

    def checkpoint(call: Call) -> Reply:
        try:
            note = witness.published(call.parameters["origin_hash"])
        except EvidenceInvalidError as error:
            raise _refused(HTTPStatus.NOT_FOUND, error.message, "") from error
        return Reply(HTTPStatus.OK, note.encode(), _TEXT)

    return [
        Route("POST", "/add-checkpoint", add_checkpoint, _MAX_BYTES),
        Route("GET", "/{origin_hash}/checkpoint", checkpoint),
    ]


def run(
    folder: Path, logs: Logs, *, listen: str, tls: Tls | None, clock: Clock, ready: Callable[[str], None]
) -> None:
    """Serve the witness of a folder until SIGTERM or SIGINT (I/O).

    Raises:
        ConfigError: there is no witness, or the TLS files will not do.
        InfrastructureError: the address cannot be listened on.
    """
    witness = Witness.open(folder)
    if tls is not None:
        tls.check()

    def refused(path: str, error: CallRefusedError, address: str) -> None:
        if error.reason:
            log.warning("%s from %s: %s", path, address, error.message)

    application = make_app(
        routes(witness, logs, clock),
        per_address=RateLimit(_PER_MINUTE, time.monotonic),
        body_seconds=_SECONDS,
        refused=refused,
    )
    with listening(listen) as listener:
        run_application(
            application,
            listener,
            tls=tls,
            header_seconds=_SECONDS,
            connections=_CONNECTIONS,
            ready=ready,
        )


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("witness request: not UTF-8 text") from error


def _refused(status: int, message: str, reason: str) -> CallRefusedError:
    return CallRefusedError(Code.INVALID_ARGUMENT, message, reason=reason, status=status)
