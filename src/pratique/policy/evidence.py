"""What the gate is given: evidence that was verified, evidence that failed to, and the one input document.

The gate never sees a signature. Whoever calls it has verified every bundle and hands over plain values; the
*input document* made of them is canonical JSON (RFC 8785), is stored beside the decision, and holds all
that a decision depends on besides the policy bundle.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from typing import Any, Final, Literal

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time, parse_time
from pratique.model.digest import Digest, parse_digest
from pratique.model.strict_json import MAX_DEPTH, canonical_json, parse_json_object
from pratique.policy.mode import OrganisationUsed  # noqa: TC001 - as above
from pratique.policy.waivers.person import Person, PersonWire, parse_person, person_document
from pratique.policy.witnessed import Cosigned  # noqa: TC001 - as above
from pratique.trust.identity import Identity

INPUT_SCHEMA: Final = "https://pratique.dev/policy-input/v3"
_DEPTH: Final = MAX_DEPTH - 1
"""Of the document; rules see a predicate one level deeper than it stands here (see `inputs`)."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of *already verified* evidence.

    Attributes:
        digest: of the bundle's bytes.
        predicate_type: type URI of the statement's predicate.
        subjects: SHA-256 digests of the statement's subjects.
        predicate: the statement's predicate as parsed.
        signer: the verified identity: a certificate's `spiffe://…`, or `key:sha256:…` of a public key.
        signer_kind: how the identity was proved. A key is never believed to be a SPIFFE identity.
        signer_issuer: who vouched for the certificate's subject; empty for a key.
        root: name of the trusted root behind the signer, where others made it; empty for one's own.
        root_digest: that root's SHA-256 in hex; empty for one's own.
        signed_at: time from the verified timestamp, whole seconds.
        dated: whether somebody says when it was signed; else `signed_at` is when it was recorded.
        log_index: place in the log, which breaks ties between equal times.
        names: what the statement calls its subjects.
    """

    digest: Digest
    predicate_type: str
    subjects: tuple[Digest, ...]
    predicate: dict[str, Any]
    signer: str
    signer_kind: Literal["certificate", "key"]
    signer_issuer: str = ""
    root: str = ""
    root_digest: str = ""
    signed_at: datetime
    dated: bool = True
    log_index: int
    names: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        """The signer as verification established it: two issuers' certificates of one name are two."""
        subject = self.signer.removeprefix("key:sha256:")
        return Identity(self.signer_kind, subject, self.signer_issuer, self.root)

    @property
    def age_order(self) -> tuple[datetime, int, str]:
        """Sorts older before newer, and never ties for two different pieces of evidence."""
        return (self.signed_at, self.log_index, self.digest.hex)


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence about the subject that failed verification, and why; it never counts for anything."""

    digest: Digest
    predicate_type: str
    reason: str


class GateInput(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision depends on besides the policy bundle.

    Attributes:
        subject: the artifact to be decided on.
        name: what people call it; not its identity.
        evidence: verified evidence, in any order.
        rejected: evidence that did not verify.
        effective_time: the moment at which freshness is judged; there is no other clock.
        people: whose the keys are that signed evidence; one entry a key.
        organisations: whose policies the policy bundle was held to.
        cosigned: how much of the log each witness cosigned that the policy names; one entry a witness.
    """

    subject: Digest
    name: str
    effective_time: datetime
    evidence: tuple[Evidence, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    people: tuple[Person, ...] = ()
    organisations: tuple[OrganisationUsed, ...] = ()
    cosigned: tuple[Cosigned, ...] = ()

    def encode(self) -> bytes:
        """Write the input document; the order evidence came in leaves no trace in it.

        Raises:
            MalformedError: a predicate that has no canonical JSON form, one digest for different evidence, or
                one key for different people.
        """
        evidence = {item.digest: item for item in self.evidence}
        if any(item != evidence[item.digest] for item in self.evidence):
            raise MalformedError("policy input: two different pieces of evidence under one digest")
        rejected = {(item.digest, item.reason): item for item in self.rejected}
        people = {item.key: item for item in self.people}
        if any(item != people[item.key] for item in self.people):
            raise MalformedError("policy input: two different people under one key")
        known = [person_document(people[key]) for key in sorted(people)]
        return canonical_json(
            max_depth=_DEPTH,
            value={
                "schema": INPUT_SCHEMA,
                "subject": str(self.subject),
                "name": self.name,
                "effective_time": format_time(self.effective_time),
                "evidence": [evidence_document(evidence[key]) for key in sorted(evidence)],
                "rejected": [_rejected_document(rejected[key]) for key in sorted(rejected)],
                "people": known,
                "organisations": msgspec.to_builtins(self.organisations),
                "cosigned": msgspec.to_builtins(sorted(set(self.cosigned))),
            },
        )


def parse_input(data: bytes) -> GateInput:
    """Read a stored input document back, so that a decision can be replayed.

    Raises:
        MalformedError: not an input document, or not in the canonical form its digest stands for.
    """
    parsed = read_input(data)
    if parsed.encode() != data:
        raise MalformedError("policy input: not in canonical form")
    return parsed


def read_input(data: bytes) -> GateInput:
    """Read an input document in any form; one that a person has edited, for example.

    Raises:
        MalformedError: not an input document.
    """
    document = parse_json_object(data, what="policy input")
    if document.get("schema") != INPUT_SCHEMA:
        raise MalformedError(f"policy input: schema is not {INPUT_SCHEMA}")
    try:
        wire = msgspec.convert(document, _InputWire)
    except msgspec.ValidationError as error:
        raise MalformedError(f"policy input: {error}") from error
    return _gate_input(wire)


def reread_input(data: bytes) -> GateInput:
    """Read back what `GateInput.encode` has just written: nothing is checked again."""
    return _gate_input(_WRITTEN.decode(data))


class _EvidenceWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digest: str
    predicate_type: str
    subjects: list[str]
    predicate: dict[str, Any]
    signer: str
    signer_kind: Literal["certificate", "key"]
    signer_issuer: str
    root: str
    root_digest: str
    signed_at: str
    dated: bool
    log_index: int
    names: list[str]


class _RejectedWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digest: str
    predicate_type: str
    reason: str


class _InputWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    subject: str
    name: str
    effective_time: str
    evidence: list[_EvidenceWire]
    rejected: list[_RejectedWire]
    people: list[PersonWire]
    organisations: list[OrganisationUsed]
    cosigned: list[Cosigned]


_WRITTEN: Final = msgspec.json.Decoder(_InputWire)


def _gate_input(wire: _InputWire) -> GateInput:
    return GateInput(
        subject=parse_digest(wire.subject),
        name=wire.name,
        effective_time=parse_time(wire.effective_time),
        evidence=tuple(_parse_evidence(item) for item in wire.evidence),
        rejected=tuple(
            Rejected(digest=parse_digest(item.digest), predicate_type=item.predicate_type, reason=item.reason)
            for item in wire.rejected
        ),
        people=tuple(parse_person(item) for item in wire.people),
        organisations=tuple(wire.organisations),
        cosigned=tuple(wire.cosigned),
    )


def evidence_document(item: Evidence) -> dict[str, Any]:
    """Give what the input document says of a piece of evidence."""
    return {
        "digest": str(item.digest),
        "predicate_type": item.predicate_type,
        "subjects": [str(subject) for subject in sorted(set(item.subjects))],
        "predicate": item.predicate,
        "signer": item.signer,
        "signer_kind": item.signer_kind,
        "signer_issuer": item.signer_issuer,
        "root": item.root,
        "root_digest": item.root_digest,
        "signed_at": format_time(item.signed_at),
        "dated": item.dated,
        "log_index": item.log_index,
        "names": sorted(set(item.names)),
    }


def _rejected_document(item: Rejected) -> dict[str, Any]:
    return {"digest": str(item.digest), "predicate_type": item.predicate_type, "reason": item.reason}


def _parse_evidence(item: _EvidenceWire) -> Evidence:
    return Evidence(
        digest=parse_digest(item.digest),
        predicate_type=item.predicate_type,
        subjects=tuple(parse_digest(subject) for subject in item.subjects),
        predicate=item.predicate,
        signer=item.signer,
        signer_kind=item.signer_kind,
        signer_issuer=item.signer_issuer,
        root=item.root,
        root_digest=item.root_digest,
        signed_at=parse_time(item.signed_at),
        dated=item.dated,
        log_index=item.log_index,
        names=tuple(item.names),
    )
