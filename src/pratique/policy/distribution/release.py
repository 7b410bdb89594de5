"""The predicate `policy-release/v1`: that a policy is released under a name, and until when it may be used.

The statement's subject is the policy's digest, the one that every decision names. Specification:
docs/spec/policy-release.md.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.model.clock import format_time, parse_time

NOTICE: Final = timedelta(days=14)
"""How long before its end an expiry is announced."""
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*){0,4}\Z")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}\Z")
_MAX_NAME: Final = 128


class PolicyRelease(msgspec.Struct, frozen=True, kw_only=True):
    """What a release says of a policy.

    Attributes:
        name: what the policy is called, such as `acme/base`.
        version: of its publisher's own counting; nothing is read into its order.
        expires: after this moment the policy decides nothing any more.
    """

    name: str
    version: str
    expires: datetime

    def to_predicate(self) -> dict[str, Any]:
        """Give the statement's predicate."""
        return {"name": self.name, "version": self.version, "expires": format_time(self.expires)}

    def check_in_force(self, at: datetime) -> None:
        """Refuse a release whose time is over.

        Raises:
            EvidenceInvalidError: it expired before `at`.
        """
        if at > self.expires:
            raise EvidenceInvalidError(
                f"policy {self.name} {self.version} expired at {format_time(self.expires)}",
                hint="use its publisher's next release; who publishes it: pratique policy bundle",
            )

    def notice(self, at: datetime) -> str:
        """Say so when the end is near; nothing otherwise."""
        left = self.expires - at
        if left > NOTICE:
            return ""
        return (
            f"policy {self.name} {self.version} expires in {left.days} days, at {format_time(self.expires)};"
            " nothing passes afterwards"
        )


def parse_release(predicate: dict[str, Any]) -> PolicyRelease:
    """Read a predicate; unknown fields are refused, since one might be a condition.

    Raises:
        MalformedError: not the predicate of a policy release.
    """
    what = "policy release"
    if predicate.keys() != {"name", "version", "expires"}:
        raise MalformedError(f"{what}: its fields are {', '.join(sorted(predicate))[:200] or 'none'}")
    if not all(isinstance(value, str) for value in predicate.values()):
        raise MalformedError(f"{what}: a field that is not text")
    if not _NAME.match(predicate["name"]) or len(predicate["name"]) > _MAX_NAME:
        raise MalformedError(
            f"{what}: {predicate['name'][:80]!r} is no name",
            hint="lower-case words, with '/' between at most five of them, such as acme/base",
        )
    if not _VERSION.match(predicate["version"]):
        raise MalformedError(f"{what}: {predicate['version'][:80]!r} is no version")
    return PolicyRelease(
        name=predicate["name"], version=predicate["version"], expires=parse_time(predicate["expires"])
    )
