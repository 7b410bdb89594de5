"""The gate: evidence and policy in, decision out.

Two layers. The trust layer (`standing`) decides which evidence counts and what is owed. Rego then sees only
the evidence that stands, and can add violations and warnings, never remove one. An artifact passes only if
both layers are silent: any error of the engine, of a rule or in a rule's answer is itself a denial. What lets
a violation pass is people who answer for it by name (`waivers.judge`) or, of a source's own rules alone, what
that source excludes or excepts; and it stays in the record.

Deterministic: the input document and the policy bundle determine the decision to the byte (but for `engine`,
where another engine or machine evaluates them), which is what lets an auditor replay it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.model.clock import format_time
from pratique.model.digest import sha256_bytes
from pratique.model.predicate import short_name
from pratique.model.strict_json import canonical_json
from pratique.policy.bundle import PolicyBundle
from pratique.policy.decision import Decision, EngineUsed, EvidenceRefused, EvidenceUsed, Finding, Status
from pratique.policy.evidence import Evidence, GateInput, parse_input, reread_input
from pratique.policy.results import judge, skip_dependents
from pratique.policy.rule_data import rule_data_table
from pratique.policy.standing import Assessment, assess
from pratique.policy.waivers.judge import apply_waivers, judge_waivers

if TYPE_CHECKING:
    from pratique.policy.engine.port import Engine

REJECTED: Final = "evidence.rejected"
_OWED_TITLE: Final = "Accepted evidence of this kind is there, as it is expected"


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with the bytes it can be replayed from; all three are stored."""

    decision: Decision
    input_bytes: bytes
    policy_bytes: bytes


def evaluate(gate_input: GateInput, bundle: PolicyBundle, engine: Engine) -> Gated:
    """Decide on one artifact.

    Raises:
        MalformedError: evidence that has no canonical JSON form.
    """
    input_bytes, policy_bytes = gate_input.encode(), bundle.encode()
    return Gated(
        decision=_decide(reread_input(input_bytes), input_bytes, bundle, policy_bytes, engine),
        input_bytes=input_bytes,
        policy_bytes=policy_bytes,
    )


def replay(input_bytes: bytes, policy_bytes: bytes, engine: Engine) -> Decision:
    """Decide from stored bytes.

    Raises:
        EvidenceInvalidError: bytes that are no input document or no policy bundle.
    """
    return _decide(
        parse_input(input_bytes), input_bytes, PolicyBundle.parse(policy_bytes), policy_bytes, engine
    )


def _decide(
    gate_input: GateInput, input_bytes: bytes, bundle: PolicyBundle, policy_bytes: bytes, engine: Engine
) -> Decision:
    """Decide on what was read from the bytes, never on what the caller held, so that no replay can differ."""
    assessment = assess(gate_input, bundle.requirements)
    findings = [*_owed(assessment), *_rejected(gate_input)]
    judged = judge(bundle, gate_input, assessment, engine)
    findings += judged.findings
    used = EngineUsed(
        name=engine.name, version=engine.version, rego=",".join(judged.versions), isolation=judged.isolation
    )
    policy = sha256_bytes(policy_bytes)
    waivers = judge_waivers(gate_input, policy, bundle.data.waivers)
    applied = apply_waivers(findings, waivers, bundle.data.waivers)
    results = sorted(skip_dependents(applied.results, bundle), key=lambda result: result.order)
    standing = (item for items in assessment.standing.values() for item in items)
    denied = any(result.status in {Status.VIOLATION, Status.ERROR} for result in results)
    return Decision(
        subject=gate_input.subject,
        name=gate_input.name,
        decision="deny" if denied or not results else "allow",
        mode=bundle.requirements.mode,
        effective_time=format_time(gate_input.effective_time),
        policy=policy,
        organisations=gate_input.organisations,
        rule_data=sha256_bytes(canonical_json(rule_data_table(bundle.data))),
        input=sha256_bytes(input_bytes),
        build_level=assessment.build_level,
        engine=used,
        inputs=tuple(_used(item) for item in (*standing, *applied.used)),
        set_aside=tuple(
            _refused(item.evidence.predicate_type, str(item.evidence.digest), item.reason)
            for item in (*assessment.set_aside, *waivers.set_aside)
        ),
        rejected=tuple(
            _refused(item.predicate_type, str(item.digest), item.reason) for item in gate_input.rejected
        ),
        results=tuple(results),
    )


def differences(recorded: Decision, replayed: Decision) -> tuple[str, ...]:
    """Name the members in which a replay differs from the record; the engine's own description is not one."""
    return tuple(
        name
        for name in Decision.__struct_fields__
        if name != "engine" and getattr(recorded, name) != getattr(replayed, name)
    )


def _owed(assessment: Assessment) -> list[Finding]:
    violations = [
        Finding(
            code=f"evidence.{owed.label}",
            status=Status.VIOLATION,
            msg=owed.message,
            title=_OWED_TITLE,
            severity="critical",
            solution=f"Make it with: {owed.command}",
            evidence=tuple(str(digest) for digest in owed.evidence),
        )
        for owed in assessment.owed
    ]
    met = [
        Finding(
            code=f"evidence.{label}",
            status=Status.SUCCESS,
            title=_OWED_TITLE,
            severity="critical",
            evidence=tuple(str(item.digest) for item in assessment.standing.get(short, ())),
        )
        for label, short in assessment.met
    ]
    spared = [
        Finding(
            code=f"evidence.{label}",
            status=Status.SKIPPED,
            msg="not owed for an artifact of this name",
            title=_OWED_TITLE,
            severity="critical",
        )
        for label in assessment.spared
    ]
    return violations + met + spared


def _rejected(gate_input: GateInput) -> list[Finding]:
    """Evidence that does not verify counts for nothing; that it is there at all is worth a look."""
    return [
        Finding(
            code=REJECTED,
            status=Status.WARNING,
            msg=f"{short_name(item.predicate_type)} evidence {item.digest} did not verify: {item.reason}",
            title="All evidence about the artifact verifies",
            severity="high",
            term=(str(item.digest),),
            solution="Find out where it came from: pratique verify",
            evidence=(str(item.digest),),
        )
        for item in gate_input.rejected
    ]


def _used(item: Evidence) -> EvidenceUsed:
    return EvidenceUsed(
        predicate_type=item.predicate_type,
        digest=str(item.digest),
        signer=item.signer,
        signer_kind=item.signer_kind,
        signer_issuer=item.signer_issuer,
        root=item.root,
        signed_at=format_time(item.signed_at),
        log_index=item.log_index,
    )


def _refused(predicate_type: str, digest: str, reason: str) -> EvidenceRefused:
    return EvidenceRefused(predicate_type=predicate_type, digest=digest, reason=reason)
