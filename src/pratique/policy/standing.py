"""The trust layer's verdict: which evidence stands, which is set aside and why, and what is still owed.

Pure. For each predicate type that some role may sign:

1. evidence counts only if its signer may sign that type, it is about the artifact, it was signed no later
   than the effective time, and it is not older than the requirement allows;
2. of one identity's statements only the newest stands, so a newer negative result cannot be hidden behind an
   older positive one; different identities' statements all stand, so one's approval cannot outvote another's
   objection;
3. a requirement is met by as many *distinct identities* as its threshold says.

Two types are about a build rather than about bytes alone, and must belong to a provenance that stands: the
runner's posture (its digest is among the provenance's byproducts, its subject is the build definition) and
the rebuild (it names the artifact as its original, and the same build definition).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.digest import Digest, parse_digest_set, sha256_bytes
from pratique.model.predicate import WAIVER, short_name
from pratique.model.strict_json import canonical_json
from pratique.policy.evidence import Evidence, GateInput  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pratique.policy.requirements import Requirement, Requirements

_Builds = dict[Digest, tuple[set[Digest], Digest]]
"""Of each provenance that stands: the posture evidence it names, and the digest of its build definition."""
_DEFINITION = ("buildType", "externalParameters", "internalParameters", "resolvedDependencies")
_LISTED = 3


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """Verified evidence that does not count, and why, in a sentence."""

    evidence: Evidence
    reason: str


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement that is not met.

    Attributes:
        short: the predicate's short name.
        message: what is missing, and what was there instead.
        command: what makes it.
        evidence: what was looked at and set aside.
    """

    short: str
    message: str
    command: str
    evidence: tuple[Digest, ...]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What the trust layer makes of the evidence.

    Attributes:
        standing: by predicate short name, the newest statement of each accepted identity, newest first.
        set_aside: in the order of the input document.
        owed: requirements not met, in the order of their names.
        met: short names of the requirements that are met.
        definitions: by the digest of each provenance that stands, the digest of its build definition.
    """

    standing: dict[str, tuple[Evidence, ...]]
    set_aside: tuple[SetAside, ...]
    owed: tuple[Owed, ...]
    met: tuple[str, ...]
    definitions: dict[Digest, Digest]


def definition_digest(provenance: dict[str, Any]) -> Digest | None:
    """Digest the build definition of an SLSA provenance v1; None where it has no such shape.

    SHA-256 over the four members of `buildDefinition` under RFC 8785: equal digests mean equal builds.
    """
    definition = provenance.get("buildDefinition")
    if not isinstance(definition, dict) or not all(name in definition for name in _DEFINITION):
        return None
    return sha256_bytes(canonical_json({name: definition[name] for name in _DEFINITION}))


def assess(gate_input: GateInput, requirements: Requirements) -> Assessment:
    """Judge all evidence against the requirements; see the module's rules."""
    sorter = _Sorter(gate_input, requirements)
    by_type: dict[str, list[Evidence]] = {}
    for item in sorted(gate_input.evidence, key=lambda item: item.digest):
        # Waivers are for `waivers.judge` to judge: they meet no requirement, and no rule sees them.
        if item.predicate_type != WAIVER:
            by_type.setdefault(short_name(item.predicate_type), []).append(item)
    standing: dict[str, tuple[Evidence, ...]] = {"provenance": sorter.sort("provenance", by_type)}
    sorter.builds = {
        item.digest: (_byproducts(item.predicate, "runner-posture"), found)
        for item in standing["provenance"]
        if (found := definition_digest(item.predicate))
    }
    for short in sorted(by_type):
        if short != "provenance":
            standing[short] = sorter.sort(short, by_type)
    owed = [
        missing
        for short, requirement in sorted(requirements.require.items())
        if (missing := _missing(short, requirement, standing.get(short, ()), sorter.set_aside, requirements))
    ]
    unmet = {item.short for item in owed}
    return Assessment(
        standing={short: items for short, items in sorted(standing.items()) if items},
        set_aside=tuple(sorted(sorter.set_aside, key=lambda item: item.evidence.digest)),
        owed=tuple(owed),
        met=tuple(short for short in sorted(requirements.require) if short not in unmet),
        definitions={digest: definition for digest, (_, definition) in sorter.builds.items()},
    )


