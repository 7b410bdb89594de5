"""The one table of routes: each protocol's module gives its part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.server import evidence, fulcio, rekor, timestamp, tufrepo
from pratique.server.http import Call, Reply, Route, json_reply

if TYPE_CHECKING:
    from pratique.server.service import Service


def all_routes(service: Service) -> list[Route]:
    """Give every route of the server."""

    def healthy(_: Call) -> Reply:
        return json_reply({"status": "serving", "treeSize": service.journal.head().size})

    return [
        Route("GET", "/healthz", healthy),
        *evidence.routes(service),
        *fulcio.routes(service),
        *rekor.routes(service),
        *timestamp.routes(service),
        *tufrepo.routes(service),
    ]
