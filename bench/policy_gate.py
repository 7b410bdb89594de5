"""Latency of one gate decision on a realistic input: provenance and an SBOM of 300 components, 50 findings.

Cold: a new engine object and a newly loaded bundle, as one command does. Warm: both are kept, as a server
does; each decision is still a process of its own. Peers, where `PRATIQUE_OPA` and `PRATIQUE_CONFTEST` name
them: the same rules over the same input on their command line, which is Rego alone, without the trust layer.
Run: `python bench/policy_gate.py [rounds]`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "unit" / "policy"))

import policy_scenario as s

from pratique.model.strict_json import canonical_json
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.policy.engine.port import Answer, Module
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


class Recorder(RegorusEngine):
    """Writes down what it is asked, for others to be asked the same."""

    def __init__(self, folder: Path) -> None:
        """Write below a folder."""
        super().__init__()
        self.folder = folder

    def evaluate(
        self, modules: Mapping[str, Module], data: dict[str, Any], document: dict[str, Any]
    ) -> Answer:
        """See `port.Engine`."""
        (self.folder / "policy").mkdir()
        for name, module in modules.items():
            (self.folder / "policy" / name).write_text(module.source)
        (self.folder / "data.json").write_bytes(canonical_json(data))
        (self.folder / "input.json").write_bytes(canonical_json(document))
        return super().evaluate(modules, data, document)


def peers(folder: Path) -> dict[str, list[str]]:
    """Give the command lines of other programs that evaluate the same rules over the same input."""
    rules = folder / "policy"
    found = {}
    if opa := os.environ.get("PRATIQUE_OPA"):
        found["opa eval"] = [opa, "eval", "-f", "json", "-d", str(rules), "-d", str(folder / "data.json")]
        found["opa eval"] += ["-i", str(folder / "input.json"), "data.pratique"]
    if conftest := os.environ.get("PRATIQUE_CONFTEST"):
        found["conftest test"] = [conftest, "test", "--policy", str(rules), "--all-namespaces", "-o", "json"]
        found["conftest test"] += ["--data", str(folder / "data.json"), str(folder / "input.json")]
    return found


def evaluated(command: list[str]) -> None:
    """Run a peer; conftest's exit code says whether a rule denied, which is no failure of the run."""
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr[:500]
    assert done.stdout.strip(), done.stderr[:500]


def main() -> None:
    """Print the distributions, measured in turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    gate_input = realistic()
    bundle, engine = shipped_bundle(), RegorusEngine()
    gated = evaluate(gate_input, bundle, engine)
    assert gated.decision.allowed, gated.decision.results[:3]
    print(f"input {len(gated.input_bytes)} bytes, policy {len(gated.policy_bytes)} bytes, {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        evaluate(gate_input, bundle, Recorder(Path(folder)))
        cases: dict[str, Callable[[], object]] = {
            "warm": lambda: evaluate(gate_input, bundle, engine),
            "cold": lambda: evaluate(gate_input, shipped_bundle(), RegorusEngine()),
        }
        for name, command in peers(Path(folder)).items():
            cases[name] = partial(evaluated, command)
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, decide in cases.items():
                times[name] += measure(1, decide)
    base = statistics.median(times["warm"])
    for name, taken in times.items():
        taken.sort()
        middle, p99 = statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))]
        ratio = f"{middle / base:.1f} × warm"
        print(f"{name}: p50 {middle:.1f} ms, p99 {p99:.1f} ms, {1000 / middle:.1f} a second, {ratio}")


if __name__ == "__main__":
    main()
