"""Predicates as their specifications have them: typed, and checked before anything is signed.

Only what a specification requires is required, and members that it does not name are left alone, as the
in-toto parsing rules ask. A predicate of a type that is not in `TYPES` is carried as it is.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import parse_time
from pratique.model.predicate import (
    PROVENANCE,
    REFERENCE,
    RELEASE,
    RUNTIME_TRACE,
    SBOM,
    SCAI,
    SPDX,
    SVR,
    TEST_RESULT,
    VEX,
    VSA,
    VULNS,
)

Timestamp = str
Object = dict[str, Any]


class Spec(msgspec.Struct, rename="camel"):
    """A member of a predicate; unknown members are ignored."""

    def check(self) -> None:
        """Check what types alone cannot say."""


class ResourceDescriptor(Spec):
    """in-toto ResourceDescriptor v1: names something by uri, digest or content."""

    uri: str | None = None
    digest: dict[str, str] | None = None
    name: str | None = None
    content: str | None = None
    download_location: str | None = None
    media_type: str | None = None
    annotations: Object | None = None

    def __post_init__(self) -> None:
        if not (self.uri or self.digest or self.content):
            raise ValueError("a resource without uri, digest or content")


class Builder(Spec):
    """SLSA v1: who built."""

    id: str
    builder_dependencies: list[ResourceDescriptor] = []
    version: dict[str, str] = {}


class BuildDefinition(Spec):
    """SLSA v1: what went into the build."""

    build_type: str
    external_parameters: Object
    internal_parameters: Object = {}
    resolved_dependencies: list[ResourceDescriptor] = []


class BuildMetadata(Spec):
    """SLSA v1: when it was built."""

    invocation_id: str = ""
    started_on: Timestamp = ""
    finished_on: Timestamp = ""


class RunDetails(Spec):
    """SLSA v1: this run of the build."""

    builder: Builder
    metadata: BuildMetadata | None = None
    byproducts: list[ResourceDescriptor] = []


class Provenance(Spec):
    """SLSA provenance v1 (slsa.dev/spec/v1.2/build-provenance)."""

    build_definition: BuildDefinition
    run_details: RunDetails

    def check(self) -> None:
        """Times are times."""
        if self.run_details.metadata is not None:
            _times(self.run_details.metadata.started_on, self.run_details.metadata.finished_on)


class Named(Spec):
    """Somebody, by a URI."""

    id: str


class VerificationSummary(Spec):
    """SLSA VSA v1 (slsa.dev/spec/v1.2/verification_summary)."""

    verifier: Named
    resource_uri: str
    policy: ResourceDescriptor
    verification_result: Literal["PASSED", "FAILED"]
    verified_levels: list[str]
    time_verified: Timestamp = ""
    input_attestations: list[ResourceDescriptor] = []
    dependency_levels: dict[str, int] = {}
    slsa_version: str = ""

    def check(self) -> None:
        """Times are times."""
        _times(self.time_verified)


class SimpleVerificationResult(Spec):
    """in-toto SVR v0.1."""

    verifier: Named
    time_created: Timestamp
    properties: list[str]

    def check(self) -> None:
        """Times are times."""
        _times(self.time_created)


class Attribute(Spec):
    """SCAI: one attribute assertion."""

    attribute: str
    target: ResourceDescriptor | None = None
    conditions: Object | None = None
    evidence: ResourceDescriptor | None = None


class AttributeReport(Spec):
    """in-toto SCAI v0.3."""

    attributes: list[Attribute]
    producer: ResourceDescriptor | None = None

    def check(self) -> None:
        """A report says something."""
        if not self.attributes:
            raise ValueError("no attributes")


class Severity(Spec):
    """How grave, by one method."""

    method: str
    score: str


class Vulnerability(Spec):
    """One result of a scan."""

    id: str
    severity: list[Severity]
    annotations: Any = None


class Database(Spec):
    """What a scanner looked things up in."""

    last_update: Timestamp
    uri: str = ""
    version: str = ""


class Scanner(Spec):
    """Who scanned, with what, and found what."""

    uri: str
    db: Database
    result: list[Vulnerability]
    version: str = ""


class ScanMetadata(Spec):
    """When it was scanned."""

    scan_started_on: Timestamp
    scan_finished_on: Timestamp


class Vulnerabilities(Spec):
    """in-toto vulns v0.2."""

    scanner: Scanner
    metadata: ScanMetadata

    def check(self) -> None:
        """Times are times."""
        _times(self.scanner.db.last_update, self.metadata.scan_started_on, self.metadata.scan_finished_on)


class TestResult(Spec):
    """in-toto test-result v0.1."""

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: list[ResourceDescriptor]
    url: str = ""
    passed_tests: list[str] = []
    warned_tests: list[str] = []
    failed_tests: list[str] = []


class Monitor(Spec):
    """Who watched."""

    type: str
    config_source: Object | None = None
    trace_policy: Object | None = None


class MonitoredProcess(Spec):
    """What was watched."""

    host_id: str = msgspec.field(name="hostID")
    type: str = msgspec.field(name="type")
    event: str = msgspec.field(name="event")


class MonitorLog(Spec):
    """What was seen."""

    process: list[Object] | None = None
    network: list[Object] | None = None
    file_access: list[ResourceDescriptor] | None = None

    def __post_init__(self) -> None:
        if self.process is None and self.network is None and self.file_access is None:
            raise ValueError("neither process nor network nor fileAccess")


class TraceMetadata(Spec):
    """When it was watched."""

    build_started_on: Timestamp = ""
    build_finished_on: Timestamp = ""


class RuntimeTrace(Spec):
    """in-toto runtime-trace v0.1."""

    monitor: Monitor
    monitored_process: MonitoredProcess
    monitor_log: MonitorLog
    metadata: TraceMetadata | None = None

    def check(self) -> None:
        """Times are times."""
        if self.metadata is not None:
            _times(self.metadata.build_started_on, self.metadata.build_finished_on)


class Release(Spec):
    """in-toto release v0.1: the package URL has a version."""

    purl: str
    package_id: str | None = None

    def check(self) -> None:
        """The specification wants a version."""
        path = self.purl.partition("?")[0]
        if not path.startswith("pkg:") or "@" not in path.rpartition("/")[2]:
            raise ValueError("purl: not a package URL with a version")


class Reference(Spec):
    """in-toto reference v0.1: every reference says where it is and what."""

    attester: Named
    references: list[ResourceDescriptor]

    def check(self) -> None:
        """The specification wants both for each."""
        if not all(item.download_location and item.media_type for item in self.references):
            raise ValueError("references: each needs downloadLocation and mediaType")


class CycloneDx(Spec):
    """A CycloneDX document: only that it is one."""

    bom_format: Literal["CycloneDX"]
    spec_version: str


class SpdxDocument(Spec):
    """An SPDX 2 document in JSON: only that it is one."""

    spdx_version: str
    spdx_id: Literal["SPDXRef-DOCUMENT"] = msgspec.field(name="SPDXID")
    name: str


class OpenVex(Spec):
    """An OpenVEX document v0.2: only that it is one."""

    context: str = msgspec.field(name="@context")
    id: str = msgspec.field(name="@id")
    author: str = msgspec.field(name="author")
    timestamp: Timestamp = msgspec.field(name="timestamp")
    version: int = msgspec.field(name="version")
    statements: list[Object] = msgspec.field(name="statements")

    def check(self) -> None:
        """Times are times."""
        _times(self.timestamp)


TYPES: Final[dict[str, type[Spec]]] = {
    PROVENANCE: Provenance,
    VSA: VerificationSummary,
    SVR: SimpleVerificationResult,
    SCAI: AttributeReport,
    VULNS: Vulnerabilities,
    TEST_RESULT: TestResult,
    RUNTIME_TRACE: RuntimeTrace,
    RELEASE: Release,
    REFERENCE: Reference,
    SBOM: CycloneDx,
    SPDX: SpdxDocument,
    VEX: OpenVex,
}
"""Predicate types that are known, and what they hold."""


def check_predicate(predicate_type: str, body: dict[str, Any]) -> None:
    """Check a predicate against its type's specification; a type that is not known is not looked into.

    Raises:
        MalformedError: it says where, and what is wrong.
    """
    kind = TYPES.get(predicate_type)
    if kind is None:
        return
    try:
        msgspec.convert(body, kind).check()
    except (msgspec.ValidationError, ValueError) as error:
        raise MalformedError(f"not a predicate of type {predicate_type}: {error}") from error


def _times(*texts: str) -> None:
    for text in texts:
        if text:
            try:
                parse_time(text)
            except MalformedError as error:
                raise ValueError(error.message) from error
