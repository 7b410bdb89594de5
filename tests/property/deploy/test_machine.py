from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pratique.deploy import machine as m
from pratique.deploy.machine import Command, Deployment, Event, Phase, advance, commands_of, replay
from pratique.errors import UsageError
from pratique.model.digest import Digest

digests = st.sampled_from([Digest(letter * 64) for letter in "abc"])
words = st.sampled_from(["x", "y"])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(m.GatePassed, digests),
    st.builds(m.GateRefused, words),
    st.builds(m.QuorumMet, st.lists(digests, max_size=2).map(tuple)),
    st.builds(m.ApprovalNotRequired, words),
    st.builds(m.EvidenceChanged, digests, words),
    st.builds(m.Expired, words),
    st.just(m.RolloutBegan()),
    st.just(m.ReleaseHealthy()),
    st.builds(m.RolloutFailed, words),
    st.just(m.LiveRecorded()),
    st.builds(m.Superseded, words),
    st.builds(m.RolledBack, words),
)
ENDS = {Phase.BLOCKED, Phase.EXPIRED, Phase.FAILED, Phase.ROLLED_BACK, Phase.SUPERSEDED}
TOUCHING = {Command.INSTALL, Command.SWITCH, Command.CHECK_HEALTH}


class Anything(RuleBasedStateMachine):
    """Throws every event at the machine in every order, and keeps its own account of what was accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.state = Deployment()
        self.accepted: list[Event] = []
        self.ended: Deployment | None = None

    @rule(event=events)
    def throw(self, event: Event) -> None:
        before = self.state
        try:
            after, commands = advance(before, event)
        except UsageError:
            return  # and the state stands, which the invariants go on to check
        if event in self.accepted:
            assert (after, commands) == (before, ())
            return
        self.accepted.append(event)
        assert commands == commands_of(after)
        if commands and TOUCHING & set(commands):
            assert m.RolloutBegan() in self.accepted
        self.state = after

    @invariant()
    def live_only_with_gate_and_quorum(self) -> None:
        if self.state.phase not in {Phase.ROLLING_OUT, Phase.VERIFIED, Phase.LIVE}:
            return
        gates = [e for e in self.accepted if isinstance(e, m.GatePassed)]
        consents = [e for e in self.accepted if isinstance(e, m.QuorumMet | m.ApprovalNotRequired)]
        assert gates[-1].decision == self.state.decision
        assert self.accepted.index(gates[-1]) < self.accepted.index(consents[-1])
        withdrawn = [e for e in self.accepted if isinstance(e, m.EvidenceChanged)]
        if withdrawn:
            assert self.accepted.index(withdrawn[-1]) < self.accepted.index(gates[-1])
        last = consents[-1]
        assert self.state.approvals == (last.approvals if isinstance(last, m.QuorumMet) else ())

    @invariant()
    def an_end_is_an_end(self) -> None:
        if self.ended is not None:
            assert self.state == self.ended
        elif self.state.phase in ENDS:
            self.ended = self.state

    @invariant()
    def replaying_gives_the_same_state(self) -> None:
        assert replay(self.accepted) == self.state
        assert replay([*self.accepted, *self.accepted]) == self.state


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)

HAPPY: list[Event] = [
    m.GatePassed(Digest("a" * 64)),
    m.QuorumMet((Digest("b" * 64),)),
    m.RolloutBegan(),
    m.ReleaseHealthy(),
    m.LiveRecorded(),
]


@given(st.lists(st.integers(0, 4), max_size=12))
def test_repeated_and_late_deliveries_do_no_harm(repeats: list[int]) -> None:
    """Each event arrives in order, and any earlier one may arrive again at any time."""
    state = Deployment()
    for step, event in enumerate(HAPPY):
        state, commands = advance(state, event)
        assert commands == commands_of(state)
        for repeat in repeats:
            if repeat <= step:
                assert advance(state, HAPPY[repeat]) == (state, ())
    assert state.phase is Phase.LIVE


def test_the_way_through() -> None:
    phases = [Phase.GATED, Phase.APPROVED, Phase.ROLLING_OUT, Phase.VERIFIED, Phase.LIVE]
    assert [replay(HAPPY[: n + 1]).phase for n in range(5)] == phases
    assert replay([*HAPPY, m.Superseded("next")]).phase is Phase.SUPERSEDED
    assert replay([*HAPPY, m.RolledBack("next")]).phase is Phase.ROLLED_BACK


def test_nothing_is_touched_before_rolling_out_is_recorded() -> None:
    assert commands_of(replay(HAPPY[:2])) == (Command.RECORD_ROLLING_OUT,)
    assert commands_of(replay(HAPPY[:3])) == (Command.INSTALL, Command.SWITCH, Command.CHECK_HEALTH)
    assert commands_of(replay(HAPPY[:4])) == (Command.RECORD_LIVE,)


def test_a_withdrawn_decision_is_never_accepted_again() -> None:
    changed = m.EvidenceChanged(Digest("c" * 64), "CVE-2026-1")
    state = replay([*HAPPY[:2], changed])
    assert (state.phase, state.decision, state.approvals) == (Phase.REQUESTED, None, None)
    assert advance(state, HAPPY[0]) == (state, ())
    state, _ = advance(state, m.GatePassed(Digest("d" * 64)))
    assert state.phase is Phase.GATED


def test_a_quorum_of_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="no quorum"):
        replay([HAPPY[0], m.QuorumMet(())])


def test_an_ended_deployment_says_why_it_takes_nothing_more() -> None:
    with pytest.raises(UsageError, match=r"blocked \(critical CVE\); it takes no QuorumMet"):
        replay([m.GateRefused("critical CVE"), HAPPY[1]])


def test_the_table_is_total() -> None:
    assert set(m._TRANSITIONS) == set(m.Event.__args__)
    assert set(m._COMMANDS) == set(Phase)
    reachable = {phase for _, phase in m._TRANSITIONS.values()} | {Phase.REQUESTED}
    assert reachable == set(Phase)
    assert all(not (allowed & ENDS) for allowed, _ in m._TRANSITIONS.values())
    assert m.TERMINAL == ENDS
