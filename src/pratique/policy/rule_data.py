"""Rule data: what the shipped rules read as `data.rule_data`, typed so that nothing can be misspelt.

In Rego a comparison with an undefined or mistyped value is silently undefined, and the rule with it; so
what the rules compare against is checked here, before any rule sees it. Each value says which way it becomes
stricter (`strictness`); one that says nothing cannot be changed below an organisation that sets it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from pratique.errors import ConfigError
from pratique.policy.settings import typed
from pratique.policy.strictness import ALLOWED, HIGHER, LOWER, SUBSET, SUPERSET, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPECIAL: Final = re.compile(r"[?\[\]{}\\]")
"""What a glob has besides `*`; engines differ in it (docs/policy.md)."""
Days = Annotated[int, msgspec.Meta(ge=1, le=36500)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Level = Literal["deny", "warn", "off"]
Severity = Literal["critical", "high", "medium", "low"]
_SEVERITIES = in_order("critical", "high", "medium", "low")
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")]
ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
People = Annotated[int, msgspec.Meta(ge=1, le=20)]


class PostureData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`posture`: how many percent of the runner checks may have come to unknown."""

    max_unknown: Annotated[Percent, LOWER] = 25


class ProvenanceData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`provenance`: what counts as a build to rely on.

    Attributes:
        builders: builder ids accepted besides the identity that signed the provenance itself.
        sources: patterns of source URIs; none means that any will do.
    """

    builders: Annotated[tuple[str, ...], SUBSET] = ()
    sources: Annotated[tuple[str, ...], ALLOWED] = ()


class SlsaData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`slsa`: the build level that is asked for.

    Attributes:
        level: of SLSA 1.2's build track.
        isolation: classes of isolation, as provenance by pratique records them, that keep builds apart.
    """

    level: Annotated[Literal[0, 1, 2, 3], HIGHER] = 1
    isolation: Annotated[tuple[str, ...], SUBSET] = ("namespaces",)


class RebuildData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rebuild`: warn when the rebuild varied fewer conditions than this."""

    min_varied: Annotated[Count, HIGHER] = 1


class SbomCoverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`sbom.coverage`: how many percent of the components must have each minimum element."""

    versions: Annotated[Percent, HIGHER] = 100
    identifiers: Annotated[Percent, HIGHER] = 100
    producers: Annotated[Percent, HIGHER] = 100
    hashes: Annotated[Percent, HIGHER] = 100
    licences: Annotated[Percent, HIGHER] = 100
    dependencies: Annotated[Percent, HIGHER] = 100


class SbomData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`sbom`: what a bill of materials must hold.

    Attributes:
        unlocked: purls of components that may be there without being a locked input of the build.
        spec_versions: versions of CycloneDX that are current enough.
        coverage: see `SbomCoverage`.
    """

    unlocked: Annotated[tuple[str, ...], SUBSET] = ()
    spec_versions: Annotated[tuple[str, ...], SUBSET] = ("1.5", "1.6", "1.7")
    coverage: SbomCoverage = SbomCoverage()


class LicencesData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`licences`: SPDX ids, or `id WITH exception` whole.

    Attributes:
        refused: under which nothing may be.
        allowed: under which everything must be; none means that all are allowed that are not refused.
    """

    refused: Annotated[tuple[str, ...], SUPERSET] = ()
    allowed: Annotated[tuple[str, ...], ALLOWED] = ()


class ChecksData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`checks`: test-results by tools.

    Attributes:
        required: kinds of check that must be there.
        tools: by kind, patterns of the tools' uris or names that count to it.
    """

    required: Annotated[tuple[str, ...], SUPERSET] = ()
    tools: dict[str, tuple[str, ...]] = {}


class ImageData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`image`: what an image check must show.

    Attributes:
        threshold: the mildest severity of a failed rule that is a finding.
        bases: digests, or patterns of names, of expected base images; none means that any will do.
        scratch: whether an image without a base is expected, too.
    """

    threshold: Annotated[Severity, _SEVERITIES] = "high"
    bases: Annotated[tuple[str, ...], ALLOWED] = ()
    scratch: Annotated[bool, LOWER] = True


class DependenciesData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`dependencies`: patterns are of package URLs, `*` stands for any text.

    Attributes:
        sources: patterns of what may be used; none means that anything may.
        registries: patterns of other registries' addresses that a package URL may name.
        forbidden: patterns of what may not be used.
        known: package URLs, without version, of what was there before.
        popular: by package URL type, names that others imitate.
        min_age_days: how long a new component must have been public; 0 does not ask.
        published: RFC 3339 times of publication by package URL, where the bill of materials has none.
    """

    sources: Annotated[tuple[str, ...], ALLOWED] = ()
    registries: Annotated[tuple[str, ...], SUBSET] = ()
    forbidden: Annotated[tuple[str, ...], SUPERSET] = ()
    known: Annotated[tuple[str, ...], SUBSET] = ()
    popular: dict[str, tuple[str, ...]] = {}
    min_age_days: Annotated[Count, HIGHER] = 0
    published: dict[str, Moment] = {}


class DutiesData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`duties`: how many people who are no authors must agree, where approvals are judged by the gate."""

    approvals: Annotated[People, HIGHER] = 1


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One weekly window, in UTC, from `begins` to before `ends`."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...]
    begins: ClockTime
    ends: ClockTime


class Freeze(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time in which nothing passes, and why."""

    begins: Moment
    ends: Moment
    reason: str


class WindowsData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`windows`: weekly windows outside which nothing passes, and freezes."""

    open: Annotated[tuple[Window, ...], ALLOWED] = ()
    freezes: Annotated[tuple[Freeze, ...], SUPERSET] = ()


class TeeData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`tee`: what hardware must vouch for.

    Attributes:
        required: whether a tee-result must be there.
        statuses: results that will do.
        claims: kinds of hardware evidence that will do; none means any.
    """

    required: Annotated[bool, HIGHER] = False
    statuses: Annotated[tuple[Literal["affirming", "warning"], ...], SUBSET] = ("affirming",)
    claims: Annotated[tuple[str, ...], ALLOWED] = ()


class OpenDays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vulns.max_open_days`: by severity, how many days a vulnerability may have been public."""

    critical: Annotated[Days, LOWER] = 7
    high: Annotated[Days, LOWER] = 30
    medium: Annotated[Days, LOWER] = 90
    low: Annotated[Days, LOWER] = 180


class VulnsData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vulns`: what a scan must show.

    Attributes:
        threshold: the mildest severity that denies; milder ones warn. Unknown severity counts as high.
        max_database_age_days: older advisories at the effective time deny.
        max_epss: an EPSS probability, from 0 to 1, that is already too high.
        epss: probabilities by CVE, for findings of a scan that does not know them.
        max_open_days: how long a vulnerability may have been public.
    """

    threshold: Annotated[Severity, _SEVERITIES] = "high"
    max_database_age_days: Annotated[Days, LOWER] = 90
    max_epss: Annotated[Share, LOWER] = 0.1
    epss: dict[str, Share] = {}
    max_open_days: OpenDays = OpenDays()


