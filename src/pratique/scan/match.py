"""Match components against advisories: findings, and everything that could not be judged, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.finding import Finding, Result, Severity
from pratique.scan.openvex import deciding
from pratique.scan.purl import parse_purl
from pratique.scan.versions import (
    VERSION_KEYS,
    UnorderableError,
    ecosystem_of,
    package_key,
    package_name,
    releases_of,
    without_local,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from pratique.scan.buckets import Entry
    from pratique.scan.component import Component, Uninspected
    from pratique.scan.database import Database, DatabaseInfo
    from pratique.scan.openvex import Statement
    from pratique.scan.purl import Purl


class Vulnerability(msgspec.Struct, frozen=True, kw_only=True):
    """One vulnerability in one component, however many advisories speak of it.

    Attributes:
        id: the CVE where there is one, else the GHSA, else the first of the advisories' own ids.
        aliases: every other id it is known by, sorted.
        purl: the component.
        severity: the gravest that any of the advisories gives; unknown when none does.
        score: CVSS v3 base score, where an advisory has a vector.
        vector: that vector, or empty.
        summary: one line.
        ranges: the affected ranges that the component's version lies in.
        fixed_versions: the first unaffected versions after it, as the advisories name them.
        exploited_since: date it entered the catalogue of known exploited vulnerabilities, or empty.
        epss: probability of exploitation within 30 days, where it is known.
        published: RFC 3339 time at which the first of the advisories was, or empty where none says.
        sources: names of the sources that say so, sorted.
        suppressed: id of the statement that says there is nothing to fear, or empty. The finding stays.
    """

    id: str
    aliases: tuple[str, ...]
    purl: str
    severity: Severity
    score: float | None
    vector: str
    summary: str
    ranges: tuple[str, ...]
    fixed_versions: tuple[str, ...]
    exploited_since: str
    epss: float | None
    published: str
    sources: tuple[str, ...]
    suppressed: str = ""

    def finding(self) -> Finding:
        """Put it in the words that every report shares."""
        fixed = " or ".join(self.fixed_versions)
        return Finding(
            id=self.id,
            result=Result.FAIL,
            severity=self.severity,
            title=self.summary or self.id,
            detail=f"affected: {' or '.join(self.ranges)}"
            if self.ranges
            else "this version is listed as affected",
            location=self.purl,
            fix=f"upgrade to {fixed}"
            if fixed
            else "no fixed version is known: replace it or accept the risk",
        )


class Unknown(msgspec.Struct, frozen=True, order=True):
    """What could not be judged (a purl, a member of the artifact, or `database`), and why."""

    subject: str
    reason: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much a report rests on."""

    components: int
    checked: int
    ecosystems: dict[str, int]
    database: DatabaseInfo


class MatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """Findings sorted by purl and id, and what is unknown; "none found" needs both to be empty.

    `unused` are the ids of statements that no finding answers to: outdated, or about something else.
    """

    findings: tuple[Vulnerability, ...]
    unknown: tuple[Unknown, ...]
    coverage: Coverage
    unused: tuple[str, ...] = ()


def match(
    components: Sequence[Component],
    database: Database,
    *,
    now: datetime,
    max_age: timedelta,
    uninspected: Sequence[Uninspected] = (),
    statements: Sequence[Statement] = (),
    artifact: frozenset[str] = frozenset(),
) -> MatchReport:
    """Match every component.

    Args:
        components: what the artifact holds; none at all is reported as unknown.
        database: the advisories.
        now: the time by which the data's age is judged.
        max_age: data older than this leaves every component unknown, whatever else was found.
        uninspected: members of the artifact whose packages are unknown.
        statements: OpenVEX statements of authors whose word counts here.
        artifact: purls and digests by which statements may name the artifact.
    """
    unknown = [Unknown(member.path, member.reason) for member in uninspected]
    unknown += [Unknown("database", reason) for reason in _age_problem(database.info, now, max_age)]
    if not components:
        unknown.append(Unknown("artifact", "no component was recognised in it"))
    findings: list[Vulnerability] = []
    ecosystems: dict[str, int] = {}
    checked = 0
    for component in components:
        try:
            purl = parse_purl(component.purl)
        except MalformedError:
            unknown.append(Unknown(component.purl, "not a package URL"))
            continue
        ecosystem = ecosystem_of(purl)
        ecosystems[ecosystem] = ecosystems.get(ecosystem, 0) + 1
        found, problems = _match_one(component, purl, ecosystem, database)
        findings += found
        checked += not problems
        unknown += [Unknown(component.purl, problem) for problem in problems]
    findings, used = _judged(findings, statements, artifact, now)
    return MatchReport(
        findings=tuple(sorted(findings, key=lambda finding: (finding.purl, finding.id))),
        unknown=tuple(sorted(set(unknown))),
        coverage=Coverage(
            components=len(components),
            checked=checked,
            ecosystems=dict(sorted(ecosystems.items())),
            database=database.info,
        ),
        unused=tuple(sorted({item.id for item in statements} - used)),
    )


