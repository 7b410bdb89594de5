"""A service without sockets: its routes are called as functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.server.app import answer
from pratique.server.http import Call, CallRefusedError, Reply
from pratique.server.table import all_routes

if TYPE_CHECKING:
    from oidc_issuer import Issuer

    from pratique.server.service import Service


class Desk:
    """A service with one issuer, whose keys it has from a file."""

    def __init__(self, service: Service, issuer: Issuer) -> None:
        self.service = service
        self.issuer = issuer
        self.routes = {(route.method, route.path): route for route in all_routes(service)}

    def call(
        self,
        method: str,
        path: str,
        body: object = b"",
        headers: dict[str, str] | None = None,
        **parameters: str,
    ) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        route = self.routes[method, path]
        return answer(route.handler, Call(parameters, headers or {}, data, "10.0.0.1"))

    def refusal(self, method: str, path: str, body: object = b"", **more: Any) -> CallRefusedError:
        with pytest.raises(CallRefusedError) as caught:
            self.call(method, path, body, **more)
        return caught.value
