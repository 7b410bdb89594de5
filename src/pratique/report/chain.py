"""One artifact's chain as values: what a report shows and an audit gives back, free of every format.

`flow` fills it from the journal, `audit.verify` from a package; the HTML only reads it. Every claim
in it points at the evidence that carries it (digest and place in the log), so that a reader can go and look.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from enum import StrEnum

import msgspec

from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations at run time


class StepKind(StrEnum):
    """The stations of the path, in the order an artifact passes them."""

    RUNNER_CHECK = "runner-check"
    BUILD = "build"
    REBUILD = "rebuild"
    SBOM = "sbom"
    SCAN = "scan"
    DECISION = "decision"
    APPROVAL = "approval"
    DEPLOYMENT = "deployment"
    ROLLBACK = "rollback"


class Verdict(StrEnum):
    """What a step came to. `UNCLEAR` is for a check that could not decide; it is never shown as good."""

    GOOD = "good"
    UNCLEAR = "unclear"
    BAD = "bad"


# A chain without these has a hole that a reader must see; a rollback is no hole when it never happened.
EXPECTED = tuple(kind for kind in StepKind if kind is not StepKind.ROLLBACK)


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes it is all about; `size` in bytes, None where only the digest is known."""

    name: str
    digest: Digest
    size: int | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the artifact was built from; `revision` is a commit or a manifest digest."""

    uri: str
    revision: str
    authors: tuple[str, ...] = ()


class Fact(msgspec.Struct, frozen=True):
    """One thing worth knowing about a step, for people: `Fact("isolation", "namespaces, no network")`."""

    label: str
    value: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence on the path.

    Attributes:
        kind: the station.
        verdict: what it came to.
        summary: that in a few words.
        evidence: SHA-256 of the bundle that says so.
        log_index: its place in the transparency log, from 0.
        signer: who signed, as verified.
        time: when it was signed, by the time-stamping authority.
        facts: a few more facts.
    """

    kind: StepKind
    verdict: Verdict
    summary: str
    evidence: Digest
    log_index: int
    signer: str
    time: datetime
    facts: tuple[Fact, ...] = ()


class RuleStatus(StrEnum):
    """A policy rule's outcome; anything that is not a success or a waiver speaks against the artifact."""

    VIOLATION = "violation"
    WARNING = "warning"
    WAIVED = "waived"
    SUCCESS = "success"
    SKIPPED = "skipped"
    ERROR = "error"


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's result as the decision recorded it."""

    status: RuleStatus
    code: str
    msg: str = ""
    solution: str = ""


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """A decision in detail: which policy judged, and rule by rule with what result.

    `environment` names those whose approvals and deployments rest on the decision; empty while none does.
    """

    evidence: Digest
    passed: bool
    environment: str
    policy_uri: str
    policy_digest: Digest
    decided_at: datetime
    results: tuple[RuleResult, ...] = ()

    def with_status(self, *statuses: RuleStatus) -> tuple[RuleResult, ...]:
        """Give the results of these statuses, in the order recorded."""
        return tuple(result for result in self.results if result.status in statuses)


class EnvironmentState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the artifact is: the last phase recorded for one environment."""

    environment: str
    phase: str
    since: datetime
    deployment_id: str = ""


class LogHead(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint that all of it was checked against (C2SP tlog-checkpoint): `root` in hex."""

    origin: str
    size: int
    root: str


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report says of one artifact. `steps` are in the order of the log."""

    artifact: Artifact
    source: Source | None
    steps: tuple[Step, ...]
    decisions: tuple[DecisionView, ...] = ()
    environments: tuple[EnvironmentState, ...] = ()
    trust_root: Digest
    checkpoint: LogHead

    def steps_of(self, kind: StepKind) -> tuple[Step, ...]:
        """Give the steps of one kind, in the order of the log."""
        return tuple(step for step in self.steps if step.kind is kind)

    @property
    def missing(self) -> tuple[StepKind, ...]:
        """The stations that left no evidence."""
        return tuple(kind for kind in EXPECTED if not self.steps_of(kind))
