"""An image check as evidence: in-toto test-result v0.1 (in-toto/attestation, spec/predicates/test-result.md).

The published predicate names tests and no more, so what was seen travels in extension members: every finding
that failed or stayed unknown, and which base the image names. Readers that do not know them ignore them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

import pratique
from pratique.image.check.run import is_refused
from pratique.model.finding import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pratique.model.finding import Finding

TOOL: Final = "https://pratique.dev/image-check"
FINDINGS: Final = "https://pratique.dev/findings"
FACTS: Final = "https://pratique.dev/image"
_KEYS: Final = "org.opencontainers.image.base."


def check_predicate(findings: Sequence[Finding], names: Mapping[str, str]) -> dict[str, Any]:
    """Write the predicate; its statement's subject is the image's manifest.

    Args:
        findings: of every rule.
        names: the image's labels and annotations, where a base may be named (OCI image spec, annotations).

    Returns:
        `FAILED` where a critical or high rule failed, `WARNED` where another did or one stayed unknown, else
        `PASSED`. A rule that did not apply is in none of the lists.
    """
    against = [one for one in findings if one.result in {Result.FAIL, Result.UNKNOWN}]
    failed = {one.id for one in against if is_refused([one])}
    warned = {one.id for one in against} - failed
    passed = {one.id for one in findings if one.result is Result.PASS} - failed - warned
    return {
        "result": "FAILED" if failed else "WARNED" if warned else "PASSED",
        "configuration": [
            {"name": "pratique image check", "uri": TOOL, "annotations": {"version": pratique.__version__}}
        ],
        "passedTests": sorted(passed),
        "warnedTests": sorted(warned),
        "failedTests": sorted(failed),
        FINDINGS: [msgspec.to_builtins(one) for one in against],
        FACTS: _facts(names),
    }


def _facts(names: Mapping[str, str]) -> dict[str, Any]:
    base = {key: names[_KEYS + key] for key in ("name", "digest") if names.get(_KEYS + key)}
    return {"base": base} if base else {}
