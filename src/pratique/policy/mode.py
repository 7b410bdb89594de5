"""How firmly a policy holds: what a denial leads to, and whose policies cannot be weakened."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Mode(StrEnum):
    """What `pratique gate` does about a denial; the strictest first.

    `enforce` stops, with exit code 1. `warn` says so loudly and exits with 0. `audit` records it and exits
    with 0. In each, the decision is `deny`, its VSA says FAILED, and nothing is approved or deployed on it: a
    mode is for pipelines that are being brought under a policy. What a single rule leads to is its level
    (`rule_data.Level`).
    """

    ENFORCE = "enforce"
    WARN = "warn"
    AUDIT = "audit"


class OrganisationUsed(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """An organisation's policy that holds here too.

    Attributes:
        name: the organisation's.
        digest: of its file.
        signed_by: who signed its release; empty for a plain file, which is unsigned and never ends.
        release: name and version of the release.
    """

    name: str
    digest: str
    signed_by: str = ""
    release: str = ""

    def __str__(self) -> str:
        how = f"{self.release}, signed by {self.signed_by}" if self.signed_by else "an unsigned file"
        return f"{self.name} ({how}, {self.digest})"
