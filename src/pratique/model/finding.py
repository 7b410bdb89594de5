"""Findings: one observation by one check, in the words every room and every report shares."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Result(StrEnum):
    """What a check came to. A check that could not run is `UNKNOWN`, never `PASS`."""

    PASS = "pass"  # noqa: S105 - a result, not a password
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much a finding matters, in the order of `rank`."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """0 is the gravest; an unknown severity ranks with high, as nothing says it is less."""
        return {"critical": 0, "high": 1, "unknown": 1, "medium": 2, "low": 3}[self.value]


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One observation.

    Attributes:
        id: stable id, with a section of that name in the docs.
        result: see `Result`.
        severity: how much it matters here, in this context.
        title: what was looked at, in one line.
        detail: what was seen; never a secret.
        location: file, package URL or setting that it is about.
        fix: what to do, as a command where there is one.
    """

    id: str
    result: Result
    severity: Severity
    title: str
    detail: str = ""
    location: str = ""
    fix: str = ""
