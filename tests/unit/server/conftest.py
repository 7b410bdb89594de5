"""A service without sockets: its routes are called as functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from oidc_issuer import Issuer
from serving_desk import Desk

from pratique.model.clock import system_clock
from pratique.server.config import Settings, parse_settings
from pratique.server.run import serving
from pratique.trust.authority.init import initialise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer("https://issuer.example.org")


@pytest.fixture
def configuration() -> dict[str, Any]:
    return {
        "plain": True,
        "issuers": [{"url": "https://issuer.example.org", "type": "email", "jwks": "jwks.json"}],
    }


@pytest.fixture
def desk(tmp_path: Path, issuer: Issuer, configuration: dict[str, Any]) -> Iterator[Desk]:
    initialise(tmp_path / "home" / "trust", trust_domain="log.example.org", clock=system_clock)
    (tmp_path / "jwks.json").write_text(json.dumps(issuer.jwks()))
    settings = Settings(tmp_path, parse_settings(configuration, what="serve.toml"))
    with serving(tmp_path / "home", settings, clock=system_clock) as service:
        yield Desk(service, issuer)
