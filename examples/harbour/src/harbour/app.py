"""The HTTP face of the register."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from harbour.register import Register, RegisterError

if TYPE_CHECKING:
    from starlette.requests import Request


def create_app() -> Starlette:
    """Make the application around an empty register."""
    register = Register()

    async def health(_: Request) -> JSONResponse:
        return JSONResponse(
            {
                "status": "ok",
                "version": version("harbour"),
                "artifact": os.environ.get("PRATIQUE_ARTIFACT_DIGEST", ""),
            }
        )

    async def ships(_: Request) -> JSONResponse:
        return JSONResponse(register.ships())

    async def arrive(request: Request) -> JSONResponse:
        try:
            body = await request.json()
            ship = register.arrive(body.get("imo"), body.get("name"))
        except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
            return JSONResponse({"error": "the body must be a JSON object"}, status_code=400)
        except RegisterError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"imo": ship.imo, "cleared": ship.cleared}, status_code=201)

    async def clear(request: Request) -> JSONResponse:
        try:
            ship = register.clear(request.path_params["imo"])
        except KeyError:
            return JSONResponse({"error": "no such ship in port"}, status_code=404)
        return JSONResponse({"imo": ship.imo, "cleared": ship.cleared})

    return Starlette(
        routes=[
            Route("/healthz", health),
            Route("/ships", ships, methods=["GET"]),
            Route("/ships", arrive, methods=["POST"]),
            Route("/ships/{imo}/pratique", clear, methods=["POST"]),
        ]
    )
