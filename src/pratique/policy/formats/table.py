"""The formats a decision can be written in, by the name people give.

`vsa` and `svr` are predicates, unsigned: the gate has signed and journalled a VSA already, and either can be
signed by whoever publishes it elsewhere (`pratique attest`, `cosign attest`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.model.strict_json import canonical_json
from pratique.policy.formats.conftest_json import write_conftest
from pratique.policy.formats.junit import write_junit
from pratique.policy.formats.markdown import write_markdown
from pratique.policy.formats.sarif import write_sarif
from pratique.policy.vsa import svr_predicate, vsa_predicate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.policy.decision import Decision
    from pratique.policy.vsa import Verifier

FORMATS: Final[Mapping[str, Callable[[Decision], bytes]]] = {
    "sarif": write_sarif,
    "junit": write_junit,
    "markdown": write_markdown,
    "conftest": write_conftest,
}

PREDICATES: Final[Mapping[str, Callable[[Decision, Verifier], dict[str, Any]]]] = {
    "vsa": vsa_predicate,
    "svr": svr_predicate,
}


def write_decision(form: str, decision: Decision, verifier: Verifier) -> bytes:
    """Write a decision in one of `FORMATS` or `PREDICATES`."""
    if form in PREDICATES:
        return canonical_json(PREDICATES[form](decision, verifier)) + b"\n"
    return FORMATS[form](decision)