class WaiversData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`waivers`: how many people it takes to waive a violation of each severity, and for how long at most.

    A severity that nobody states counts as critical.
    """

    critical: Annotated[People, HIGHER] = 2
    high: Annotated[People, HIGHER] = 1
    medium: Annotated[People, HIGHER] = 1
    low: Annotated[People, HIGHER] = 1
    max_days: Annotated[Days, LOWER] = 90

    def quorum(self, severity: str) -> int:
        """Give how many people it takes for a severity."""
        return {"high": self.high, "medium": self.medium, "low": self.low}.get(severity, self.critical)


class RuleData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `data.rule_data`; `custom` is for a project's own rules and has no fixed shape.

    `levels` says what a finding of a code leads to, whatever the rule's set is called: `deny`, `warn`, or
    `off`, which is not judged and shows as skipped. A code without a level follows its set. Where `waivers`
    is absent or null, the policy admits none.
    """

    levels: dict[str, Annotated[Level, in_order("off", "warn", "deny")]] = {}
    posture: PostureData = PostureData()
    provenance: ProvenanceData = ProvenanceData()
    slsa: SlsaData = SlsaData()
    rebuild: RebuildData = RebuildData()
    sbom: SbomData = SbomData()
    licences: LicencesData = LicencesData()
    dependencies: DependenciesData = DependenciesData()
    checks: ChecksData = ChecksData()
    image: ImageData = ImageData()
    duties: DutiesData = DutiesData()
    windows: WindowsData = WindowsData()
    tee: TeeData = TeeData()
    vulns: VulnsData = VulnsData()
    waivers: Annotated[WaiversData | None, SUPERSET] = None
    custom: dict[str, Any] = {}


_KINDS = (
    RuleData,
    PostureData,
    ProvenanceData,
    SlsaData,
    RebuildData,
    SbomData,
    SbomCoverage,
    LicencesData,
    DependenciesData,
    ChecksData,
    ImageData,
    DutiesData,
    WindowsData,
    Window,
    Freeze,
    TeeData,
    VulnsData,
    OpenDays,
    WaiversData,
)
_KEYS = sorted({key for kind in _KINDS for key in kind.__struct_fields__})


def parse_rule_data(table: dict[str, Any], *, what: str) -> RuleData:
    """Type rule data; what is left out takes its default.

    Raises:
        ConfigError: an unknown key, a value that no rule understands, a pattern that engines read otherwise.
    """
    data = typed(table, RuleData, what=what, known=_KEYS)
    for key, pattern in _patterns(data):
        if special := _SPECIAL.search(pattern):
            raise ConfigError(
                f"{what}: {key}: {pattern!r} has {special[0]!r}, which engines read in different ways",
                hint="in a pattern only * is special: it stands for any text, so also for such a character",
            )
    return data


def _patterns(data: RuleData) -> Iterator[tuple[str, str]]:
    """Give each pattern that a shipped rule hands to `glob.match`, under its key."""
    listed = {
        "provenance.sources": data.provenance.sources,
        "image.bases": data.image.bases,
        "dependencies.sources": data.dependencies.sources,
        "dependencies.registries": data.dependencies.registries,
        "dependencies.forbidden": data.dependencies.forbidden,
    } | {f"checks.tools.{kind}": patterns for kind, patterns in data.checks.tools.items()}
    for key, patterns in listed.items():
        for pattern in patterns:
            yield key, pattern


def rule_data_table(data: RuleData) -> dict[str, Any]:
    """Give the plain table that `parse_rule_data` reads back; a policy without waivers has no such key."""
    table: dict[str, Any] = msgspec.to_builtins(data)
    if data.waivers is None:
        del table["waivers"]
    return table
