"""Fetching a provider's documents: HTTPS (or loopback), no redirects, bounded in size and time."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pratique.errors import CouldNotCheckError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 256 * 1024
SECONDS: Final = 10.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def fetch(url: str, ca: Path | None) -> bytes:
    """Fetch one document (I/O).

    Args:
        url: where it is.
        ca: PEM file of the authorities to believe instead of the system's.

    Raises:
        CouldNotCheckError: no answer, another status than 200, too long, or not encrypted.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=str(ca) if ca else None)
            connection = http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
        elif parts.scheme == "http" and host in _LOOPBACK:
            connection = http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
        else:
            raise CouldNotCheckError(f"{url}: not https")
        with closing(connection):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Accept": "application/json"})
            reply = connection.getresponse()
            data = reply.read(MAX_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CouldNotCheckError(f"{url}: no answer: {error}") from error
    if reply.status != http.HTTPStatus.OK:
        raise CouldNotCheckError(f"{url}: HTTP {reply.status}")
    if len(data) > MAX_BYTES:
        raise CouldNotCheckError(f"{url}: longer than {MAX_BYTES} bytes")
    return data
