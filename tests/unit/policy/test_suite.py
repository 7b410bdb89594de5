"""Working on a policy: what is found wrong with it, what its tests come to, what sets two apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from policy_scenario import complete, gate_input, rebuild

from pratique.errors import ConfigError, CouldNotCheckError
from pratique.policy.engine.port import Limits
from pratique.policy.engine.port import TestResult as Result
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import parse_source
from pratique.policy.suite.check import check_bundle, check_source
from pratique.policy.suite.diff import compare_decisions, compare_policies
from pratique.policy.suite.report import ranges, report_document, summary, text_lines, write_junit
from pratique.policy.suite.run import FileCoverage, run_tests
from pratique.policy.suite.run import TestReport as Report
from pratique.policy.suite.sarif import encode_problems
from pratique.policy.suite.source import load_source

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.policy.suite.check import Problem

DOMAIN = {"trust_domain": "pratique.local"}
RULE = """\
package own.{name}

import rego.v1

# METADATA
# title: Nothing is called {name}
# custom:
#   short_name: named
deny contains finding if {{
	input.subject.name == "{name}"
	finding := {{"code": "{name}.named", "msg": "{name}"}}
}}
"""


def checked(folder: Path) -> list[tuple[str, int, str]]:
    found = check_source(folder, RegorusEngine(), profile="standard", trust_domain="pratique.local")
    return [(problem.file, problem.line, problem.rule) for problem in found]


def problems(folder: Path) -> tuple[Problem, ...]:
    return check_source(folder, RegorusEngine(), profile="standard", trust_domain="pratique.local")


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.rego").write_text(text)
    return folder


def test_the_shipped_policies_are_without_a_problem() -> None:
    for profile in ("starter", "standard", "high"):
        assert check_bundle(shipped_bundle(profile), RegorusEngine()) == ()


def test_what_the_engine_refuses_is_found_in_each_file(tmp_path: Path) -> None:
    a = RULE.format(name="a").replace('input.subject.name == "a"', "http.send({})")
    b = RULE.format(name="b").replace('input.subject.name == "b"', "count(1, 2) == 3")
    written(tmp_path, a=a, b=b, c=RULE.format(name="c"))
    for name in "abc":
        (tmp_path / f"{name}_test.rego").write_text("")
    assert checked(tmp_path) == [("a.rego", 10, "capability"), ("b.rego", 10, "compile")]


def test_a_reference_in_a_comment_is_none(tmp_path: Path) -> None:
    rule = RULE.format(name="a").replace("deny contains", "\n# data.rule_data.nothing.here\ndeny contains", 1)
    assert checked(written(tmp_path, a=rule, a_test="")) == []
    nested = rule.replace('input.subject.name == "a"', "data.rule_data.vulns.treshold")
    assert checked(written(tmp_path, a=nested)) == [("a.rego", 12, "unset-data")]
    (tmp_path / "data.json").write_text('{"vulns": {"treshold": "low"}}')
    assert [rule for _, _, rule in checked(tmp_path)] == ["policy"]


def test_problems_as_sarif_have_their_places(tmp_path: Path) -> None:
    rule = RULE.format(name="a").replace('"a.named"', '"a.nmaed"')
    log = json.loads(encode_problems(problems(written(tmp_path, a=rule))))
    found = [
        (
            result["ruleId"],
            result["level"],
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"].get("region", {}).get("startLine"),
        )
        for result in log["runs"][0]["results"]
    ]
    assert found == [
        ("untested", "warning", "a.rego", None),
        ("unreported-code", "warning", "a.rego", 5),
        ("undeclared-code", "error", "a.rego", 11),
    ]


def test_a_folder_without_rules_or_tests_is_said(tmp_path: Path) -> None:
    assert checked(tmp_path) == [("", 0, "no-rules")]
    with pytest.raises(ConfigError, match="no such folder"):
        problems(tmp_path / "missing")
    written(tmp_path, a=RULE.format(name="a"))
    bundle = load_source(tmp_path, profile="standard", requirements=DOMAIN)
    with pytest.raises(ConfigError, match="no tests in it"):
        run_tests(tmp_path, bundle, RegorusEngine())


def test_tests_pass_fail_and_leave_lines_unreached(tmp_path: Path) -> None:
    test = """\