def _judged(
    findings: Sequence[Vulnerability],
    statements: Sequence[Statement],
    artifact: frozenset[str],
    now: datetime,
) -> tuple[list[Vulnerability], set[str]]:
    """Mark the findings that a statement answers to, and give the ids of all statements that concern one."""
    if not statements:
        return list(findings), set()
    judged: list[Vulnerability] = []
    used: set[str] = set()
    for finding in findings:
        about = deciding(statements, finding.purl, (finding.id, *finding.aliases), artifact=artifact, now=now)
        used.update(item.id for item in about)
        holds = about[-1].id if about and about[-1].status.suppresses else ""
        judged.append(msgspec.structs.replace(finding, suppressed=holds))
    return judged, used


def _age_problem(info: DatabaseInfo, now: datetime, max_age: timedelta) -> list[str]:
    age = now - info.oldest
    if age > max_age:
        return [
            f"its oldest source is of {format_time(info.oldest)}, {age.days} days old; {max_age.days} allowed"
        ]
    if age.total_seconds() < 0:
        return [f"its oldest source is dated in the future: {format_time(info.oldest)}"]
    return []


def _match_one(
    component: Component, purl: Purl, ecosystem: str, database: Database
) -> tuple[list[Vulnerability], list[str]]:
    if ecosystem not in VERSION_KEYS:
        return [], [f"versions of ecosystem {ecosystem} cannot be ordered"]
    releases = releases_of(purl)
    if releases is None:
        return [], [f"the package URL does not say of which release of {ecosystem} it is"]
    if not any(release in database.info.ecosystems for release in releases):
        return [], [f"the database holds no advisories for {releases[0]}"]
    # Debian's and Alpine's advisories go by the source package's name and version, RPM's by the binary's.
    of_source = purl.type != "rpm"
    name = (of_source and component.source) or package_name(purl)
    entries = [
        entry for release in releases for entry in database.lookup(release, package_key(ecosystem, name))
    ]
    if not entries:
        return [], []
    version = (of_source and component.source_version) or purl.version
    if purl.type == "rpm" and purl.qualifiers.get("epoch"):
        version = f"{purl.qualifiers['epoch']}:{version}"
    # A local build of a release (2.1+cu118) is taken to have the flaws of that release as well.
    forms = {version, without_local(version)} if ecosystem == "PyPI" and "+" in version else {version}
    try:
        keys = {VERSION_KEYS[ecosystem](form) for form in forms}
    except UnorderableError as error:
        keys = set()
        problems = [f"{error}, and there are advisories for {name}"]
    else:
        problems = []
    affecting = [entry for entry in entries if _is_affected(entry, keys, version)]
    findings = [_vulnerability(component.purl, group, keys) for group in _groups(affecting)]
    settled = {identifier for entry in affecting for identifier in (entry.id, *entry.aliases)}
    problems += [
        f"{entry.id} ({entry.source}) cannot be judged: {entry.affected.problem}"
        for entry in entries
        if entry.affected.problem and settled.isdisjoint((entry.id, *entry.aliases))
    ]
    return findings, problems


def _is_affected(entry: Entry, keys: set[bytes], version: str) -> bool:
    affected = entry.affected
    return (
        version in affected.literals
        or not keys.isdisjoint(affected.keys)
        or any(interval.contains(key) for interval in affected.intervals for key in keys)
    )


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Put entries that share an id or alias, directly or through others, into one group each."""
    groups: list[tuple[set[str], list[Entry]]] = []
    for entry in entries:
        identifiers, members = {entry.id, *entry.aliases}, [entry]
        apart: list[tuple[set[str], list[Entry]]] = []
        for other_identifiers, other_members in groups:
            if identifiers.isdisjoint(other_identifiers):
                apart.append((other_identifiers, other_members))
            else:
                identifiers |= other_identifiers
                members = other_members + members
        groups = [*apart, (identifiers, members)]
    return [members for _, members in groups]


def _vulnerability(purl: str, group: Sequence[Entry], keys: set[bytes]) -> Vulnerability:
    identifiers = sorted(
        {identifier for entry in group for identifier in (entry.id, *entry.aliases)}, key=_rank
    )
    holding = [
        interval
        for entry in group
        for interval in entry.affected.intervals
        if any(interval.contains(key) for key in keys)
    ]
    known = [severity for entry in group if (severity := Severity(entry.severity)) is not Severity.UNKNOWN]
    scored = max(group, key=lambda entry: -1.0 if entry.score is None else entry.score)
    return Vulnerability(
        id=identifiers[0],
        aliases=tuple(sorted(identifiers[1:])),
        purl=purl,
        severity=min(known, key=lambda severity: severity.rank, default=Severity.UNKNOWN),
        score=scored.score,
        vector=scored.vector,
        summary=next((entry.summary for entry in group if entry.summary), ""),
        ranges=tuple(sorted({interval.text for interval in holding})),
        fixed_versions=tuple(sorted({interval.fixed for interval in holding if interval.fixed})),
        exploited_since=min((entry.exploited for entry in group if entry.exploited), default=""),
        epss=max((entry.epss for entry in group if entry.epss is not None), default=None),
        published=min((entry.published for entry in group if entry.published), default=""),
        sources=tuple(sorted({entry.source for entry in group})),
    )


def _rank(identifier: str) -> tuple[int, str]:
    """CVE before GHSA before the rest: the ids that most people and tools know first."""
    return {"CVE": 0, "GHSA": 1}.get(identifier.partition("-")[0], 2), identifier