class _Sorter:
    """Sorts evidence into what stands and what is set aside."""

    def __init__(self, gate_input: GateInput, requirements: Requirements) -> None:
        self.gate_input = gate_input
        self.requirements = requirements
        self.set_aside: list[SetAside] = []
        self.builds: _Builds = {}

    def sort(self, short: str, by_type: dict[str, list[Evidence]]) -> tuple[Evidence, ...]:
        """Give the newest countable statement of each identity, newest first."""
        newest: dict[str, Evidence] = {}
        for item in sorted(by_type.get(short, ()), key=lambda item: item.age_order, reverse=True):
            reason = self._objection(short, item)
            if not reason and item.signer in newest:
                reason = f"is superseded by the newer {newest[item.signer].digest.short} of the same signer"
            if reason:
                self.set_aside.append(
                    SetAside(evidence=item, reason=f"{short} evidence {item.digest.short} {reason}")
                )
            else:
                newest[item.signer] = item
        return tuple(newest.values())

    def _objection(self, short: str, item: Evidence) -> str:
        requirements, now = self.requirements, self.gate_input.effective_time
        if not requirements.may_sign(item.signer, item.signer_kind, short):
            allowed = _listing(requirements.roles_for(short)) or "no role"
            held = requirements.roles_of(item.signer, item.signer_kind)
            role = f" (role {_listing(held)})" if held else ""
            return f"is signed by {item.signer}{role}, who may not sign {short} evidence; {allowed} may"
        if item.signed_at > now:
            return f"was signed at {format_time(item.signed_at)}, after the effective time {format_time(now)}"
        required = requirements.require.get(short)
        days = required.max_age_days if required else None
        if days is not None and now - item.signed_at > timedelta(days=days):
            return f"was signed at {format_time(item.signed_at)}, more than {days} days ago"
        if short == "runner-posture":
            return _posture_objection(item, self.builds)
        if self.gate_input.subject not in item.subjects:
            return f"is about {_listing(item.subjects) or 'nothing'}, not about this artifact"
        return _rebuild_objection(item, self.gate_input.subject, self.builds) if short == "rebuild" else ""


def _posture_objection(item: Evidence, builds: _Builds) -> str:
    naming = {digest: definition for digest, (named, definition) in builds.items() if item.digest in named}
    if any(definition in item.subjects for definition in naming.values()):
        return ""
    if naming:
        first = min(naming)
        return f"is about another build definition than provenance {first.short}, which names it"
    return "is not the posture that an accepted provenance names among its byproducts"


def _rebuild_objection(item: Evidence, subject: Digest, builds: _Builds) -> str:
    original = item.predicate.get("original")
    if not isinstance(original, dict) or _digest(original.get("digest")) != subject:
        return "rebuilt something else: its original is not this artifact"
    definitions = {str(definition) for _, definition in builds.values()}
    if _definition_text(item.predicate.get("definitionDigest")) not in definitions:
        return "repeated a build definition that no accepted provenance of this artifact has"
    return ""


def _byproducts(provenance: dict[str, Any], name: str) -> set[Digest]:
    details = provenance.get("runDetails")
    listed = details.get("byproducts") if isinstance(details, dict) else None
    return {
        digest
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and entry.get("name") == name and (digest := _digest(entry.get("digest")))
    }


def _digest(value: object) -> Digest | None:
    try:
        return parse_digest_set(value)
    except MalformedError:
        return None


def _definition_text(value: object) -> str:
    """Read a definition digest written as `sha256:…` or as a digest set."""
    if isinstance(value, str):
        return value
    return str(_digest(value) or "")


def _missing(
    short: str,
    requirement: Requirement,
    standing: Sequence[Evidence],
    set_aside: Sequence[SetAside],
    requirements: Requirements,
) -> Owed | None:
    """Say what a requirement lacks; `standing` holds one statement per identity."""
    if len(standing) >= requirement.threshold:
        return None
    roles = _listing(requirements.roles_for(short))
    message = f"no accepted {short} evidence; {roles} may sign it"
    if requirement.threshold > 1:
        signed = _listing(item.signer for item in standing) or "nobody"
        message = (
            f"{short} evidence of {requirement.threshold} distinct identities is required; {signed} signed"
            f" ({roles} may)"
        )
    instead = [item for item in set_aside if short_name(item.evidence.predicate_type) == short]
    reasons = [item.reason for item in instead[:_LISTED]]
    if len(instead) > _LISTED:
        reasons.append(f"{len(instead) - _LISTED} more were set aside")
    return Owed(
        short=short,
        message="; ".join([message, *reasons]),
        command=requirement.command,
        evidence=tuple(item.evidence.digest for item in instead),
    )


def _listing(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)
