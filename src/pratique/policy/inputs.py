"""What rules see: the artifact, the time, and the evidence that stands, in one of two shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.model.clock import format_time

if TYPE_CHECKING:
    from pratique.policy.evidence import Evidence, GateInput
    from pratique.policy.standing import Assessment

_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_NANOSECONDS: Final = 1_000_000_000


def evidence_input(gate_input: GateInput, assessment: Assessment) -> dict[str, Any]:
    """Build pratique's shape: the evidence that stands, by short name."""
    return {
        "subject": {"name": gate_input.name, "digest": gate_input.subject.digest_set},
        "effective_time": format_time(gate_input.effective_time),
        "build_level": assessment.build_level,
        "evidence": {
            short: [_evidence(item, assessment) for item in items]
            for short, items in assessment.standing.items()
        },
    }


def attestations_input(gate_input: GateInput, assessment: Assessment) -> dict[str, Any]:
    """Build Conforma's shape (https://conforma.dev/docs/cli/policy_input.html), as far as it has one here.

    `image.ref` is the artifact's name and digest. A statement's signatures are judged already, so that of
    each only the signer is named. There are no `image.files`, `image.config` and no `snapshot`.
    """
    return {
        "image": {"ref": f"{gate_input.name}@{gate_input.subject}"},
        "attestations": [
            {"statement": _statement(item), "signatures": [{"keyid": item.signer}]}
            for items in assessment.standing.values()
            for item in items
        ],
    }


def nanoseconds(gate_input: GateInput) -> float:
    """Give the effective time as Rego's functions do, in nanoseconds since 1970.

    A float, as the number is too large for an integer of canonical JSON; of whole seconds it is exact.
    """
    return float(int(gate_input.effective_time.timestamp()) * _NANOSECONDS)


def conforma_config(now: float) -> dict[str, Any]:
    """Give what Conforma's rules find below `data.config`: the effective time, in nanoseconds since 1970."""
    return {"policy": {"when_ns": now}}


def _statement(item: Evidence) -> dict[str, Any]:
    return {
        "_type": _STATEMENT,
        "subject": [{"digest": subject.digest_set} for subject in sorted(set(item.subjects))],
        "predicateType": item.predicate_type,
        "predicate": item.predicate,
    }


def _evidence(item: Evidence, assessment: Assessment) -> dict[str, Any]:
    document = {
        "digest": str(item.digest),
        "signer": item.signer,
        "issuer": item.signer_issuer,
        "root": item.root,
        "signed_at": format_time(item.signed_at),
        "predicate": item.predicate,
    }
    definition = assessment.definitions.get(item.digest)
    return document | ({"definition_digest": str(definition)} if definition else {})
