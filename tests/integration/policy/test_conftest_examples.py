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
from patience import PATIENT

from pratique.errors import PratiqueError
from pratique.policy.decision import Finding, Status
from pratique.policy.engine.port import Module
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.files import read_data, read_modules
from pratique.policy.findings import Judgement, source_findings
from pratique.policy.language.chains import answer_calls
from pratique.policy.language.selection import Selection, criteria
from pratique.policy.places import Places
from pratique.policy.sources import Source, parse_source

CONFTEST = os.environ.get("PRATIQUE_CONFTEST", "")
EXAMPLES = Path(os.environ.get("PRATIQUE_CONFTEST_EXAMPLES") or "absent")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="PRATIQUE_CONFTEST_EXAMPLES names no folder"),
]
ENGINE = RegorusEngine(PATIENT)

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
# Examples that run, with an input that `conftest parse` reads: policy folder, input, options.
RUN: list[tuple[str, str, list[str]]] = [
    ("awssam/policy", "awssam/lambda.yaml", []),
    ("codeowners/policy", "codeowners/CODEOWNERS", []),
    ("compose/policy", "compose/docker-compose.yml", []),
    ("compose/policy", "compose/docker-compose-valid.yml", []),
    ("cue/policy", "cue/deployment.cue", []),
    ("cyclonedx/policy", "cyclonedx/cyclonedx.json", []),
    ("data/policy", "data/service.yaml", ["--data", "data/exclusions"]),
    ("docker/policy", "docker/Dockerfile", []),
    ("dotenv/policy", "dotenv/sample.env", []),
    ("edn/policy", "edn/sample_config.edn", []),
    ("hcl1/policy", "hcl1/gke-show.json", []),
    ("hcl2/policy", "hcl2/terraform.tf", []),
    ("hocon/policy", "hocon/hocon.conf", ["--parser", "hocon"]),
    ("ignore/dockerignore/policy", "ignore/dockerignore/.dockerignore", []),
    ("ignore/gitignore/policy", "ignore/gitignore/.gitignore", []),
    ("ini/policy", "ini/grafana.ini", []),
    ("jsonnet/policy", "jsonnet/arith.jsonnet", []),
    ("kubernetes/policy", "kubernetes/deployment.yaml", []),
    ("kubernetes/policy", "kubernetes/service.yaml", []),
    ("kubernetes/policy", "kubernetes/deployment+service.yaml", []),
    ("kustomize/policy", "kustomize/deployment.yaml", []),
    ("kustomize/policy", "kustomize/service.yaml", []),
    ("configfile/test", "configfile/deployment.yaml", []),
    ("nginx/policy", "nginx/nginx.conf", []),
    ("properties/policy", "properties/sample.properties", []),
    ("spdx/policy", "spdx/sbom.spdx", []),
    ("traefik/policy", "traefik/traefik.toml", []),
    ("vcl/policy", "vcl/varnish.vcl", []),
    ("xml/policy", "xml/pom.xml", []),
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
        places=Places({}),
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
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def documents(path: str, *options: str) -> list[Any]:
    """Give what Conftest evaluates one by one: each of a list, as of a file with several YAML documents."""
    parsed = conftest("parse", path, *options)
    return parsed if isinstance(parsed, list) else [parsed]


STATUSES = {"failures": Status.VIOLATION, "warnings": Status.WARNING}


@pytest.mark.skipif(not CONFTEST, reason="PRATIQUE_CONFTEST names no program")
@pytest.mark.parametrize(("folder", "path", "options"), RUN, ids=[run[1] for run in RUN])
def test_an_example_finds_what_it_finds_in_conftest(folder: str, path: str, options: list[str]) -> None:
    asked = ("test", path, "--policy", folder, "--all-namespaces", "--output", "json", *options)
    theirs = Counter(
        (check["namespace"], status, result["msg"])
        for check in conftest(*asked)
        for name, status in STATUSES.items()
        for result in check.get(name, [])
    )
    data = options[1] if "--data" in options else None
    found = source(folder, data)
    parsing = options if "--parser" in options else []
    ours = Counter(
        (result.code.rpartition(".")[0], result.status, result.msg)
        for document in documents(path, *parsing)
        for result in findings(found, document)
        if result.status in STATUSES.values()
    )
    assert ours == theirs


@pytest.mark.skipif(not CONFTEST, reason="PRATIQUE_CONFTEST names no program")
def test_an_exception_of_conftest_is_one_here() -> None:
    checks = conftest(
        "test", "exceptions/deployments.yaml", "--policy", "exceptions/policy", "--output", "json"
    )
    theirs = Counter(
        {name: sum(len(check.get(name, [])) for check in checks) for name in ("failures", "exceptions")}
    )
    found = source("exceptions/policy")
    ours = Counter(
        result.status
        for document in documents("exceptions/deployments.yaml")
        for result in findings(found, document)
    )
    assert theirs["exceptions"] > 0
    assert ours[Status.WAIVED] == theirs["exceptions"]
    assert ours[Status.VIOLATION] == theirs["failures"]
