"""The real machine, whatever it is: every check comes to a result, and the predicate is valid."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from pratique.model.clock import system_clock
from pratique.model.finding import Result
from pratique.model.strict_json import canonical_json
from pratique.runner.posture import measure, predicate
from pratique.runner.probe import Probe

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="the checks read Linux's own files")
def test_a_real_measurement_follows_the_schema() -> None:
    probe = Probe.of_this_machine(workspace=REPOSITORY)
    posture = measure(probe, clock=system_clock, invocation_id="test", nonce="test-nonce")
    written = predicate(posture)
    schema = json.loads((REPOSITORY / "docs" / "spec" / "runner-posture.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(canonical_json(written)))
    assert sum(written["summary"].values()) == len(posture.findings)
    # These can be read by anybody on any Linux.
    readable = {finding.id: finding.result for finding in posture.findings}
    assert readable["TOO-35"] is not Result.UNKNOWN
    assert readable["NET-19"] is not Result.UNKNOWN


def test_keyed_hashes_differ_from_measurement_to_measurement() -> None:
    probes = [Probe.of_this_machine(workspace=REPOSITORY) for _ in range(2)]
    assert probes[0].hash_key != probes[1].hash_key
    assert len(probes[0].hash_key) == 32
