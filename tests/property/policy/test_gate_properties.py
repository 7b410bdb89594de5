"""What must hold of the gate for any evidence at all."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import policy_scenario as s
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.model.clock import format_time
from pratique.policy.engine.port import Answer, EngineError, Module, RuleSet, TestAnswer
from pratique.policy.evidence import Evidence, GateInput
from pratique.policy.gate import evaluate
from pratique.policy.settings import merge
from pratique.policy.shipped import shipped_bundle
from pratique.policy.standing import assess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.decision import Decision

BUNDLE = shipped_bundle()


class StrictEngine:
    """Denies any rebuild that stands with another verdict, as the shipped rule does, without a process."""

    name = "strict"
    version = "1"

    def test(self, *_: Any) -> TestAnswer:
        raise EngineError("eval", "this engine runs no tests")

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: bytes) -> Answer:
        del modules, data
        bad = [
            {"code": "rebuild.identical", "msg": "different", "evidence": [item["digest"]]}
            for item in json.loads(document)["evidence"].get("rebuild", [])
            if item["predicate"].get("verdict") != "bit-identical"
        ]
        return Answer(
            sets=(RuleSet(package="pratique.rebuild", name="deny", members=tuple(bad)),), isolation=()
        )


def decide(items: tuple[Evidence, ...]) -> Decision:
    return evaluate(s.gate_input(items), BUNDLE, StrictEngine()).decision


OTHERS = st.sampled_from(
    [
        "spiffe://pratique.local/deployer",
        "spiffe://pratique.local/verifier",
        "spiffe://pratique.local/builder/extra",
        "spiffe://evil.example/builder",
        "spiffe://evil.example/scanner",
        "https://pratique.local/scanner",
    ]
)
KEYS = st.sampled_from([f"key:sha256:{digit * 64}" for digit in "123"])


@st.composite
def untrusted(draw: st.DrawFn) -> Evidence:
    """Perfect content, of any age, by an identity that may not sign it, or a key posing as one."""
    short = draw(st.sampled_from(list(s.TYPES)))
    kind = draw(st.sampled_from(["certificate", "key"]))
    good = s.evidence(short)
    signer = draw(OTHERS if kind == "certificate" else st.one_of(KEYS, st.just(good.signer)))
    return s.evidence(
        short,
        digest=draw(st.sampled_from([good.digest, s.digest(draw(st.text(max_size=3)))])),
        signer=signer,
        signer_kind=kind,
        signed_at=s.NOW - timedelta(minutes=draw(st.integers(-60, 600))),
        log_index=draw(st.integers(0, 100)),
    )


@st.composite
def trusted(draw: st.DrawFn) -> Evidence:
    """Evidence by the right identity: good or not, of any age, about this artifact or not."""
    short = draw(st.sampled_from(list(s.TYPES)))
    changes: dict[str, Any] = {"signed_at": s.NOW - timedelta(minutes=draw(st.integers(-60, 60 * 24 * 40)))}
    if draw(st.booleans()):
        changes["digest"] = s.digest(draw(st.text(max_size=3)) + short)
    if draw(st.integers(0, 4)) == 0:
        changes["subjects"] = (s.digest("other"),)
    predicate = None
    if short == "rebuild" and draw(st.booleans()):
        predicate = s.rebuild() | {"verdict": "different"}
    return s.evidence(short, predicate, log_index=draw(st.integers(0, 100)), **changes)


def distinct(items: list[Evidence]) -> tuple[Evidence, ...]:
    """Keep the first of each digest: a digest has one content."""
    return tuple({item.digest: item for item in reversed(items)}.values())


SETS = st.one_of(
    st.lists(st.sampled_from(s.complete()), max_size=5),
    st.lists(trusted(), max_size=6),
    st.lists(trusted(), max_size=3).map(lambda more: [*s.complete(), *more]),
).map(distinct)


@given(SETS, st.lists(untrusted(), max_size=4))
@settings(max_examples=120, deadline=None)
def test_untrusted_evidence_never_changes_the_verdict(
    items: tuple[Evidence, ...], junk: list[Evidence]
) -> None:
    fresh = [item for item in junk if item.digest not in {known.digest for known in items}]
    assert decide(distinct([*items, *fresh])).decision == decide(items).decision


@given(st.sampled_from(list(s.TYPES)), SETS)
@settings(max_examples=80, deadline=None)
def test_without_any_evidence_of_an_owed_type_nothing_passes(short: str, items: tuple[Evidence, ...]) -> None:
    kept = tuple(item for item in items if item.predicate_type != s.TYPES[short][0])
    decision = decide(kept)
    assert not decision.allowed
    assert f"evidence.{short}" in {result.code for result in decision.results}


@given(st.sets(st.sampled_from(list(s.TYPES))), st.booleans())
@settings(max_examples=60, deadline=None)
def test_removing_what_is_owed_never_turns_deny_into_allow(removed: set[str], different: bool) -> None:  # noqa: FBT001
    rebuild = s.rebuild() | ({"verdict": "different"} if different else {})
    items = s.complete(rebuild=rebuild)
    kept = tuple(
        item for item in items if item.predicate_type not in {s.TYPES[short][0] for short in removed}
    )
    assert decide(items).allowed is not different
    assert decide(kept).allowed is (not removed and not different)


@given(SETS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_evidence_leaves_no_trace(items: tuple[Evidence, ...], random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert decide(tuple(shuffled)).encode() == decide(items).encode()


@given(SETS)
@settings(max_examples=80, deadline=None)
def test_what_stands_and_what_is_set_aside_make_up_all_there_is(items: tuple[Evidence, ...]) -> None:
    assessment = assess(s.gate_input(items), BUNDLE.requirements)
    standing = [item for group in assessment.standing.values() for item in group]
    aside = [item.evidence for item in assessment.set_aside]
    assert sorted(item.digest for item in [*standing, *aside]) == sorted(item.digest for item in items)
    assert all(item.signed_at <= s.NOW for item in standing)


@given(SETS, st.integers(0, 60 * 24 * 50))
@settings(max_examples=60, deadline=None)
def test_evidence_from_the_future_has_no_say(items: tuple[Evidence, ...], minutes: int) -> None:
    """A decision as of then is the same whether or not the journal has grown since."""
    then = s.NOW - timedelta(minutes=minutes)
    past = tuple(item for item in items if item.signed_at <= then)

    def at(evidence: tuple[Evidence, ...]) -> str:
        gate_input = GateInput(subject=s.SUBJECT, name="x", effective_time=then, evidence=evidence)
        decision = evaluate(gate_input, BUNDLE, StrictEngine()).decision
        assert decision.effective_time == format_time(then)
        return decision.decision

    assert at(items) == at(past)


TABLES = st.recursive(
    st.integers(), lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3), max_leaves=8
).filter(lambda value: isinstance(value, dict))


@given(TABLES, TABLES)
def test_merging_twice_is_merging_once(base: Any, over: Any) -> None:
    once = merge(base, over)
    assert merge(once, over) == once
    assert set(once) == set(base) | set(over)
