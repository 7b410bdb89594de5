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
Level = Literal["deny", "warn", "off"]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
People = Annotated[int, msgspec.Meta(ge=1, le=20)]


class ProvenanceData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`provenance`: what counts as a build to rely on.

    Attributes:
        builders: builder ids accepted besides the identity that signed the provenance itself.
    """

    builders: tuple[str, ...] = ()


class RebuildData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rebuild`: warn when the rebuild varied fewer conditions than this."""

    min_varied: Count = 1


class SbomData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`sbom`: purls of components that may be there without being a locked input of the build."""

    unlocked: tuple[str, ...] = ()


class OpenDays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vulns.max_open_days`: by severity, how many days a vulnerability may have been public."""

    critical: Days = 7
    high: Days = 30
    medium: Days = 90
    low: Days = 180


class VulnsData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vulns`: what a scan must show.

    Attributes:
        threshold: the mildest severity that denies; milder ones warn. Unknown severity counts as high.
        max_database_age_days: older advisories at the effective time deny.
        max_epss: an EPSS probability, from 0 to 1, that is already too high.
        epss: probabilities by CVE, for findings of a scan that does not know them.
        max_open_days: how long a vulnerability may have been public.
    """

    threshold: Literal["critical", "high", "medium", "low"] = "high"
    max_database_age_days: Days = 90
    max_epss: Share = 0.1
    epss: dict[str, Share] = {}
    max_open_days: OpenDays = OpenDays()


class WaiversData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`waivers`: how many people it takes to waive a violation of each severity, and for how long at most.

    A severity that nobody states counts as critical.
    """

    critical: People = 2
    high: People = 1
    medium: People = 1
    low: People = 1
    max_days: Days = 90

    def quorum(self, severity: str) -> int:
        """Give how many people it takes for a severity."""
        return {"high": self.high, "medium": self.medium, "low": self.low}.get(severity, self.critical)


class RuleData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `data.rule_data`; `custom` is for a project's own rules and has no fixed shape.

    `levels` says what a finding of a code leads to, whatever the rule's set is called: `deny`, `warn`, or
    `off`, which is not judged and shows as skipped. A code without a level follows its set. Where `waivers`
    is absent or null, the policy admits none.
    """

    levels: dict[str, Level] = {}
    provenance: ProvenanceData = ProvenanceData()
    rebuild: RebuildData = RebuildData()
    sbom: SbomData = SbomData()
    vulns: VulnsData = VulnsData()
    waivers: WaiversData | None = None
    custom: dict[str, Any] = {}


_KINDS = (RuleData, ProvenanceData, RebuildData, SbomData, OpenDays, VulnsData, WaiversData)
_KEYS = sorted({key for kind in _KINDS for key in kind.__struct_fields__})


def parse_rule_data(table: dict[str, Any], *, what: str) -> RuleData:
    """Type rule data; what is left out takes its default.

    Raises:
        ConfigError: an unknown key, or a value that no rule understands.
    """
    return typed(table, RuleData, what=what, known=_KEYS)


def rule_data_table(data: RuleData) -> dict[str, Any]:
    """Give the plain table that `parse_rule_data` reads back; a policy without waivers has no such key."""
    table: dict[str, Any] = msgspec.to_builtins(data)
    if data.waivers is None:
        del table["waivers"]
    return table
