"""Latency of one gate decision on a realistic input: provenance and an SBOM of 300 components, 50 findings.

Cold: a new engine object and a newly loaded bundle, as one command does. Warm: both are kept, as a server
does. The engine's process is new for each decision in both. Run: `python bench/policy_gate.py [rounds]`.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "unit" / "policy"))

import policy_scenario as s

from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.policy.evidence import GateInput

COMPONENTS = 300
FINDINGS = 50


def realistic() -> GateInput:
    """Give an input that passes: every component locked, every finding below the threshold."""
    purls = [f"pkg:pypi/package-{number:03}@1.{number}.0" for number in range(COMPONENTS)]
    provenance = s.provenance()
    provenance["buildDefinition"]["resolvedDependencies"] += [
        {"name": purl, "uri": purl, "digest": {"sha256": "f" * 64}, "annotations": {"kind": "dependency"}}
        for purl in purls
    ]
    definition = s.definition_digest(provenance["buildDefinition"])
    sbom = s.sbom()
    sbom["components"] += [s.component(purl.split("/")[1].split("@")[0], purl) for purl in purls]
    sbom["dependencies"] += [{"ref": purl, "dependsOn": []} for purl in purls]
    vulns = s.vulns()
    vulns["scanner"]["result"] = [
        {**s.vulnerability("medium"), "id": f"CVE-2026-{number:04}"} for number in range(FINDINGS)
    ]
    return s.gate_input(
        (
            s.evidence("provenance", provenance),
            s.evidence("runner-posture", subjects=(definition,)),
            s.evidence("rebuild", s.rebuild() | {"definitionDigest": {"sha256": definition.hex}}),
            s.evidence("sbom", sbom),
            s.evidence("vulns", vulns),
        )
    )


def measure(rounds: int, decide: Callable[[], object]) -> list[float]:
    """Give milliseconds per call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        decide()
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times)


def main() -> None:
    """Print both distributions."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    gate_input = realistic()
    bundle, engine = shipped_bundle(), RegorusEngine()
    gated = evaluate(gate_input, bundle, engine)
    assert gated.decision.allowed, gated.decision.results[:3]
    print(f"input {len(gated.input_bytes)} bytes, policy {len(gated.policy_bytes)} bytes, {rounds} rounds")
    for name, decide in (
        ("warm", lambda: evaluate(gate_input, bundle, engine)),
        ("cold", lambda: evaluate(gate_input, shipped_bundle(), RegorusEngine())),
    ):
        times = measure(rounds, decide)
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        print(f"{name}: p50 {statistics.median(times):.1f} ms, p99 {p99:.1f} ms, max {times[-1]:.1f} ms")


if __name__ == "__main__":
    main()