package own.a_test

import rego.v1

import data.own.a

test_passes if count(a.deny) == 0 with input as {"subject": {"name": "b"}}

test_fails if count(a.deny) == 1 with input as {"subject": {"name": "b"}}
"""
    written(tmp_path, a=RULE.format(name="a"), a_test=test)
    bundle = load_source(tmp_path, profile="standard", requirements=DOMAIN)
    report = run_tests(tmp_path, bundle, RegorusEngine())
    assert [(result.name, result.line, result.outcome) for result in report.results] == [
        ("test_passes", 7, "pass"),
        ("test_fails", 9, "fail"),
    ]
    assert report.coverage == (FileCoverage(file="a.rego", lines=3, missed=(9, 11)),)  # the head comes last
    assert [
        result.name for result in run_tests(tmp_path, bundle, RegorusEngine(), pattern="pass").results
    ] == ["test_passes"]
    with pytest.raises(ConfigError, match="no test is called"):
        run_tests(tmp_path, bundle, RegorusEngine(), pattern="nothing")


REPORT = Report(
    results=(
        Result(package="p", name="test_a", file="a_test.rego", line=3, outcome="pass"),
        Result(
            package="p", name="test_b", file="a_test.rego", line=5, outcome="fail", message="undefined <\x00>"
        ),
        Result(
            package="examples", name="c.pass.json", file="c.pass.json", line=0, outcome="error", message="no"
        ),
    ),
    coverage=(
        FileCoverage(file="a.rego", lines=8, missed=(3, 7, 8)),
        FileCoverage(file="b.rego", lines=0, missed=()),
    ),
)


TESTS = """package own.b_test

import rego.v1

