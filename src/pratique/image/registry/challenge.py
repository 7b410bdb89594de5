"""Answering a registry that asks who is there: a password, or a token that a token service gives for it.

distribution: docs/content/spec/auth/token.md and oauth.md; RFC 7617, RFC 6750.
"""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urljoin

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.image.registry.http import Reply

    Ask = Callable[[str, str, Mapping[str, str], bytes | None], Reply]

_MAX_TOKEN_BYTES: Final = 1 << 20
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")
_HINT: Final = "log in with a tool that keeps passwords for containers: docker login, skopeo login"


class Credentials(msgspec.Struct, frozen=True):
    """Who asks; never shown.

    Attributes:
        user: empty with an identity token.
        password: or a token that is used like one.
        identity_token: an OAuth 2 refresh token, as credential helpers give them.
    """

    user: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, …)"

    @property
    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def answer_challenge(
    challenge: str, scopes: tuple[str, ...], credentials: Credentials | None, *, base: str, ask: Ask
) -> str:
    """Give the Authorization header that answers a challenge.

    Args:
        challenge: the WWW-Authenticate header.
        scopes: what a token must allow.
        credentials: None to ask as nobody.
        base: the registry's URL.
        ask: makes a request: method, URL, headers, body. Refuses a URL without TLS, as the realm is the
            registry's to name.

    Raises:
        UsageError: the registry wants credentials, or other ones.
        MalformedError: the token service's answer is none.
        InfrastructureError: no answer.
    """
    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic" and credentials and credentials.user:
        return credentials.basic
    if kind.lower() != "bearer":
        raise UsageError(f"{base}: the registry wants to know who asks", hint=_HINT)
    parameters = dict(_PARAMETER.findall(rest))
    realm = urljoin(f"{base}/", parameters.get("realm", ""))
    wanted = [("service", parameters.get("service", ""))]
    if credentials and credentials.identity_token:
        grant = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "client_id": "pratique",
            "scope": " ".join(scopes),
            **dict(wanted),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = ask("POST", realm, headers, urlencode(grant).encode())
    else:
        query = urlencode([*wanted, *(("scope", scope) for scope in scopes)])
        headers = {"Authorization": credentials.basic} if credentials else {}
        reply = ask("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", headers, None)
    with reply:
        if reply.status != HTTPStatus.OK:
            raise UsageError(f"{base}: the registry gives no token: HTTP {reply.status}", hint=_HINT)
        answer = parse_json_object(reply.whole(_MAX_TOKEN_BYTES), what=f"token from {base}")
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise MalformedError(f"{base}: the token service's answer has no token")
    return f"Bearer {token}"
