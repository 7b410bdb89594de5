"""Has every source's rules evaluated, each by itself, and collects what they found.

An answer that cannot be relied on is an error of that source, and denies; the other sources are judged all
the same, so that a person sees everything at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.model.strict_json import json_of_read
from pratique.policy.decision import Finding, Status
from pratique.policy.engine.port import Answer, Engine, EngineError, Module
from pratique.policy.findings import Judgement, source_findings
from pratique.policy.inputs import attestations_input, conforma_config, evidence_input, nanoseconds
from pratique.policy.language.chains import ROOT, answer_calls
from pratique.policy.language.selection import criteria
from pratique.policy.places import Places
from pratique.policy.rule_data import rule_data_table
from pratique.policy.settings import merge
from pratique.policy.sources import CONFORMA_DATA
from pratique.policy.waivers.waiver import ENGINE_ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.engine.port import Document
    from pratique.policy.evidence import GateInput
    from pratique.policy.sources import Source
    from pratique.policy.standing import Assessment

_AGAINST: Final = {Status.VIOLATION, Status.ERROR}


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """All sources' results, and how they came about.

    Attributes:
        findings: in no particular order.
        isolation: what contained the engine when it answered; empty if it never did.
        versions: of Rego, sorted.
    """

    findings: tuple[Finding, ...]
    isolation: tuple[str, ...]
    versions: tuple[str, ...]


def judge(bundle: PolicyBundle, gate_input: GateInput, assessment: Assessment, engine: Engine) -> Judged:
    """Evaluate every source, the policy itself first."""
    findings: list[Finding] = []
    isolation: tuple[str, ...] = ()
    owners: dict[str, str] = {}
    places = Places(assessment.standing)
    for source in (bundle.main, *bundle.sources):
        judgement = Judgement(
            source=source,
            levels=bundle.data.levels if source.main else {},
            foreign=frozenset() if source.main else frozenset(bundle.rules),
            standing=assessment.standing,
            places=places,
            effective_time=gate_input.effective_time,
            criteria=criteria(source.selection, gate_input.subject, gate_input.effective_time),
        )
        try:
            document = json_of_read(document_of(source, gate_input, assessment))
            answer = ask(source, bundle, engine, document, nanoseconds(gate_input))
            isolation = isolation or answer.isolation
            found = source_findings(judgement, answer.sets)
            _check_owners(source, found, owners)
        except EngineError as error:
            found = _engine_error(error, source)
        findings += found
    versions = sorted({source.rego for source in (bundle.main, *bundle.sources)})
    return Judged(findings=tuple(findings), isolation=isolation, versions=tuple(versions))


def skip_dependents(results: Iterable[Finding], bundle: PolicyBundle) -> list[Finding]:
    """Skip what depends on a code that stands against the artifact (Conforma's `depends_on`).

    What stands denies already, so skipping never changes a verdict; therefore after waivers, and only here.
    Rules that depend on each other in a circle are all judged: each could only be skipped for another.
    """
    results = list(results)
    depends = {
        code: info.depends_on
        for source in (bundle.main, *bundle.sources)
        for code, info in source.rules.items()
        if info.depends_on
    }
    depends = {
        code: tuple(item for item in needed if not _reaches(depends, item, code))
        for code, needed in depends.items()
    }
    causes = {result.code: result.code for result in results if result.status in _AGAINST}
    skipped: dict[str, str] = {}
    while more := _blocked(depends, causes.keys() | skipped.keys(), skipped):
        skipped |= more
    told: set[str] = set()
    kept = []
    for result in results:
        if result.code not in skipped or result.status in {Status.ERROR, Status.WAIVED}:
            kept.append(result)
        elif result.code not in told:
            told.add(result.code)
            kept.append(_skipped(result, f"depends on {skipped[result.code]}, which does not hold"))
    return kept


def ask(source: Source, bundle: PolicyBundle, engine: Engine, document: Document, now: float) -> Answer:
    """Have one source's rules evaluated.

    Args:
        source: whose rules.
        bundle: the policy it is a part of.
        engine: evaluates.
        document: what the rules see as `input`, in the shape the source asks for.
        now: the effective time, in nanoseconds since 1970.

    Raises:
        EngineError: no answer that can be relied on.
    """
    modules, data = prepared(source, bundle, now)
    return engine.evaluate(modules, data, document)


def document_of(source: Source, gate_input: GateInput, assessment: Assessment) -> dict[str, Any]:
    """Give what a source's rules see as `input`, in the shape it asks for."""
    shape = attestations_input if source.input == "attestations" else evidence_input
    return shape(gate_input, assessment)


def prepared(source: Source, bundle: PolicyBundle, now: float) -> tuple[dict[str, Module], dict[str, Any]]:
    """Give what an engine is asked with: the modules, calls of known answer replaced, and `data`."""
    modules = source.modules
    data = _source_data(source, bundle, now)
    if not source.main:
        modules, answers = answer_calls(source.modules, source.outlines, now)
        data |= {ROOT: answers} if answers else {}
    return {name: Module(source=text, rego=source.rego) for name, text in modules.items()}, data


def _source_data(source: Source, bundle: PolicyBundle, now: float) -> dict[str, Any]:
    """Give what a source's rules see below `data`: the policy's rule data, overlaid with the source's own."""
    data: dict[str, Any] = {"rule_data": rule_data_table(bundle.data)}
    if source.main:
        return data
    data |= {key: {} for key in CONFORMA_DATA}
    if source.input == "attestations":
        data["config"] = conforma_config(now)
    return merge(data, source.data)


def _blocked(
    depends: Mapping[str, tuple[str, ...]], down: Iterable[str], known: Mapping[str, str]
) -> dict[str, str]:
    down = set(down)
    return {
        code: first
        for code, needed in depends.items()
        if code not in known and (first := next((item for item in needed if item in down), ""))
    }


def _reaches(depends: Mapping[str, tuple[str, ...]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    pending = [start]
    while pending:
        code = pending.pop()
        if code == goal:
            return True
        if code not in seen:
            seen.add(code)
            pending += depends.get(code, ())
    return False


def _skipped(result: Finding, why: str) -> Finding:
    return Finding(
        code=result.code,
        status=Status.SKIPPED,
        msg=why,
        title=result.title,
        severity=result.severity,
        controls=result.controls,
    )


def _check_owners(source: Source, found: Iterable[Finding], owners: dict[str, str]) -> None:
    """Refuse a code that another source reports too: nobody could tell whose it is, nor waive one alone."""
    for code in sorted({result.code for result in found if not result.code.startswith("policy.")}):
        if owners.setdefault(code, source.name) != source.name:
            raise EngineError(
                "eval", f"code {code} is reported by source {owners[code]} too; rename the package of one"
            )


def _engine_error(error: EngineError, source: Source) -> list[Finding]:
    failed = Finding(
        code=ENGINE_ERROR,
        status=Status.ERROR,
        msg=f"{error.phase}: {error.message}" + ("" if source.main else f" (source {source.name})"),
        title="The rules could be evaluated",
        severity="critical",
        term=(error.phase,) if source.main else (error.phase, source.name),
        solution="Correct the rule, or the evidence it stumbles over.",
    )
    skipped = [
        Finding(
            code=code,
            status=Status.SKIPPED,
            msg="the rules could not be evaluated",
            title=info.title,
            severity=info.severity,
            controls=info.controls,
        )
        for code, info in sorted(source.rules.items())
    ]
    return [failed, *skipped]
