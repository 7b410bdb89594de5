"""Conftest's own example policies, as they are, against Conftest itself.

Its module holds them with their inputs; `conftest parse` gives what its rules see, whatever the format.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import policy_scenario as s
import pytest

from pratique.errors import PratiqueError
from pratique.policy.decision import Finding, Status
from pratique.policy.engine.port import Module
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.files import read_data, read_modules
from pratique.policy.findings import Judgement, source_findings
from pratique.policy.language.chains import answer_calls
from pratique.policy.language.selection import Selection, criteria
from pratique.policy.sources import Source, parse_source

CONFTEST = os.environ.get("PRATIQUE_CONFTEST", "")
EXAMPLES = Path(os.environ.get("PRATIQUE_CONFTEST_EXAMPLES") or "absent")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="PRATIQUE_CONFTEST_EXAMPLES names no folder"),
]
ENGINE = RegorusEngine()

# What does not run, and why. OPA refuses `serverless` too: it calls a function that nobody defines.
REFUSED = {
    "builtin-errors": "net.lookup_ip_addr is no function that rules may call",
    "capabilities": "http.send is no function that rules may call",
    "combine/policy": "var `name` used before definition",
    "jenkins/policy": "walk is no function that rules may call",
    "report/policy": "trace is no function that rules may call",
    "report/policy_print": "print is no function that rules may call",
    "serverless/policy": "has_field is no function that rules may call",
}
# Every example that runs and has one document as input: policy folder, input, data.
RUN = [
    ("awssam/policy", "awssam/lambda.yaml", None),
    ("codeowners/policy", "codeowners/CODEOWNERS", None),
    ("compose/policy", "compose/docker-compose.yml", None),
    ("compose/policy", "compose/docker-compose-valid.yml", None),
    ("cue/policy", "cue/deployment.cue", None),
    ("cyclonedx/policy", "cyclonedx/cyclonedx.json", None),
    ("data/policy", "data/service.yaml", "data/exclusions"),
    ("docker/policy", "docker/Dockerfile", None),
    ("dotenv/policy", "dotenv/sample.env", None),
    ("edn/policy", "edn/sample_config.edn", None),
    ("hcl1/policy", "hcl1/gke-show.json", None),
    ("hcl2/policy", "hcl2/terraform.tf", None),
    ("hocon/policy", "hocon/hocon.conf", None),
    ("ignore/dockerignore/policy", "ignore/dockerignore/.dockerignore", None),
    ("ignore/gitignore/policy", "ignore/gitignore/.gitignore", None),
    ("ini/policy", "ini/grafana.ini", None),
    ("jsonnet/policy", "jsonnet/arith.jsonnet", None),
    ("kubernetes/policy", "kubernetes/deployment.yaml", None),
    ("kubernetes/policy", "kubernetes/service.yaml", None),
    ("nginx/policy", "nginx/nginx.conf", None),
    ("properties/policy", "properties/sample.properties", None),
    ("spdx/policy", "spdx/sbom.spdx", None),
    ("textproto/policy", "textproto/fail.textproto", None),
    ("traefik/policy", "traefik/traefik.toml", None),
    ("ts/policy", "ts/pod.ts", None),
    ("vcl/policy", "vcl/varnish.vcl", None),
    ("xml/policy", "xml/pom.xml", None),
]
AT_LEAST = 30


def source(folder: str, data: str | None = None) -> Source:
    """Read an example as a project's source is read."""
    return parse_source(
        {
            "name": "example",
            "modules": read_modules(EXAMPLES / folder),
            "data": read_data([EXAMPLES / data]) if data else {},
        },
        what=folder,
    )


def findings(found: Source, document: Any) -> list[Finding]:
    modules, _ = answer_calls(found.modules, found.outlines, 0.0)
    answer = ENGINE.evaluate(
        {name: Module(source=text) for name, text in modules.items()}, found.data, document
    )
    judgement = Judgement(
        source=found,
        levels={},
        foreign=frozenset(),
        standing={},
        effective_time=s.NOW,
        criteria=criteria(Selection(), s.SUBJECT, s.NOW),
    )
    return source_findings(judgement, answer.sets)


def test_so_many_examples_run_and_the_others_say_why_not() -> None:
    folders = {path.parent.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.rego")}
    folders = {folder for folder in folders if list(source_files(folder))}
    refused = {}
    for folder in sorted(folders):
        try:
            data = "data/exclusions" if folder == "data/policy" else None
            findings(source(folder, data), {})
        except PratiqueError as error:
            refused[folder] = error.message
    assert refused.keys() == REFUSED.keys()
    assert [folder for folder, why in REFUSED.items() if why not in refused[folder]] == []
    assert len(folders) - len(refused) >= AT_LEAST


def source_files(folder: str) -> list[Path]:
    return [path for path in (EXAMPLES / folder).glob("*.rego") if not path.name.endswith("_test.rego")]


def conftest(*arguments: str) -> Any:
    done = subprocess.run(
        [CONFTEST, *arguments], cwd=EXAMPLES, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


STATUSES = {"failures": Status.VIOLATION, "warnings": Status.WARNING}


@pytest.mark.skipif(not CONFTEST, reason="PRATIQUE_CONFTEST names no program")
@pytest.mark.parametrize(("folder", "document", "data"), RUN, ids=[f"{run[1]}" for run in RUN])
def test_an_example_finds_what_it_finds_in_conftest(folder: str, document: str, data: str | None) -> None:
    more = ["--data", data] if data else []
    checks = conftest("test", document, "--policy", folder, "--all-namespaces", "--output", "json", *more)
    theirs = Counter(
        (check["namespace"], status, result["msg"])
        for check in checks
        for name, status in STATUSES.items()
        for result in check.get(name, [])
    )
    ours = Counter(
        (found.code.rpartition(".")[0], found.status, found.msg)
        for found in findings(source(folder, data), conftest("parse", document))
        if found.status in STATUSES.values()
    )
    assert ours == theirs


@pytest.mark.skipif(not CONFTEST, reason="PRATIQUE_CONFTEST names no program")
def test_an_exception_of_conftest_is_one_here() -> None:
    documents = conftest("parse", "exceptions/deployments.yaml")
    checks = conftest(
        "test", "exceptions/deployments.yaml", "--policy", "exceptions/policy", "--output", "json"
    )
    theirs = Counter(
        {name: sum(len(check.get(name, [])) for check in checks) for name in ("failures", "exceptions")}
    )
    found = source("exceptions/policy")
    ours = Counter(result.status for document in documents for result in findings(found, document))
    assert theirs["exceptions"] > 0
    assert ours[Status.WAIVED] == theirs["exceptions"]
    assert ours[Status.VIOLATION] == theirs["failures"]
