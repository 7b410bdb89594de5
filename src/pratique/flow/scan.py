"""What is in an artifact and what is known about it: SBOM and vulnerability evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.flow.advisories import open_advisories
from pratique.flow.artifact import artifact_file
from pratique.flow.evidence import newest
from pratique.flow.policy import policy_of
from pratique.flow.progress import Outcome
from pratique.model import predicate
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations
from pratique.scan.catalog import catalog
from pratique.scan.cyclonedx import sbom
from pratique.scan.match import match
from pratique.scan.vulns import vulns_predicate
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.scan.database import Database

    Predicate = dict[str, Any]


class Scanned(msgspec.Struct, frozen=True):
    """The evidence a scan left, and what it says."""

    sbom: Digest
    vulns: Digest
    components: int
    vulnerabilities: tuple[str, ...]
    unknown: tuple[str, ...]


def scan(workspace: Workspace, project: Project, artifact: Artifact) -> Scanned:
    """Catalogue an artifact, match it against the project's advisories, and journal both.

    Evidence over the same artifact and the same advisories that is no older than a day is reused.

    Raises:
        CouldNotCheckError: nothing was recognised in the artifact.
        ConfigError: the advisories cannot be read.
    """
    workspace.progress.begin("scan", f"{artifact.name}: components, advisories")
    with open_advisories(workspace, project) as database, artifact_file(workspace, artifact) as path:
        scanned = _reuse(workspace, artifact, database)
        outcome = Outcome.REUSED if scanned else Outcome.DONE
        scanned = scanned or _scan(workspace, project, artifact, path, database)
    number = len(scanned.vulnerabilities)
    found = f"{number} vulnerabilit{'y' if number == 1 else 'ies'}" if number else "none vulnerable"
    unknown = f", {len(scanned.unknown)} unknown" if scanned.unknown else ""
    count = f"{scanned.components} component{'s' if scanned.components != 1 else ''}"
    workspace.progress.end(outcome, f"{count}, {found}{unknown}")
    return scanned


def _reuse(workspace: Workspace, artifact: Artifact, database: Database) -> Scanned | None:
    bill = newest(workspace, predicate.SBOM, "scanner", lambda _: True, artifact.digest)
    since = workspace.clock() - timedelta(days=1)
    wanted = database.info.digest.digest_set
    report = newest(
        workspace,
        predicate.VULNS,
        "scanner",
        lambda item: (
            item.signed_at >= since and item.statement.predicate["scanner"]["db"].get("digest") == wanted
        ),
        artifact.digest,
    )
    if not bill or not report:
        return None
    return _summary(bill.digest, bill.statement.predicate, report.digest, report.statement.predicate)


def _scan(
    workspace: Workspace, project: Project, artifact: Artifact, path: Path, database: Database
) -> Scanned:
    started = workspace.clock()
    found = catalog(path, hashes=_locked(workspace, artifact))
    report = match(
        found.components,
        database,
        now=started,
        max_age=timedelta(days=policy_of(workspace, project).data.vulns.max_database_age_days),
        uninspected=found.uninspected,
    )
    subject = [Subject(artifact.name, artifact.digest.digest_set)]
    bill = sbom(
        found,
        name=artifact.name,
        own=found.own(artifact.name),
        digest=artifact.digest,
        created=started,
        author=workspace.authority.trust_domain,
    )
    vulns = vulns_predicate(report, started=started, finished=workspace.clock())
    bill_evidence = workspace.record("scanner", predicate.SBOM, bill, subject)
    vulns_evidence = workspace.record("scanner", predicate.VULNS, vulns, subject)
    return _summary(bill_evidence.digest, bill, vulns_evidence.digest, vulns)


def _locked(workspace: Workspace, artifact: Artifact) -> dict[str, tuple[str, ...]]:
    """Give the SHA-256 of what was built in, by purl: as our own builder found it locked, or nothing."""
    provenance = newest(workspace, predicate.PROVENANCE, "builder", lambda _: True, artifact.digest)
    if provenance is None:
        return {}
    found: dict[str, set[str]] = {}
    for entry in provenance.statement.predicate["buildDefinition"]["resolvedDependencies"]:
        if entry["annotations"]["kind"] == "dependency":
            found.setdefault(entry["uri"], set()).add(entry["digest"]["sha256"])
    return {purl: tuple(sorted(digests)) for purl, digests in found.items()}


def _summary(sbom_digest: Digest, bill: Predicate, vulns_digest: Digest, vulns: Predicate) -> Scanned:
    return Scanned(
        sbom=sbom_digest,
        vulns=vulns_digest,
        components=len(bill["components"]),
        vulnerabilities=tuple(
            f"{result['id']} in {note['purl']}"
            for result in vulns["scanner"]["result"]
            for note in result["annotations"]
        ),
        unknown=tuple(
            f"{item['subject']}: {item['reason']}"
            for item in vulns["https://pratique.dev/coverage"]["unknown"]
        ),
    )
