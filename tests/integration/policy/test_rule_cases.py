"""Each shipped rule with something that it lets pass and something that it does not.

What is expected is what the rule's description says. Evidence with everything in order gives no finding at
all, with every rule at level deny; each case then changes one thing.
"""

from __future__ import annotations

import rule_scenario as r

from pratique.policy.decision import Status


def test_evidence_with_everything_in_order_gives_no_finding() -> None:
    decision = r.decide()
    assert {code: [one.msg for one in found] for code, found in r.findings(decision).items()} == {}
    assert {one.code for one in decision.with_status(Status.SKIPPED)} == {
        "vex.applied",
        "vex.reasoned",
        "vex.unused",
    }
