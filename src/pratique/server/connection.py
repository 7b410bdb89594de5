"""HTTP/1.1 connections that must not dawdle: uvicorn itself waits for headers without end (slow loris)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio


class DeadlineProtocol(H11Protocol):
    """Closes a connection on which a request's headers take longer than `header_seconds`.

    That covers the time from connecting to the first request, and from a later request's first byte to its
    last header. Bodies have their own limit (`app`), idle connections uvicorn's keep-alive.
    """

    header_seconds = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Stop it when a request's headers are complete; start it when those of a next one begin."""
        super().data_received(data)
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._disarm()
        elif self._deadline is None and not self.transport.is_closing():
            self._arm()

    def on_response_complete(self) -> None:
        """Leave the connection to the keep-alive timer."""
        self._disarm()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self.header_seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self.transport.close()


def deadline_protocol(seconds: float) -> type[DeadlineProtocol]:
    """Give the protocol with another limit."""
    return type("ConfiguredProtocol", (DeadlineProtocol,), {"header_seconds": seconds})
