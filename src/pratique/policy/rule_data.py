"""Rule data: what the shipped rules read as `data.rule_data`, typed so that nothing can be misspelt.

In Rego a comparison with an undefined or mistyped value is silently undefined, and the rule with it; so
what the rules compare against is checked here, before any rule sees it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from pratique.policy.settings import typed

Days = Annotated[int, msgspec.Meta(ge=1, le=36500)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class PostureData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`posture`: what a critical runner check that failed leads to."""

    critical: Literal["deny", "warn"] = "deny"


class ProvenanceData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`provenance`: what counts as a build to rely on.

    Attributes:
        builders: builder ids accepted besides the identity that signed the provenance itself.
        dirty_source: what uncommitted changes in the source lead to.
    """

    builders: tuple[str, ...] = ()
    dirty_source: Literal["deny", "warn"] = "deny"


class RebuildData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rebuild`: warn when the rebuild varied fewer conditions than this."""

    min_varied: Count = 1


class SbomData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`sbom`: purls of components that may be there without being a locked input of the build."""

    unlocked: tuple[str, ...] = ()


class VulnsData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vulns`: what a scan must show.

    Attributes:
        threshold: the mildest severity that denies; milder ones warn. Unknown severity counts as high.
        max_database_age_days: older advisories at the effective time deny.
    """

    threshold: Literal["critical", "high", "medium", "low"] = "high"
    max_database_age_days: Days = 90


class RuleData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `data.rule_data`; `custom` is for a project's own rules and has no fixed shape."""

    posture: PostureData = PostureData()
    provenance: ProvenanceData = ProvenanceData()
    rebuild: RebuildData = RebuildData()
    sbom: SbomData = SbomData()
    vulns: VulnsData = VulnsData()
    custom: dict[str, Any] = {}


_KINDS = (RuleData, PostureData, ProvenanceData, RebuildData, SbomData, VulnsData)
_KEYS = sorted({key for kind in _KINDS for key in kind.__struct_fields__})


def parse_rule_data(table: dict[str, Any], *, what: str) -> RuleData:
    """Type rule data; what is left out takes its default.

    Raises:
        ConfigError: an unknown key, or a value that no rule understands.
    """
    return typed(table, RuleData, what=what, known=_KEYS)
