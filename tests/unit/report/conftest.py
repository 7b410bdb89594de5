"""A chain as a release would leave it, and the same chain with holes and a refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pratique.model.digest import Digest
from pratique.report.chain import (
    Artifact,
    Chain,
    DecisionView,
    EnvironmentState,
    Fact,
    LogHead,
    RuleResult,
    RuleStatus,
    Source,
    Step,
    StepKind,
    Verdict,
)

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
BUILDER = "spiffe://pratique.local/builder"


def number(seed: int) -> Digest:
    return Digest(f"{seed * 0x9E3779B97F4A7C15F39CC0605CEDC835:064x}"[-64:].replace("0", "5"))


def step(kind: StepKind, index: int, summary: str, signer: str, *facts: tuple[str, str]) -> Step:
    return Step(
        kind=kind,
        verdict=Verdict.GOOD,
        summary=summary,
        evidence=number(index + 10),
        log_index=index,
        signer=signer,
        time=START + timedelta(minutes=4 * index),
        facts=tuple(Fact(*fact) for fact in facts),
    )


def release() -> Chain:
    host = "spiffe://pratique.local"
    steps = (
        step(StepKind.RUNNER_CHECK, 3, "31 checks passed", f"{host}/runner", ("profile", "container")),
        step(
            StepKind.BUILD,
            4,
            "built from 12 inputs, all by digest",
            BUILDER,
            ("isolation", "bubblewrap 0.12, user, mount, pid and network namespaces; no network"),
            ("definition", str(number(91))),
        ),
        step(
            StepKind.REBUILD,
            5,
            "bit-identical",
            f"{host}/rebuilder",
            ("varied", "path, timezone, locale, cpus"),
        ),
        step(StepKind.SBOM, 6, "9 components", f"{host}/scanner", ("format", "CycloneDX 1.6")),
        step(
            StepKind.SCAN, 7, "no known vulnerability", f"{host}/scanner", ("advisories", "OSV, 2026-11-19")
        ),
        step(StepKind.DECISION, 8, "passed for production", f"{host}/verifier"),
        step(StepKind.APPROVAL, 9, "ada, for production", "key sha256:77aa…", ("until", "2026-11-27")),
        step(StepKind.APPROVAL, 10, "grace, for production", "key sha256:19cd…", ("until", "2026-11-27")),
        step(
            StepKind.DEPLOYMENT, 11, "live in production", f"{host}/deployer", ("health", "200 after 2 tries")
        ),
    )
    results = (
        RuleResult(
            status=RuleStatus.WARNING,
            code="sbom.licence_unknown",
            msg="h11 0.16.0 states no licence that SPDX knows",
            solution="name the licence in pratique.toml under [licences]",
        ),
        *(
            RuleResult(status=RuleStatus.SUCCESS, code=code, msg=msg)
            for code, msg in [
                ("build.isolated", "built without a network"),
                ("build.pinned", "12 of 12 inputs by digest"),
                ("rebuild.identical", "an independent rebuild gave the same bytes"),
                ("cve.blockers", "no finding of severity high or above"),
            ]
        ),
    )
    decision = DecisionView(
        evidence=number(18),
        passed=True,
        environment="production",
        policy_uri="policy/release.rego",
        policy_digest=number(70),
        decided_at=START + timedelta(minutes=32),
        results=results,
    )
    return Chain(
        artifact=Artifact(name="harbour-1.4.0-py3-none-any.whl", digest=number(1), size=48_213),
        source=Source(
            uri="git+https://git.example/harbour", revision="5f0c9e7d" * 5, authors=("lin@example.org",)
        ),
        steps=steps,
        decisions=(decision,),
        environments=(
            EnvironmentState(
                environment="production",
                phase="live",
                since=START + timedelta(minutes=44),
                deployment_id="d-2026-11-20-1",
            ),
        ),
        trust_root=number(5),
        checkpoint=LogHead(origin="pratique.local", size=14, root=number(6).hex),
    )


@pytest.fixture
def chain() -> Chain:
    return release()
