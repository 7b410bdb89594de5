"""The decision: what policy made of an artifact, bound by digest to everything it rests on.

Its JSON is a record for people and tools alike: a header that names policy, input, evidence and engine,
then one result for each known code. Canonical JSON, so equal decisions have equal digests.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.policy.mode import Mode, OrganisationUsed
from pratique.policy.places import Place  # noqa: TC001 - msgspec reads the annotations

DECISION_SCHEMA: Final = "https://pratique.dev/policy-result/v3"


class Status(StrEnum):
    """What one code came to. `SKIPPED` says that there was nothing to look at; it is never a pass.

    `WAIVED` is a violation, still there, that enough people accept for a while, or that an `exception` of the
    very source exempts.
    """

    VIOLATION = "violation"
    ERROR = "error"
    WAIVED = "waived"
    WARNING = "warning"
    SUCCESS = "success"
    SKIPPED = "skipped"


_ORDER: Final = list(Status)
# Tells two findings apart that are alike in all else.
_ENCODE: Final = msgspec.json.Encoder(order="deterministic").encode


class WaiverUsed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's waiver that counts for a finding: its evidence digest, who, why, until when (RFC 3339)."""

    evidence: str
    person: str
    reason: str
    not_after: str
    ticket: str = ""


class Location(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a file; `line` counts from 1 and is 0 where only the file is known."""

    file: str
    line: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One result.

    Attributes:
        code: stable id, a heading in docs/policy-rules.md.
        status: see `Status`.
        msg: what was seen, or why it was skipped.
        title: what holds when the code succeeds.
        severity: critical, high, medium or low.
        term: what it is about within the code: a CVE and purl, a member, an input.
        rule: where the rule is that says so.
        locations: what of the artifact it is about, and where; none: the artifact as a whole.
        solution: what to do, as a command where there is one.
        evidence: digests of the evidence looked at.
        controls: practices the code serves.
        waivers: of a waived violation, every waiver that counts for it.
        excepted: of a violation that its own source's rules exempt: which rule says so.
        metadata: what else the rule says, in whatever shape.
    """

    code: str
    status: Status
    msg: str = ""
    title: str = ""
    severity: str = ""
    term: tuple[str, ...] = ()
    rule: Location | None = None
    locations: tuple[Place, ...] = ()
    solution: str = ""
    evidence: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    waivers: tuple[WaiverUsed, ...] = ()
    excepted: str = ""
    metadata: dict[str, Any] = {}

    @property
    def order(self) -> tuple[int, str, tuple[str, ...], str, bytes]:
        """Gravest first, then by code; two results that differ in anything are never equal."""
        return (_ORDER.index(self.status), self.code, self.term, self.msg, _ENCODE(self))


class EvidenceUsed(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence that stood."""

    predicate_type: str
    digest: str
    signer: str
    signer_kind: str
    signer_issuer: str
    root: str
    signed_at: str
    log_index: int


class EvidenceRefused(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence that did not count, and why."""

    predicate_type: str
    digest: str
    reason: str


class EngineUsed(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine evaluated the rules, and what contained it (empty when it gave no answer)."""

    name: str
    version: str
    rego: str = "v1"
    isolation: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on one artifact.

    Attributes:
        subject: the artifact.
        name: what people call it.
        decision: `allow` only if no result is a violation or an error.
        mode: whether the caller acts on a denial.
        effective_time: RFC 3339 time at which freshness was judged.
        policy: digest of the policy bundle.
        organisations: whose policies it holds to; they could not be weakened.
        rule_data: digest of the rule data alone.
        input: digest of the input document.
        build_level: the SLSA build level that all provenance which stood reaches, 0 to 3.
        engine: see `EngineUsed`.
        inputs: evidence that stood, and the waivers that count for a finding.
        set_aside: verified evidence that did not count.
        rejected: evidence that did not verify.
        results: gravest first.
    """

    subject: Digest
    name: str
    decision: Literal["allow", "deny"]
    mode: Mode
    effective_time: str
    policy: Digest
    organisations: tuple[OrganisationUsed, ...] = ()
    rule_data: Digest
    input: Digest
    build_level: int
    engine: EngineUsed
    inputs: tuple[EvidenceUsed, ...]
    set_aside: tuple[EvidenceRefused, ...]
    rejected: tuple[EvidenceRefused, ...]
    results: tuple[Finding, ...]

    @property
    def allowed(self) -> bool:
        """Whether policy lets the artifact pass."""
        return self.decision == "allow"

    @property
    def stops(self) -> bool:
        """Whether whoever asked has to stop: refused, by a policy in force."""
        return not self.allowed and self.mode is Mode.ENFORCE

    def with_status(self, *statuses: Status) -> tuple[Finding, ...]:
        """Give the results of some statuses, in order."""
        return tuple(result for result in self.results if result.status in statuses)

    def encode(self) -> bytes:
        """Write the decision as canonical JSON: the bytes its digest stands for."""
        return canonical_json(
            {
                "schema": DECISION_SCHEMA,
                "decision": self.decision,
                "mode": self.mode.value,
                "subject": [{"name": self.name, "digest": self.subject.digest_set}],
                "effective_time": self.effective_time,
                "policy": {
                    "digest": self.policy.digest_set,
                    "organisations": msgspec.to_builtins(self.organisations),
                },
                "rule_data_digest": self.rule_data.digest_set,
                "input_digest": self.input.digest_set,
                "build_level": self.build_level,
                "engine": msgspec.to_builtins(self.engine),
                "inputs": msgspec.to_builtins(self.inputs),
                "set_aside": msgspec.to_builtins(self.set_aside),
                "rejected": msgspec.to_builtins(self.rejected),
                "results": msgspec.to_builtins(self.results),
                "summary": {status.value: len(self.with_status(status)) for status in Status},
            }
        )

    @property
    def digest(self) -> Digest:
        """SHA-256 of the encoded decision."""
        return sha256_bytes(self.encode())


def parse_decision(data: bytes) -> Decision:
    """Read a stored decision back.

    Raises:
        MalformedError: not a decision, or not in the canonical form its digest stands for.
    """
    document = parse_json_object(data, what="policy decision")
    if document.get("schema") != DECISION_SCHEMA:
        raise MalformedError(f"policy decision: schema is not {DECISION_SCHEMA}")
    try:
        wire = msgspec.convert(document, _Wire)
    except msgspec.ValidationError as error:
        raise MalformedError(f"policy decision: {error}") from error
    decision = Decision(
        subject=wire.subject[0].digest.digest,
        name=wire.subject[0].name,
        decision=wire.decision,
        mode=wire.mode,
        effective_time=wire.effective_time,
        policy=wire.policy.digest.digest,
        organisations=wire.policy.organisations,
        rule_data=wire.rule_data_digest.digest,
        input=wire.input_digest.digest,
        build_level=wire.build_level,
        engine=wire.engine,
        inputs=wire.inputs,
        set_aside=wire.set_aside,
        rejected=wire.rejected,
        results=wire.results,
    )
    if decision.encode() != data:
        raise MalformedError("policy decision: not in canonical form, or its verdict and summary disagree")
    return decision


class _DigestSet(msgspec.Struct, frozen=True):
    sha256: str

    @property
    def digest(self) -> Digest:
        return Digest(self.sha256)


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: _DigestSet


class _Policy(msgspec.Struct, frozen=True):
    digest: _DigestSet
    organisations: tuple[OrganisationUsed, ...]


class _Wire(msgspec.Struct, frozen=True):
    subject: tuple[_Subject]
    decision: Literal["allow", "deny"]
    mode: Mode
    effective_time: str
    policy: _Policy
    rule_data_digest: _DigestSet
    input_digest: _DigestSet
    build_level: Annotated[int, msgspec.Meta(ge=0, le=3)]
    engine: EngineUsed
    inputs: tuple[EvidenceUsed, ...]
    set_aside: tuple[EvidenceRefused, ...]
    rejected: tuple[EvidenceRefused, ...]
    results: tuple[Finding, ...]
