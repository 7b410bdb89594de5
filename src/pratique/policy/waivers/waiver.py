"""The waiver predicate: a named person accepts one violation, for a reason and for a while.

Implements docs/spec/waiver.md. What the statement is about, who signed it and whether that person may waive
are judged by `waivers.judge`; here is what a waiver says, and which findings it speaks of.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.digest import Digest, parse_digest
from pratique.policy.decision import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.decision import Finding

ANY_ARTIFACT: Final = "any"
CLOCK_SKEW: Final = timedelta(minutes=5)
ENGINE_ERROR: Final = "engine.error"
_TRUST_LAYER: Final = ("evidence.", "waivers.")

Severity = Literal["critical", "high", "medium", "low"]
_GRAVEST_FIRST: Final = get_args(Severity)
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Terms = Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1, max_length=64)]


class Scope(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What is waived, exactly: nothing in it is a pattern.

    Attributes:
        code: the violation's code.
        artifact: the artifact's digest, or the word `any` for whichever the policy refuses so.
        term: the violation's whole term.
        purl: a package URL that has to be in the violation's term, whatever else is.
    """

    code: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\Z", max_length=200)]
    artifact: Annotated[str, msgspec.Meta(pattern=r"^(any|sha256:[0-9a-f]{64})\Z")]
    term: _Terms | None = None
    purl: Annotated[str, msgspec.Meta(pattern=r"^pkg:", max_length=1024)] | None = None

    def matches(self, code: str, term: tuple[str, ...]) -> bool:
        """Say whether a violation is the one meant; without term and purl, it is the one without a term."""
        if code != self.code or (self.purl is not None and self.purl not in term):
            return False
        if self.term is None and self.purl is not None:
            return True
        return term == (self.term or ())


class Waiver(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What a person signs to accept a violation.

    Attributes:
        person: the name they are enrolled under.
        scope: which violation.
        reason: why it is acceptable, for whoever reads the decision.
        waived_at: when they say they accepted it.
        not_after: the last moment at which the waiver counts.
        ticket: where the cure is being worked on.
        severity_limit: the gravest severity that is accepted; what becomes graver is not covered.
    """

    person: _Text
    scope: Scope
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    waived_at: _Moment
    not_after: _Moment
    ticket: _Text | None = None
    severity_limit: Severity | None = None

    def covers(self, finding: Finding) -> bool:
        """Say whether a finding is a violation, or one waived before, that this waiver speaks of."""
        if finding.status not in {Status.VIOLATION, Status.WAIVED} or not waivable(finding.code):
            return False
        if self.severity_limit and _place(finding.severity) < _place(self.severity_limit):
            return False
        return self.scope.matches(finding.code, finding.term)

    def to_predicate(self) -> dict[str, Any]:
        """Give the predicate's JSON object."""
        plain: dict[str, Any] = json.loads(msgspec.json.encode(self))
        return plain | {"waivedAt": format_time(self.waived_at), "notAfter": format_time(self.not_after)}


def waivable(code: str) -> bool:
    """Say whether people may waive a code: never the trust layer's own verdicts, nor an engine's error."""
    return code != ENGINE_ERROR and not code.startswith(_TRUST_LAYER)


def _place(severity: str) -> int:
    """Say how many severities are graver; one that nobody states counts as the gravest."""
    return _GRAVEST_FIRST.index(severity if severity in _GRAVEST_FIRST else "critical")


def due_subject(waiver: Waiver, policy: Digest) -> Digest:
    """Give what the waiver's statement has to be about: its artifact, or for any artifact the policy."""
    return policy if waiver.scope.artifact == ANY_ARTIFACT else parse_digest(waiver.scope.artifact)


def parse_waiver(predicate: Mapping[str, Any]) -> Waiver:
    """Type a waiver predicate.

    A field we do not know might be a condition the person set, so it is refused rather than ignored. So is
    text that could not be shown on one line as it is.

    Raises:
        MalformedError: not a waiver.
    """
    try:
        waiver = msgspec.convert(predicate, Waiver)
    except msgspec.ValidationError as error:
        raise MalformedError(f"waiver: {error}") from error
    for name, text in (
        ("person", waiver.person),
        ("reason", waiver.reason),
        ("ticket", waiver.ticket or "-"),
    ):
        if not text.isprintable() or not text.strip():
            raise MalformedError(f"waiver: its {name} is blank, or not one line of printable text")
    if not waivable(waiver.scope.code):
        raise MalformedError(f"waiver: {waiver.scope.code} cannot be waived by anybody")
    if waiver.not_after <= waiver.waived_at:
        raise MalformedError(f"waiver of {waiver.person}: it ends before it begins")
    return waiver
