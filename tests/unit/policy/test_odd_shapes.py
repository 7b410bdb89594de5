"""What evidence says may have any shape: whoever signed it, it is judged, and stops nobody's judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import policy_scenario as s
import pytest

from pratique.model.predicate import TEE_RESULT
from pratique.policy.shipped import shipped_bundle
from pratique.policy.standing import Assessment, assess

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIN = "refs/heads/main"
ODD = [None, 7, True, "x", "", [], [7], ["x"], {}, {"x": 7}]


def paths(document: Any, path: str = "") -> Iterator[str]:
    """Give every place in a document."""
    below = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in below:
        yield f"{path}{name}"
        if isinstance(value, dict | list):
            yield from paths(value, f"{path}{name}/")


def tee_result() -> dict[str, Any]:
    return {
        "status": "affirming",
        "claims": "example",
        "bound": {"invocationId": "i-1"},
        "referenceValues": {"digest": {"sha256": "7" * 64}},
    }


def provenance() -> dict[str, Any]:
    """Name a TEE result, too, and a source as each build type does."""
    document = s.changed(
        s.provenance(),
        "runDetails/byproducts",
        [
            {"name": "runner-posture", "digest": {"sha256": s.POSTURE_DIGEST.hex}},
            {"name": "tee-result", "digest": {"sha256": s.digest("tee").hex}},
        ],
    )
    parameters = {
        "workflow": {"repository": "https://h/a/b", "ref": MAIN},
        "source": {"uri": f"git+https://h/a/b@{MAIN}"},
    }
    document = s.changed(document, "buildDefinition/resolvedDependencies/0/uri", f"git+https://h/a/b@{MAIN}")
    return s.changed(document, "buildDefinition/externalParameters", parameters)


DEFINITION = s.definition_digest(provenance()["buildDefinition"])
DOCUMENTS: dict[str, dict[str, Any]] = {
    "provenance": provenance(),
    "rebuild": s.changed(s.rebuild(), "definitionDigest/sha256", DEFINITION.hex),
    "runner-posture": s.posture(),
    "tee-result": tee_result(),
}
EVERYTHING = {
    "roles": {"verifier": {"signers": ["spiffe://{trust_domain}/verifier"], "may_sign": ["tee-result"]}},
    "require": {
        "provenance": {
            "expect": {
                "builders": ["spiffe://{trust_domain}/builder"],
                "build_types": ["https://pratique.dev/*/*/*"],
                "sources": ["https://h/a/b"],
                "refs": [MAIN],
                "min_level": 1,
            }
        },
        "rebuild": {"expect": {"min_varied": 1, "independent": True}},
        "tee-result": {
            "command": "x",
            "expect": {"claims": ["example"], "reference_values": [f"sha256:{'7' * 64}"]},
        },
    },
}


REQUIREMENTS = shipped_bundle(requirements=EVERYTHING).requirements


def judged(**changes: Any) -> Assessment:
    documents = DOCUMENTS | changes
    tee = {"predicate_type": TEE_RESULT, "signer": f"{s.DOMAIN}/verifier", "digest": s.digest("tee")}
    items = (
        s.evidence("provenance", documents["provenance"]),
        s.evidence("rebuild", documents["rebuild"]),
        s.evidence("runner-posture", documents["runner-posture"], subjects=(DEFINITION,)),
        s.evidence("runner-posture", documents["tee-result"], subjects=(DEFINITION,), **tee),
    )
    return assess(s.gate_input(items), REQUIREMENTS)


def test_the_shapes_as_they_should_be() -> None:
    assert {label for label, _ in judged().met} == set(DOCUMENTS)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("short", DOCUMENTS)
def test_no_shape_stops_the_judgement(short: str, odd: Any) -> None:
    for path in paths(DOCUMENTS[short]):
        judged(**{short: s.changed(DOCUMENTS[short], path, odd)})
