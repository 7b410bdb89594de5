"""Evidence that too few witnesses have seen does not count, whoever signed it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import policy_scenario as s
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import ConfigError
from pratique.policy.evidence import GateInput, parse_input
from pratique.policy.shipped import shipped_bundle
from pratique.policy.standing import assess
from pratique.policy.strictness import weakenings
from pratique.policy.trust_file import parse_requirements, requirements_table
from pratique.policy.witnessed import Cosigned, WitnessRule, witnessed_size

if TYPE_CHECKING:
    from pratique.policy.requirements import Requirements


def vkey(name: str, seed: int) -> str:
    """A verifier key as C2SP signed-note has it, for cosignature/v1 (type 4)."""
    key = b"\x04" + bytes([seed]) * 32
    digest = hashlib.sha256(name.encode() + b"\n" + key).digest()
    return f"{name}+{digest[:4].hex()}+{base64.b64encode(key).decode()}"


W1, W2, W3 = vkey("w1.example.com", 1), vkey("w2.example.com", 2), vkey("w3.example.com", 3)


def requirements(**witnesses: Any) -> Requirements:
    table = requirements_table(shipped_bundle().requirements)
    return parse_requirements(table | ({"witnesses": witnesses} if witnesses else {}), what="trust.toml")


def given_input(*cosigned: Cosigned) -> GateInput:
    return msgspec.structs.replace(s.gate_input(s.complete()), cosigned=cosigned)


def seen(witness: str, size: int) -> Cosigned:
    return Cosigned(witness=witness, size=size)


def largest_index() -> int:
    return max(item.log_index for item in s.complete())


def test_without_the_setting_nobody_is_asked() -> None:
    assert assess(given_input(), requirements()).owed == ()


def test_enough_witnesses_make_evidence_count() -> None:
    rule = requirements(keys=[W1, W2, W3], threshold=2)
    enough = largest_index() + 1
    assert assess(given_input(seen(W1, enough), seen(W3, enough)), rule).owed == ()


@pytest.mark.parametrize(
    "cosigned",
    [
        (),
        (seen(W1, 1_000),),
        (seen(W1, 1_000), seen(W1, 2_000)),
        (seen(W1, 1_000), seen(vkey("stranger.example.com", 9), 1_000)),
        (seen(W1, 1_000), seen(vkey("w2.example.com", 7), 1_000)),
    ],
    ids=["nobody", "one", "one twice", "a stranger", "another key under a known name"],
)
def test_too_few_make_nothing_count(cosigned: tuple[Cosigned, ...]) -> None:
    found = assess(given_input(*cosigned), requirements(keys=[W1, W2, W3], threshold=2))
    assert found.standing == {}
    assert {owed.label for owed in found.owed} == {"provenance", "rebuild", "runner-posture", "sbom", "vulns"}
    assert "the 2 witnesses that it takes have cosigned 0 entries" in found.owed[0].message
    assert "pratique log collect" in found.owed[0].message


def test_only_what_lies_beyond_the_witnessed_tree_is_set_aside() -> None:
    last = largest_index()
    found = assess(given_input(seen(W1, last)), requirements(keys=[W1]))
    assert {item.evidence.log_index for item in found.set_aside} == {last}


@pytest.mark.parametrize(
    ("witnesses", "complaint"),
    [
        ({"keys": []}, "1 of 0 witnesses can never"),
        ({"keys": [W1], "threshold": 2}, "2 of 1 witnesses can never"),
        ({"keys": [W1, W1]}, "listed twice"),
        ({"keys": [W1, vkey("other.example.com", 1)]}, "listed twice"),
        ({"keys": ["w1.example.com"]}, "trust.toml: witnesses.keys"),
        ({"keys": [W1], "threshold": 0}, "threshold"),
        ({"keys": [W1], "treshold": 1}, "treshold"),
    ],
)
def test_what_could_not_be_met_or_means_less_than_it_says_is_refused(
    witnesses: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        requirements(**witnesses)


def test_the_setting_survives_the_bundle_and_the_facts_the_input_document() -> None:
    rule = requirements(keys=[W1, W2], threshold=2)
    assert parse_requirements(requirements_table(rule), what="again") == rule
    document = given_input(seen(W2, 7), seen(W1, 9), seen(W1, 9))
    assert parse_input(document.encode()).cosigned == (seen(W1, 9), seen(W2, 7))


@pytest.mark.parametrize(
    "laxer", [{}, {"keys": [W1, W2], "threshold": 1}, {"keys": [W1, W2, W3], "threshold": 2}]
)
def test_a_project_cannot_ask_fewer_or_others_than_its_organisation(laxer: dict[str, Any]) -> None:
    floor = requirements(keys=[W1, W2], threshold=2)
    assert weakenings(floor, requirements(**laxer))
    assert not weakenings(floor, floor)
    assert not weakenings(requirements(), floor)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50))), st.integers(1, 4), st.integers(1, 4))
def test_the_size_is_the_largest_that_enough_distinct_witnesses_cover(
    facts: list[tuple[int, int]], count: int, threshold: int
) -> None:
    keys = tuple(vkey(f"w{n}.example.com", n) for n in range(6))
    rule = WitnessRule(keys=keys[:count], threshold=min(threshold, count))
    found = witnessed_size(rule, [seen(keys[who], size) for who, size in facts])

    def covered(size: int) -> int:
        return sum(any(who == n and have >= size for who, have in facts) for n in range(count))

    assert found == max(size for size in range(52) if size == 0 or covered(size) >= rule.threshold)
