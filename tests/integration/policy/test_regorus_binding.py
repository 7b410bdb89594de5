"""The wheel's answers against those of a build of our own of the same crate, case by case.

`PRATIQUE_REGORUS_BINDING` is what `.ci/peers.d/regorus-binding.sh` built. A difference that is not in
`DIFFERENT` fails, and so does one that is listed there and is gone. Why there are two builds: docs/adr/0014.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import policy_scenario as s
import pytest
import rule_scenario
import test_negative_corpus as corpus
import test_rule_cases as rules
from test_opa_conformance import needs_cases, run_cases

from pratique.policy.engine import regorus
from pratique.policy.engine.pool import Worker
from pratique.policy.engine.port import Limits
from pratique.policy.engine.regorus import DISTRIBUTION, RegorusEngine
from pratique.policy.gate import differences, evaluate

if TYPE_CHECKING:
    from pratique.policy.decision import Decision

TOP = Path(__file__).parents[3]
BINDING = os.environ.get("PRATIQUE_REGORUS_BINDING", "")
needs_binding = pytest.mark.skipif(not BINDING, reason="PRATIQUE_REGORUS_BINDING names no build of our own")

# Of OPA's cases, by file and note: the wheel's outcome and ours. The cause is the same in all four: our build
# has no `http.send`, which is an error; the wheel's is a stub without a value, which `with` may replace.
DIFFERENT = {
    "invalidkeyerror/test-invalidkeyerror-0176.yaml invalidkeyerror/invalid keys": ("failed", "passed"),
    "invalidkeyerror/test-invalidkeyerror-0177.yaml invalidkeyerror/missing keys": ("failed", "passed"),
    "withkeyword/test-with-builtin-mock.yaml withkeyword/builtin: http.send example": ("passed", "refused"),
    "withkeyword/test-with-builtin-mock.yaml withkeyword/builtin: nested, multiple mocks": (
        "refused",
        "refused",
    ),
}
# Denied for the time, memory or stack they take, which is the build's own: the words may differ.
COSTLY = {"endless loop", "huge memory", "huge output", "very long expression"}


class OwnBuild(RegorusEngine):
    """The engine with our build: no other `regorus` is on its processes' import path."""

    def _start(self) -> Worker:
        source = str(TOP / "src")
        return Worker([str(regorus._WORKER), BINDING, source], regorus._ENVIRONMENT, self.limits)


LIMITS = Limits(output_bytes=100_000)
WHEEL, OWN = RegorusEngine(LIMITS), OwnBuild(LIMITS)


@pytest.mark.interop
@needs_binding
@needs_cases
def test_opas_cases_come_out_the_same() -> None:
    wheel, own = run_cases(), run_cases(BINDING)
    assert Path(own["module"]).is_relative_to(BINDING)
    assert not Path(wheel["module"]).is_relative_to(BINDING)
    assert sum(len(cases) for cases in own["cases"].values()) >= 2400
    assert {name: len(cases) for name, cases in own["cases"].items()} == {
        name: len(cases) for name, cases in wheel["cases"].items()
    }
    pairs = [
        (f"{category}/{one['file']} {one['note']}", one, other)
        for category, cases in wheel["cases"].items()
        for one, other in zip(cases, own["cases"][category], strict=True)
        if one != other
    ]
    assert [pair for pair in pairs if pair[0] not in DIFFERENT] == []
    assert {name: (one["outcome"], other["outcome"]) for name, one, other in pairs} == DIFFERENT


@pytest.mark.interop
@needs_binding
@pytest.mark.parametrize("name", corpus.CORPUS)
def test_what_must_deny_is_denied_in_the_same_words(name: str) -> None:
    source, _ = corpus.CORPUS[name]
    one, other = (evaluate(s.gate_input(), corpus.bundle(source), engine).decision for engine in (WHEEL, OWN))
    assert not other.allowed
    if name in COSTLY:
        assert codes(one) == codes(other)
    else:
        assert one.results == other.results
        assert differences(one, other) == ()


@pytest.mark.interop
@needs_binding
@pytest.mark.parametrize("code", ["", *rules.CASES])
def test_a_shipped_rule_finds_the_same(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for case in rules.CASES[code] if code else [rules.Bad({}, "")]:
        decisions = []
        for engine in (WHEEL, OWN):
            monkeypatch.setattr(rule_scenario, "ENGINE", engine)
            decisions.append(
                rule_scenario.decide(
                    case.changes, data=case.data, signers=case.signers, requirements=case.requirements
                )
            )
        one, other = decisions
        assert one.results == other.results
        assert differences(one, other) == ()


def test_the_wheel_says_that_it_is_built_from_the_same_crates() -> None:
    """What its inventory cannot say is where `regorus` itself is from: it has no hash there."""
    locked = locked_crates()
    said = {
        (component["name"], component["version"]): component["hashes"][0]["content"]
        for component in inventory()["components"]
        if "hashes" in component
    }
    both = locked.keys() & said.keys()
    assert len(both) >= 130
    assert {crate: locked[crate] for crate in both} == {crate: said[crate] for crate in both}
    assert locked.keys() >= {("regorus", importlib.metadata.version(DISTRIBUTION))}
    needed_by_what_we_leave_out = {name for name, _ in said.keys() - locked.keys()}
    assert needed_by_what_we_leave_out == {"cobs", "embedded-io", "ordered-float", "postcard"}


def codes(decision: Decision) -> list[Any]:
    return [(result.code, result.status) for result in decision.results]


def locked_crates() -> dict[tuple[str, str], str]:
    lines = (TOP / "requirements" / "rust" / "regorus-binding" / "crates.lock").read_text().splitlines()
    return {(name, version): digest for name, version, digest in (line.split() for line in lines)}


def inventory() -> dict[str, Any]:
    files = importlib.metadata.files(DISTRIBUTION) or ()
    (path,) = (file for file in files if file.match("sboms/*.cyclonedx.json"))
    document: dict[str, Any] = json.loads(path.read_text())
    return document
