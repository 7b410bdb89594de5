from __future__ import annotations

from typing import Any

import pytest

from pratique.errors import ConfigError
from pratique.server.config import parse_settings

ISSUER = {"url": "https://issuer.example.org", "type": "email"}


def with_issuer(**change: Any) -> dict[str, Any]:
    return {"plain": True, "issuers": [{**ISSUER, **change}]}


def test_the_least_that_serves() -> None:
    assert parse_settings({"plain": True}, what="serve.toml").listen == "127.0.0.1:8443"
    parse_settings({"listen": "0.0.0.0:1", "tls": {"certificate": "c", "key": "k"}}, what="serve.toml")
    parse_settings({"listen": "unix:/run/x.sock", "plain": True}, what="serve.toml")
    parse_settings({"listen": "[::1]:1", "plain": True}, what="serve.toml")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "exactly one of"),
        ({"plain": True, "tls": {"certificate": "c", "key": "k"}}, "exactly one of"),
        ({"plain": True, "listen": "0.0.0.0:80"}, "in clear"),
        ({"plain": True, "listen": "example.org:80"}, "in clear"),
        ({"plain": True, "keys": []}, "nothing could be certified"),
        ({"plain": True, "keys": ["rsa"]}, "keys"),
        ({"plain": True, "limits": {"per_adress": 1}}, "per_adress"),
        ({"plain": True, "limits": {"per_address": -1}}, "limit"),
        ({"plain": True, "audit_seconds": 0}, "above 0"),
        (with_issuer(type="mail"), "no type 'mail'"),
        (with_issuer(url="http://issuer.example.org"), "https"),
        (with_issuer(url="https://"), "https"),
        (with_issuer(audience=""), "empty"),
        (with_issuer(algorithms=[]), "empty"),
        (with_issuer(algorithms=["none"]), "none"),
        (with_issuer(algorithms=["HS256"]), "HS256"),
        (with_issuer(type="uri"), "subject_domain"),
        (with_issuer(subject_domain="https://example.org"), "subject_domain"),
        (with_issuer(type="custom"), "subject template"),
        (with_issuer(type="custom", subject="https://ci/same"), "one and the same"),
        (with_issuer(type="custom", subject="https://ci/{a}{"), "brace"),
        (with_issuer(type="custom", subject="https://ci/{a}", extensions={"x": "{a}"}), "no extension 'x'"),
        (with_issuer(subject="https://ci/{a}"), "belong to type custom"),
        ({"plain": True, "issuers": [ISSUER, ISSUER]}, "twice"),
    ],
)
def test_what_cannot_be_served(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_settings(table, what="serve.toml")
