"""Latency of one gate decision on a realistic input: provenance and an SBOM of 300 components, 50 findings.

Under the whole shipped policy, and under 16 of its rules. Cold: a new engine object and a newly loaded
bundle, as one command does. Warm: both are kept, as a server does; each decision is still a process of its
own. Processor time is that of this process and all below it. Peers, where `PRATIQUE_OPA` and
`PRATIQUE_CONFTEST` name them: the same rules over the same input on their command line, which is Rego alone,
without the trust layer.
`PRATIQUE_COSIGN` adds what cosign does instead of a gate: a process verifies one attestation of a blob, its
signature, certificate and log proof, offline against a trusted root, and judges nothing in it. Our decisions
judge evidence that is verified already, by trust layer and Rego.
Run: `python bench/policy_gate.py [rounds]`.
"""

from __future__ import annotations

import os
import re
import resource
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

from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.policy.bundle import make_bundle
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.engine.request import make_request
from pratique.policy.gate import evaluate
from pratique.policy.rule_data import rule_data_table
from pratique.policy.shipped import shipped_bundle
from pratique.policy.trust_file import requirements_table
from pratique.testing.authority import make_world
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.engine.port import Answer, Document, Module
    from pratique.policy.evidence import GateInput

COMPONENTS = 300
FINDINGS = 50
# By package.
FEW = {
    "provenance": ["isolated", "inputs-pinned", "builder", "source-clean"],
    "rebuild": ["identical", "varied"],
    "posture": ["measured", "critical"],
    "sbom": ["components", "artifact", "locked"],
    "vulns": ["threshold", "exploited", "coverage", "database-age"],
    "vex": ["applied"],
    "findings": [],
}
_RULE = re.compile(
    r"# METADATA\n(?:#.*\n)*?#   short_name: (?P<name>.*)\n(?:#.*\n)*"
    r"(?:(?:deny|warn) contains finding if \{\n(?:\t.*\n|\n)*\}\n\n?)+"
)


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


def few_rules() -> PolicyBundle:
    """Load the shipped policy with 16 of its rules, and what these use."""
    shipped = shipped_bundle()
    modules = {}
    for package, names in FEW.items():
        text = shipped.modules[f"{package}.rego"]
        modules[f"{package}.rego"] = _RULE.sub(
            lambda rule, names=names: rule[0] if rule["name"] in names else "", text
        )
    codes = {f"{package}.{name}" for package, names in FEW.items() for name in names}
    data = rule_data_table(shipped.data)
    data["levels"] = {code: level for code, level in data["levels"].items() if code in codes}
    bundle = make_bundle(modules, data, requirements_table(shipped.requirements))
    assert bundle.rules.keys() == codes, bundle.rules.keys() ^ codes
    return bundle


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

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: Document) -> Answer:
        """See `port.Engine`."""
        (self.folder / "policy").mkdir()
        for name, module in modules.items():
            (self.folder / "policy" / name).write_text(module.source)
        (self.folder / "data.json").write_bytes(canonical_json(data))
        (self.folder / "input.json").write_bytes(make_request(modules, data, document, self.limits).document)
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


def cosign(folder: Path, program: str) -> list[str]:
    """Write a blob with a signed attestation, and give the command line that verifies it."""
    world = make_world(folder)
    blob = folder / "app"
    blob.write_bytes(b"an application\n")
    subject = Subject("app", sha256_bytes(blob.read_bytes()).digest_set)
    statement = Statement((subject,), "https://slsa.dev/provenance/v1", {"answer": 42})
    bundle, root = folder / "bundle.json", folder / "root.json"
    bundle.write_bytes(world.log.append(world.authority.signer("builder").sign(statement)))
    root.write_bytes(world.authority.trusted_root.data)
    return [
        *(program, "verify-blob-attestation", f"--bundle={bundle}", f"--trusted-root={root}"),
        *("--type=slsaprovenance1", "--use-signed-timestamps"),
        "--certificate-identity=spiffe://pratique.local/builder",
        *("--certificate-oidc-issuer=https://pratique.local/pratique", str(blob)),
    ]


def verified(command: list[str]) -> None:
    """Run cosign, which must accept."""
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[:500]


def evaluated(command: list[str]) -> None:
    """Run a peer; conftest's exit code says whether a rule denied, which is no failure of the run."""
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr[:500]
    assert done.stdout.strip(), done.stderr[:500]


def compare(gate_input: GateInput, load: Callable[[], PolicyBundle], rounds: int) -> None:
    """Print the distributions for one policy, measured in turns."""
    bundle, engine = load(), RegorusEngine()
    gated = evaluate(gate_input, bundle, engine)
    assert gated.decision.allowed, gated.decision.results[:3]
    sizes = f"input {len(gated.input_bytes)} bytes, policy {len(gated.policy_bytes)} bytes"
    print(f"{len(bundle.rules)} rules, {sizes}, {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        evaluate(gate_input, bundle, Recorder(Path(folder)))
        cases: dict[str, Callable[[], object]] = {
            "warm": lambda: evaluate(gate_input, bundle, engine),
            "cold": lambda: evaluate(gate_input, load(), RegorusEngine()),
        }
        for name, command in peers(Path(folder)).items():
            cases[name] = partial(evaluated, command)
        if program := os.environ.get("PRATIQUE_COSIGN"):
            signed = Path(folder) / "signed"
            signed.mkdir()
            cases["cosign verify-blob-attestation"] = partial(
                verified, cosign(Path(folder) / "signed", program)
            )
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, decide in cases.items():
                times[name] += measure(1, decide)
    base = statistics.median(times["warm"])
    for name, taken in times.items():
        taken.sort()
        middle, p99 = statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))]
        ratio = f"{middle / base:.1f} × warm"
        print(f"  {name}: p50 {middle:.1f} ms, p99 {p99:.1f} ms, {1000 / middle:.1f} a second, {ratio}")
    engine.close()
    print(f"  processor time of a warm decision: {processor(gate_input, bundle, rounds):.1f} ms")


def processor(gate_input: GateInput, bundle: PolicyBundle, rounds: int) -> float:
    """Give milliseconds of processor time per warm decision; what starting takes is taken off."""
    spent = []
    for count in (1, 1 + rounds):
        engine = RegorusEngine()
        start = _processor_seconds()
        for _ in range(count):
            evaluate(gate_input, bundle, engine)
        engine.close()
        spent.append(_processor_seconds() - start)
    return (spent[1] - spent[0]) * 1000 / rounds


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Measure both policies."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    gate_input = realistic()
    compare(gate_input, shipped_bundle, rounds)
    compare(gate_input, few_rules, rounds)


if __name__ == "__main__":
    main()
