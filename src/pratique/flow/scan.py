"""What is in an artifact and what is known about it: SBOM and vulnerability evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import UsageError
from pratique.flow.advisories import open_advisories
from pratique.flow.artifact import Artifact, artifact_file
from pratique.flow.contents import Contents, document_of
from pratique.flow.evidence import newest
from pratique.flow.policy import policy_of
from pratique.flow.progress import Outcome
from pratique.flow.vex import Spoken, accepted_statements
from pratique.model import predicate
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations
from pratique.scan.catalog import catalog
from pratique.scan.match import match
from pratique.scan.vulns import COVERAGE, vulns_predicate
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.scan.database import Database

    Predicate = dict[str, Any]


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan says, and the evidence it left, if any."""

    sbom: Digest | None
    vulns: Digest | None
    components: int
    vulnerabilities: tuple[str, ...]
    suppressed: tuple[str, ...] = ()
    unknown: tuple[str, ...]
    removed: int = 0


def scan(workspace: Workspace, project: Project, artifact: Artifact) -> Scanned:
    """Catalogue an artifact, match it against the project's advisories, and journal both.

    Evidence over the same artifact, the same advisories and the same VEX statements that is no older than a
    day is reused.

    Raises:
        CouldNotCheckError: nothing was recognised in the artifact.
        ConfigError: the advisories cannot be read.
    """
    workspace.progress.begin("scan", f"{artifact.name}: components, advisories")
    spoken = accepted_statements(workspace, project, artifact)
    with open_advisories(workspace, project) as database, artifact_file(workspace, artifact) as path:
        scanned = _reuse(workspace, artifact, database, spoken)
        outcome = Outcome.REUSED if scanned else Outcome.DONE
        if scanned is None:
            contents = Contents(
                name=artifact.name,
                digest=artifact.digest,
                kind="application",
                catalog=catalog(path, hashes=_locked(workspace, artifact)),
            )
            scanned = _judged(workspace, project, contents, database, spoken, attest=True)
    workspace.progress.end(outcome, scanned_line(scanned))
    return scanned


def scan_contents(workspace: Workspace, project: Project, contents: Contents, *, attest: bool) -> Scanned:
    """Match what was found in something, and journal that about its digest where that is wanted.

    Raises:
        UsageError: it is to be journalled and has no digest.
        ConfigError: the advisories cannot be read.
    """
    if attest and contents.digest is None:
        raise UsageError(f"{contents.name} is a folder, which evidence cannot be about", hint="scan a file")
    workspace.progress.begin("scan", f"{contents.name}: advisories")
    spoken = Spoken()
    if contents.digest:
        spoken = accepted_statements(workspace, project, Artifact(contents.name, contents.digest))
    with open_advisories(workspace, project) as database:
        scanned = _judged(workspace, project, contents, database, spoken, attest=attest)
    workspace.progress.end(Outcome.DONE, scanned_line(scanned))
    return scanned


def scanned_line(scanned: Scanned) -> str:
    """Put what a scan says into one line."""
    number = len(scanned.vulnerabilities)
    found = f"{number} vulnerabilit{'y' if number == 1 else 'ies'}" if number else "none vulnerable"
    answered = f" ({len(scanned.suppressed)} answered for)" if scanned.suppressed else ""
    unknown = f", {len(scanned.unknown)} unknown" if scanned.unknown else ""
    return (
        f"{scanned.components} component{'s' if scanned.components != 1 else ''}, {found}{answered}{unknown}"
    )


def _reuse(workspace: Workspace, artifact: Artifact, database: Database, spoken: Spoken) -> Scanned | None:
    bill = newest(workspace, predicate.SBOM, "scanner", lambda _: True, artifact.digest)
    since = workspace.clock() - timedelta(days=1)
    wanted = database.info.digest.digest_set
    report = newest(
        workspace,
        predicate.VULNS,
        "scanner",
        lambda item: (
            item.signed_at >= since
            and item.statement.predicate["scanner"]["db"].get("digest") == wanted
            and item.statement.predicate[COVERAGE].get("statements", []) == list(spoken.evidence)
        ),
        artifact.digest,
    )
    if not bill or not report:
        return None
    return _summary(bill.digest, bill.statement.predicate, report.digest, report.statement.predicate)


def _judged(
    workspace: Workspace,
    project: Project,
    contents: Contents,
    database: Database,
    spoken: Spoken,
    *,
    attest: bool,
) -> Scanned:
    started = workspace.clock()
    found = contents.catalog
    report = match(
        found.components,
        database,
        now=started,
        max_age=timedelta(days=policy_of(workspace, project).data.vulns.max_database_age_days),
        uninspected=found.uninspected,
        statements=spoken.statements,
        artifact=frozenset({str(contents.digest)} if contents.digest else ()),
    )
    bill = document_of(contents, "cyclonedx", started, workspace.authority.trust_domain)
    vulns = vulns_predicate(report, started=started, finished=workspace.clock(), statements=spoken.evidence)
    if not attest or contents.digest is None:
        return _summary(None, bill, None, vulns, len(found.removed))
    subject = [Subject(contents.name, contents.digest.digest_set)]
    bill_evidence = workspace.record("scanner", predicate.SBOM, bill, subject)
    vulns_evidence = workspace.record("scanner", predicate.VULNS, vulns, subject)
    return _summary(bill_evidence.digest, bill, vulns_evidence.digest, vulns, len(found.removed))


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


def _summary(
    sbom_digest: Digest | None,
    bill: Predicate,
    vulns_digest: Digest | None,
    vulns: Predicate,
    removed: int = 0,
) -> Scanned:
    notes = [
        (f"{result['id']} in {note['purl']}", note.get("suppressedBy", ""))
        for result in vulns["scanner"]["result"]
        for note in result["annotations"]
    ]
    return Scanned(
        sbom=sbom_digest,
        vulns=vulns_digest,
        components=len(bill["components"]) - removed,
        removed=removed,
        vulnerabilities=tuple(line for line, _ in notes),
        suppressed=tuple(f"{line}: {answer}" for line, answer in notes if answer),
        unknown=tuple(f"{item['subject']}: {item['reason']}" for item in vulns[COVERAGE]["unknown"]),
    )