test_fails if 1 == 2
"""


def test_what_lies_below_a_folder_is_checked_and_tested_as_it_is_loaded(tmp_path: Path) -> None:
    written(tmp_path, a=RULE.format(name="a"), a_test=TESTS.replace("own.b", "own.a"))
    (tmp_path / "sub").mkdir()
    written(tmp_path / "sub", b=RULE.format(name="b").replace('"b.named"', '"b.nmaed"'))
    assert checked(tmp_path) == [
        ("sub/b.rego", 0, "untested"),
        ("sub/b.rego", 5, "unreported-code"),
        ("sub/b.rego", 11, "undeclared-code"),
    ]
    written(tmp_path / "sub", b=RULE.format(name="b"), b_test=TESTS)
    (tmp_path / "sub" / "b.named.pass.json").write_bytes(gate_input(complete()).encode())
    assert checked(tmp_path) == []
    bundle = load_source(tmp_path, profile="standard", requirements=DOMAIN)
    report = run_tests(tmp_path, bundle, RegorusEngine())
    assert [(item.file, item.outcome) for item in report.results] == [
        ("a_test.rego", "fail"),
        ("sub/b_test.rego", "fail"),
        ("sub/b.named.pass.json", "pass"),
    ]


@pytest.mark.parametrize("name", ["b.rego", "b_test.rego", "a.named.deny.json"])
def test_a_link_is_refused_and_not_followed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    written(folder, a=RULE.format(name="a"), a_test=TESTS)
    bundle = load_source(folder, profile="standard", requirements=DOMAIN)
    (tmp_path / "elsewhere").write_text(RULE.format(name="b"))
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="a symbolic link"):
        run_tests(folder, bundle, RegorusEngine())
    if name.endswith(".rego"):
        assert [rule for _, _, rule in checked(folder)] == ["unreadable"]


def test_a_test_without_an_end_is_said_to_be_one_of_them(tmp_path: Path) -> None:
    endless = "count([1 | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000)]) > 1"
    written(tmp_path, a=RULE.format(name="a"), a_test=TESTS.replace("1 == 2", endless))
    bundle = load_source(tmp_path, profile="standard", requirements=DOMAIN)
    engine = RegorusEngine(Limits(wall_seconds=2, memory_bytes=256 << 20))
    with pytest.raises(CouldNotCheckError, match="the test rules did not come to an end: ") as caught:
        run_tests(tmp_path, bundle, engine)
    assert "one of them is enough" in caught.value.hint


def test_a_report_for_people() -> None:
    assert list(text_lines(REPORT, verbose=False)) == [
        "a_test.rego",
        "  ✗ test_b  line 5: undefined <\x00>",
        "c.pass.json",
        "  !: no",
        "a.rego   62.5 %  not reached: 3, 7-8",
        "b.rego  100.0 %",
    ]
    assert "  ✓ test_a" in list(text_lines(REPORT, verbose=True))
    assert summary(REPORT) == "1 passed, 1 failed, 1 in error; 62.5 % of lines reached"
    assert report_document(REPORT)["coverage"]["a.rego"] == {"lines": 8, "missed": [3, 7, 8], "percent": 62.5}


def test_a_report_for_ci() -> None:
    root = ET.fromstring(write_junit(REPORT, seconds=1.5))  # noqa: S314 - written here
    counts = {"tests": "3", "failures": "1", "errors": "1", "skipped": "0"}
    assert root.attrib == {"name": "pratique policy test", "time": "1.500", **counts}
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "undefined <\ufffd>"


@pytest.mark.parametrize(
    ("lines", "text"), [((), ""), ((1,), "1"), ((1, 2), "1-2"), ((1, 3, 4, 5, 9), "1, 3-5, 9")]
)
def test_ranges(lines: tuple[int, ...], text: str) -> None:
    assert ranges(lines) == text


def test_what_sets_two_policies_apart() -> None:
    old, new = shipped_bundle("standard"), shipped_bundle("standard", data={"rebuild": {"min_varied": 3}})
    (change,) = compare_policies(old, new)
    assert (change.part, change.name, change.before, change.after) == ("data", "rebuild.min_varied", 1, 3)
    assert compare_policies(old, old) == ()
    given = gate_input(complete())
    before, after = (evaluate(given, policy, RegorusEngine()).decision for policy in (old, new))
    difference = compare_decisions(before, after)
    assert not difference.flips
    (moved,) = difference.moved
    assert (moved.code, moved.before, moved.after) == ("rebuild.varied", "", "warning (medium)")
    assert not compare_decisions(before, before)


def test_a_verdict_that_flips_is_a_difference() -> None:
    policy = shipped_bundle("standard")
    good, bad = (
        evaluate(gate_input(complete(rebuild=body)), policy, RegorusEngine()).decision
        for body in (rebuild(), rebuild() | {"verdict": "different"})
    )
    difference = compare_decisions(good, bad)
    assert difference.flips
    assert (difference.before, difference.after) == ("allow", "deny")
    assert [(item.code, item.after) for item in difference.moved] == [
        ("rebuild.identical", "violation (critical)")
    ]


def test_a_further_source_is_checked_too() -> None:
    bad = 'package theirs\nimport rego.v1\ndeny contains 1 if ec.oci.blob("x")\n'
    stamp = "package old\ndeny[msg] { time.now_ns() > data.config.policy.when_ns; msg = 1 }\n"
    sources = [
        parse_source({"name": "acme", "modules": {"lib/a.rego": bad}}, what="test"),
        parse_source(
            {"name": "old", "modules": {"o.rego": stamp}, "rego": "v0", "input": "attestations"}, what="test"
        ),
    ]
    (problem,) = check_bundle(shipped_bundle(sources=sources), RegorusEngine())
    assert problem.file.startswith("acme")
    assert (problem.rule, problem.level) == ("capability", "error")
    assert "ec.oci.blob" in problem.message
