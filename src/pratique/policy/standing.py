"""The trust layer's verdict: which evidence stands, which is set aside and why, and what is still owed.

Pure. For each predicate type that some role may sign:

1. evidence stands only if its signer may sign that type, it is about the artifact, and it was signed no later
   than the effective time;
2. of one identity's statements only the newest stands, so a newer negative result cannot be hidden behind an
   older positive one; different identities' statements all stand, so one's approval cannot outvote another's
   objection;
3. what a requirement expects of the content has to hold for everything that stands; then the requirement is
   met by as many *distinct* identities, keys or people as its threshold says, whose evidence is not older
   than it allows. Older evidence still stands: what speaks against an artifact does not age.

Three types are about a build rather than about bytes alone, and must belong to a provenance that stands: the
runner's posture and the TEE result (named among the provenance's byproducts, about its build definition, of
its invocation) and the rebuild (it names the artifact as its original, and the same build definition).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.digest import Digest, parse_digest_set
from pratique.model.predicate import WAIVER, short_name
from pratique.policy.build_facts import build_level, byproducts, definition_digest, invocation_id
from pratique.policy.evidence import Evidence, GateInput  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.owed import Circumstances, Owed, missing
from pratique.policy.witnessed import witnessed_size
from pratique.trust.pattern import IdentityPattern, own_issuer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.policy.requirements import Requirements
    from pratique.trust.identity import Identity

OF_THE_BUILD: Final = ("runner-posture", "tee-result")
"""Predicates that a provenance names among its byproducts, under these names."""


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """Verified evidence that does not count, and why, in a sentence."""

    evidence: Evidence
    reason: str


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What the trust layer makes of the evidence.

    Attributes:
        standing: by predicate short name, the newest statement of each accepted identity, newest first.
        set_aside: in the order of the input document.
        owed: requirements not met, in the order of their labels.
        met: labels of the requirements that are met, with the predicate each is about.
        spared: labels of the requirements that are not about an artifact of this name.
        definitions: by the digest of each provenance that stands, the digest of its build definition.
        build_level: the SLSA build level that every provenance which stands reaches; 0 without one.
    """

    standing: dict[str, tuple[Evidence, ...]]
    set_aside: tuple[SetAside, ...]
    owed: tuple[Owed, ...]
    met: tuple[tuple[str, str], ...]
    spared: tuple[str, ...]
    definitions: dict[Digest, Digest]
    build_level: int


class _Build(msgspec.Struct, frozen=True):
    """What a provenance that stands says of its build."""

    definition: Digest
    invocation: str
    named: dict[str, frozenset[Digest]]


_Builds = dict[Digest, _Build]


def assess(gate_input: GateInput, requirements: Requirements) -> Assessment:
    """Judge all evidence against the requirements; see the module's rules."""
    sorter = _Sorter(gate_input, requirements)
    by_type: dict[str, list[Evidence]] = {}
    for item in sorted(gate_input.evidence, key=lambda item: item.digest):
        # Waivers are for `waivers.judge` to judge: they meet no requirement, and no rule sees them.
        if item.predicate_type != WAIVER:
            by_type.setdefault(short_name(item.predicate_type), []).append(item)
    built = sorter.sort("provenance", by_type)
    sorter.builds = {item.digest: build for item in built if (build := _build(item))}
    standing = {"provenance": built} | {
        short: sorter.sort(short, by_type) for short in sorted(by_type) if short != "provenance"
    }
    theirs = [item for items in standing.values() for item in items if item.root]
    known = [*built, *theirs]
    names = {name for item in known for name in item.names} | {gate_input.name}
    due = {
        label: requirement
        for label, requirement in sorted(requirements.require.items())
        if not known or requirement.applies_to(names)  # of what nobody knows, everything is asked
    }
    circumstances = Circumstances(
        now=gate_input.effective_time,
        people=gate_input.people,
        builders=frozenset(item.identity for item in built),
        set_aside=tuple((item.evidence, item.reason) for item in sorter.set_aside),
    )
    owed = {
        label: found
        for label, requirement in due.items()
        if (
            found := missing(
                label, requirement, standing.get(requirement.predicate, ()), circumstances, requirements
            )
        )
    }
    nothing = () if due else (_nothing_owed(names),)
    return Assessment(
        standing={short: items for short, items in sorted(standing.items()) if items},
        set_aside=tuple(sorted(sorter.set_aside, key=lambda item: item.evidence.digest)),
        owed=(*owed.values(), *nothing),
        met=tuple((label, item.predicate) for label, item in due.items() if label not in owed),
        spared=tuple(sorted(requirements.require.keys() - due.keys())),
        definitions={digest: build.definition for digest, build in sorter.builds.items()},
        build_level=min((build_level(item, requirements.vouch) for item in built), default=0),
    )


