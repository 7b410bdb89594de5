"""Closing a connection on which somebody still sends, so that the answer arrives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.requests import Request

_BYTES: Final = 16 * 1024 * 1024
_SECONDS: Final = 2


async def linger(request: Request) -> None:
    """Throw away some of a body that is too long.

    A connection that is closed on unread bytes is reset, and a client that is still sending then never sees
    why. One that asks first (`Expect: 100-continue`) has not begun to.
    """
    if "expect" in request.headers:
        return
    left = _BYTES
    # Starlette's RuntimeError says that there was no more: the last piece was the one too much.
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return
