"""Profiles, the posture as a whole, and its predicate against the published schema."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pratique.model.finding import Result
from pratique.runner.check import Profile
from pratique.runner.context import describe, detect_profile
from pratique.runner.posture import measure, predicate
from pratique.runner.table import CHECKS

Machine = Any  # the class in conftest.py, which cannot be imported
DAY = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
SCHEMA = Path(__file__).parents[3] / "docs" / "spec" / "runner-posture.schema.json"


def whole(machine: Machine) -> None:
    machine.write("/proc/2/comm", "kthreadd\n")
    machine.write("/proc/self/mountinfo", "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n")


def test_a_machine_without_kernel_threads_is_a_container(machine: Machine) -> None:
    assert detect_profile(machine.probe()) is Profile.CONTAINER


def test_kernel_threads_and_no_mark_make_a_whole_machine(machine: Machine) -> None:
    whole(machine)
    assert detect_profile(machine.probe()) is Profile.VM
    machine.environ["RUNNER_ENVIRONMENT"] = "github-hosted"
    assert detect_profile(machine.probe()) is Profile.HOSTED


def test_a_variable_cannot_turn_a_container_into_a_hosted_machine(machine: Machine) -> None:
    machine.environ["RUNNER_ENVIRONMENT"] = "github-hosted"
    assert detect_profile(machine.probe()) is Profile.CONTAINER


def test_a_container_that_shares_the_process_table_is_a_container(machine: Machine) -> None:
    machine.write("/proc/2/comm", "kthreadd\n")
    machine.write("/.dockerenv", "")
    assert detect_profile(machine.probe()) is Profile.CONTAINER


def test_a_micro_vm_made_from_a_container_image_is_a_whole_machine(machine: Machine) -> None:
    whole(machine)
    machine.write("/.dockerenv", "")
    assert detect_profile(machine.probe()) is Profile.VM


@pytest.mark.parametrize("sign", ["env", "token"])
def test_a_pod_is_known_by_its_cluster(machine: Machine, sign: str) -> None:
    whole(machine)
    if sign == "env":
        machine.environ["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
    else:
        machine.write("/var/run/secrets/kubernetes.io/serviceaccount/token", "x")
    assert detect_profile(machine.probe()) is Profile.KUBERNETES


def test_context_says_what_is_known_and_unknown_otherwise(machine: Machine) -> None:
    assert describe(machine.probe()) == {
        "kernel": "6.12.0-test",
        "os": "Test Linux 1",
        "machine": "x86_64",
        "user": f"uid {os.getuid() or 1000}",
        "virtualization": "hypervisor",
        "detectedProfile": "container",
        # printf '{"machineId":"0123…cdef","scope":"https://pratique.dev/machine/v1"}' | sha256sum
        "identity": "sha256:e9dcb3d418345cb52453644053058731a8c2cb0152cea48e8f3e7cdef6f40ec4",
        "boot": "9a8b7c6d-0000-4000-8000-000000000001",
    }
    machine.write("/sys/class/dmi/id/product_name", "VMware7,1\n")
    assert describe(machine.probe())["virtualization"] == "vmware"
    for path in (
        "/proc/self/status",
        "/etc/os-release",
        "/etc/machine-id",
        "/proc/cpuinfo",
        "/sys/class/dmi/id/product_name",
    ):
        machine.remove(path)
    found = describe(machine.probe())
    for name in ("user", "os", "virtualization", "identity"):
        assert found[name] == "unknown"


def test_posture_runs_every_check_once_and_counts(machine: Machine) -> None:
    machine.environ["LD_PRELOAD"] = "/x.so"
    machine.remove("/proc/net/tcp")
    posture = measure(machine.probe(), clock=lambda: DAY, invocation_id="build-1", nonce="n-1")
    assert [finding.id for finding in posture.findings] == [check.id for check in CHECKS]
    assert len({check.id for check in CHECKS}) == len(CHECKS) == 38
    assert posture.count(Result.FAIL) == 1
    assert predicate(posture)["summary"] == {
        "pass": len(CHECKS) - 6,
        "fail": 1,
        "notApplicable": 4,
        "unknown": 1,
    }


def test_a_declared_profile_is_stated_beside_the_detected_one(machine: Machine) -> None:
    posture = measure(machine.probe(), profile=Profile.VM, clock=lambda: DAY, invocation_id="b", nonce="n")
    written = predicate(posture)
    assert (written["profile"], written["context"]["detectedProfile"]) == ("vm", "container")


def test_predicate_follows_the_published_schema(machine: Machine) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    machine.environ["LD_PRELOAD"] = "/x.so"
    posture = measure(machine.probe(), clock=lambda: DAY, invocation_id="build-1", nonce="n-1")
    written = predicate(posture)
    validator.validate(written)
    assert (written["measuredAt"], written["invocationId"], written["nonce"]) == (
        "2026-11-23T01:02:03Z",
        "build-1",
        "n-1",
    )
    for spoiled in (
        written | {"profile": "laptop"},
        written | {"checks": []},
        written | {"nonce": ""},
        {name: value for name, value in written.items() if name != "summary"},
        written | {"checks": [written["checks"][0] | {"result": "ok"}]},
    ):
        assert not validator.is_valid(spoiled)


def test_example_in_the_specification_follows_the_schema() -> None:
    page = (SCHEMA.parent / "runner-posture.md").read_text()
    example = page.partition("```json\n")[2].partition("```")[0]
    statement = json.loads(example)
    assert statement["predicateType"] == "https://pratique.dev/predicate/runner-posture/v1"
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(statement["predicate"])