class _Sorter:
    """Sorts evidence into what stands and what is set aside."""

    def __init__(self, gate_input: GateInput, requirements: Requirements) -> None:
        self.gate_input = gate_input
        self.requirements = requirements
        rule = requirements.witnesses
        self.witnessed = None if rule is None else (rule.threshold, witnessed_size(rule, gate_input.cosigned))
        self.set_aside: list[SetAside] = []
        self.builds: _Builds = {}

    def sort(self, short: str, by_type: dict[str, list[Evidence]]) -> tuple[Evidence, ...]:
        """Give the newest countable statement of each identity, newest first."""
        newest: dict[Identity, Evidence] = {}
        for item in sorted(by_type.get(short, ()), key=lambda item: item.age_order, reverse=True):
            reason = self._objection(short, item)
            if not reason and (newer := newest.get(item.identity)):
                reason = f"is superseded by the newer {newer.digest.short} of the same signer"
            if reason:
                self.set_aside.append(
                    SetAside(evidence=item, reason=f"{short} evidence {item.digest.short} {reason}")
                )
            else:
                newest[item.identity] = item
        return tuple(newest.values())

    def _objection(self, short: str, item: Evidence) -> str:
        requirements, now = self.requirements, self.gate_input.effective_time
        if not requirements.may_sign(item.identity, short):
            allowed = _listing(requirements.roles_for(short)) or "no role"
            held = requirements.roles_of(item.identity)
            role = f" (role {_listing(held)})" if held else ""
            return (
                f"is signed by {signer_shown(item)}{role}, who may not sign {short} evidence; {allowed} may"
            )
        if objection := _root_objection(item, requirements):
            return objection
        if item.signed_at > now:
            return f"was signed at {format_time(item.signed_at)}, after the effective time {format_time(now)}"
        threshold, seen = self.witnessed or (None, None)
        if seen is not None and item.log_index >= seen:
            return (
                f"is entry {item.log_index} of the log, of which the {threshold} witnesses that it takes"
                f" have cosigned {seen} entries; ask them: pratique log collect"
            )
        return self._placed(short, item)

    def _placed(self, short: str, item: Evidence) -> str:
        """Say why evidence is not about this artifact, or of none of its builds."""
        if short in OF_THE_BUILD:
            return _build_objection(short, item, self.builds)
        if self.gate_input.subject not in item.subjects:
            return f"is about {_listing(item.subjects) or 'nothing'}, not about this artifact"
        return _rebuild_objection(item, self.gate_input.subject, self.builds) if short == "rebuild" else ""


def _root_objection(item: Evidence, requirements: Requirements) -> str:
    pinned = requirements.roots.get(item.root)
    if pinned is None or f"sha256:{item.root_digest}" in pinned:
        return ""
    return (
        f"was verified under root {item.root} sha256:{item.root_digest[:12]}, which is none of the"
        f" {len(pinned)} that the policy takes for it"
    )


def signer_shown(item: Evidence) -> str:
    """Name a signer as a pattern would: without an issuer that is of its own trust domain."""
    identity = item.identity
    own = not identity.root and own_issuer(identity)
    return str(
        IdentityPattern(identity.kind, identity.subject, "" if own else identity.issuer, identity.root)
    )


def _build(item: Evidence) -> _Build | None:
    definition = definition_digest(item.predicate)
    if definition is None:
        return None
    named = {name: byproducts(item.predicate, name) for name in OF_THE_BUILD}
    return _Build(definition, invocation_id(item.predicate), named)


def _build_objection(short: str, item: Evidence, builds: _Builds) -> str:
    """Say why evidence of the build does not belong to a provenance that stands (docs/spec, each page)."""
    what = {"runner-posture": "posture", "tee-result": "TEE result"}[short]
    naming = {digest: build for digest, build in builds.items() if item.digest in build.named[short]}
    if not naming:
        return f"is not the {what} that an accepted provenance names among its byproducts"
    same = [build for build in naming.values() if build.definition in item.subjects]
    if not same:
        return f"is about another build definition than provenance {min(naming).short}, which names it"
    invocation = _invocation_of(short, item.predicate)
    if not invocation or all(build.invocation != invocation for build in same):
        return f"is of another invocation than provenance {min(naming).short}, which names it"
    return ""


def _invocation_of(short: str, predicate: dict[str, Any]) -> object:
    bound = predicate.get("bound") if short == "tee-result" else predicate
    return bound.get("invocationId") if isinstance(bound, dict) else None


def _rebuild_objection(item: Evidence, subject: Digest, builds: _Builds) -> str:
    original = item.predicate.get("original")
    if not isinstance(original, dict) or _digest(original.get("digest")) != subject:
        return "rebuilt something else: its original is not this artifact"
    definitions = {str(build.definition) for build in builds.values()}
    if _definition_text(item.predicate.get("definitionDigest")) not in definitions:
        return "repeated a build definition that no accepted provenance of this artifact has"
    return ""


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


def _nothing_owed(names: Iterable[str]) -> Owed:
    return Owed(
        label="artifact",
        message=f"nothing is required of an artifact called {_listing(sorted(names))}: nothing was checked",
        command="a requirement in trust.toml that is about it (artifacts)",
        evidence=(),
    )


def _listing(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)
