"""OPA's own conformance cases on the default engine: no category may fall below what it once passed.

The floor in `tests/vectors/opa-conformance.json` is what `tests/support/opa_cases.py` counted with the cases
of OPA 1.22.3 and regorus 0.13.0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]
FLOOR = json.loads((TESTS / "vectors" / "opa-conformance.json").read_text())
CASES = os.environ.get("PRATIQUE_OPA_CASES", "")
needs_cases = pytest.mark.skipif(not CASES, reason="PRATIQUE_OPA_CASES names no folder of OPA's cases")


def run_cases(*module: str) -> dict[str, Any]:
    """Give what `opa_cases.py` writes of the wheel, or of the module in a folder."""
    done = subprocess.run(
        [sys.executable, str(TESTS / "support" / "opa_cases.py"), CASES, *module],
        check=True,
        timeout=300,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.interop
@needs_cases
def test_no_category_falls() -> None:
    counts = {
        name: Counter(case["outcome"] for case in cases) for name, cases in run_cases()["cases"].items()
    }
    fallen = {
        name: (floor, counts.get(name))
        for name, floor in FLOOR.items()
        if counts[name]["passed"] < floor["passed"] or counts[name]["failed"] > floor["failed"]
    }
    assert fallen == {}
    assert sum(count["passed"] for count in counts.values()) >= 1700
