"""What a requirement expects of evidence's content, beyond that it is there: typed, and judged in Python.

Each expectation is a table `expect` of its requirement, with a type per predicate. It has to hold for *every*
statement that stands: one rebuilder's consent does not outvote another's objection. What a statement does not
say is not met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import parse_digest, parse_digest_set
from pratique.policy.build_facts import build_level, builder_id, source_of
from pratique.policy.settings import nearest, typed
from pratique.policy.strictness import HIGHER, SUBSET
from pratique.trust.pattern import check_glob, check_url_glob, matches_glob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.policy.build_facts import Vouch
    from pratique.policy.evidence import Evidence

Level = Annotated[int, msgspec.Meta(ge=1, le=3)]
Names = Annotated[tuple[str, ...] | None, SUBSET]


class ProvenanceExpectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of SLSA provenance v1.

    Attributes:
        builders: ids of the builders, URIs with `*` within a segment.
        build_types: build types, likewise.
        sources: repositories, as URLs without `git+` and revision, likewise.
        refs: git refs in full (`refs/heads/main`), likewise.
        min_level: SLSA build level that has to be reached; see `build_facts.build_level`.
    """

    builders: Names = None
    build_types: Names = None
    sources: Names = None
    refs: Names = None
    min_level: Annotated[Level | None, HIGHER] = None

    def check(self, what: str) -> None:
        """Refuse patterns that mean everybody."""
        for name, globs in (("builders", self.builders), ("sources", self.sources)):
            for glob in globs or ():
                check_url_glob(glob, what=f"{what}.{name}")
        for name, globs in (("build_types", self.build_types), ("refs", self.refs)):
            for glob in globs or ():
                check_glob(glob, what=f"{what}.{name}")

    def objection(self, item: Evidence, vouches: Sequence[Vouch]) -> str:
        """Say what is not as expected; empty if all is."""
        source = source_of(item.predicate)
        definition = item.predicate.get("buildDefinition")
        build_type = definition.get("buildType") if isinstance(definition, dict) else None
        for name, globs, seen in (
            ("builder", self.builders, builder_id(item.predicate)),
            ("build type", self.build_types, build_type if isinstance(build_type, str) else ""),
            ("source", self.sources, source.repository),
            ("ref", self.refs, source.ref),
        ):
            if globs is not None and not any(matches_glob(glob, seen) for glob in globs):
                return f"names {name} {seen or '(none)'}, where {_either(globs)} is expected"
        reached = build_level(item, vouches)
        if self.min_level is not None and reached < self.min_level:
            return f"reaches SLSA build level {reached}, where level {self.min_level} is expected"
        return ""


class RebuildExpectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a rebuild (docs/spec/rebuild.md).

    Attributes:
        verdicts: the verdicts that will do.
        min_varied: how many conditions at least the rebuild varied.
        independent: whether a rebuilder must be none of the identities that signed the provenance.
    """

    verdicts: Annotated[tuple[Literal["bit-identical", "different"], ...], SUBSET] = ("bit-identical",)
    min_varied: Annotated[Annotated[int, msgspec.Meta(ge=0)], HIGHER] = 0
    independent: Annotated[bool, HIGHER] = False

    def check(self, what: str) -> None:
        """Nothing in it is a pattern."""

    def objection(self, item: Evidence, vouches: Sequence[Vouch]) -> str:
        """Say what is not as expected; empty if all is."""
        del vouches
        verdict, varied = item.predicate.get("verdict"), item.predicate.get("varied")
        if verdict not in self.verdicts:
            return f"has the verdict {_shown(verdict)}, where {_either(self.verdicts)} is expected"
        count = len({str(one) for one in varied}) if isinstance(varied, list) else 0
        if count < self.min_varied:
            return f"varied {count} conditions, where {self.min_varied} are expected"
        return ""


class TeeResultExpectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a TEE attestation result (docs/spec/tee-result.md).

    Attributes:
        statuses: the verifier's verdicts that will do; `none` and `contraindicated` never do.
        claims: kinds of hardware evidence that will do.
        reference_values: digests of the reference values that it must have been compared with.
    """

    statuses: Annotated[tuple[Literal["affirming", "warning"], ...], SUBSET] = ("affirming",)
    claims: Names = None
    reference_values: Names = None

    def check(self, what: str) -> None:
        """Refuse what is no digest."""
        for text in self.reference_values or ():
            try:
                parse_digest(text)
            except MalformedError as error:
                raise ConfigError(f"{what}.reference_values: {error.message}") from error

    def objection(self, item: Evidence, vouches: Sequence[Vouch]) -> str:
        """Say what is not as expected; empty if all is."""
        del vouches
        status, claims = item.predicate.get("status"), item.predicate.get("claims")
        if status not in self.statuses:
            return f"has the status {_shown(status)}, where {_either(self.statuses)} is expected"
        if self.claims is not None and claims not in self.claims:
            return f"is about {_shown(claims)} evidence, where {_either(self.claims)} is expected"
        values = _digest_in(item.predicate.get("referenceValues"))
        if not values:
            return "names no reference values that the measurements were compared with"
        if self.reference_values is not None and values not in self.reference_values:
            return f"was compared with reference values {values}, which are not expected"
        return ""


Expectation = ProvenanceExpectation | RebuildExpectation | TeeResultExpectation

EXPECTATIONS: Final[dict[str, type[Expectation]]] = {
    "provenance": ProvenanceExpectation,
    "rebuild": RebuildExpectation,
    "tee-result": TeeResultExpectation,
}
KEYS: Final = sorted({key for kind in EXPECTATIONS.values() for key in kind.__struct_fields__})


def parse_expectation(short: str, table: Any, *, what: str) -> Expectation:
    """Type an `expect` table.

    Raises:
        ConfigError: nothing can be expected of that predicate; an unknown key; an empty list, which nothing
            could meet or which would be met by anything.
    """
    kind = EXPECTATIONS.get(short)
    if kind is None:
        raise ConfigError(
            f"{what}: of {short} evidence nothing more can be expected here: write a rule",
            hint=f"expectations are for {', '.join(EXPECTATIONS)}. {nearest(short, EXPECTATIONS)}",
        )
    found = typed(table, kind, what=what, known=kind.__struct_fields__)
    for name in kind.__struct_fields__:
        if getattr(found, name) == ():
            raise ConfigError(f"{what}.{name}: an empty list: name what is expected, or leave it out")
    found.check(what)
    return found


def _digest_in(value: object) -> str:
    try:
        return str(parse_digest_set(value.get("digest") if isinstance(value, dict) else None))
    except MalformedError:
        return ""


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)


def _shown(value: object) -> str:
    return value if isinstance(value, str) and value else "(none)"
