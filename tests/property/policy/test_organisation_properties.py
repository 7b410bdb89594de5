"""Merging is monotone: what a project's policy lets pass, the organisation's lets pass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import policy_scenario as s
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import ConfigError
from pratique.policy.organisation import Organisation, floor, verify_held
from pratique.policy.settings import merge
from pratique.policy.shipped import shipped_bundle
from pratique.policy.standing import assess

DOMAIN = "pratique.local"
VERDICTS = ["bit-identical", "different"]
rebuilds = st.fixed_dictionaries(
    {},
    optional={
        "threshold": st.integers(1, 3),
        "max_age_days": st.integers(1, 4),
        "distinct": st.sampled_from(["identities", "keys", "people"]),
        "artifacts": st.sampled_from([["*.tar"], ["*.whl"], ["*.tar", "*.whl"]]),
        "expect": st.fixed_dictionaries(
            {},
            optional={
                "verdicts": st.sampled_from(
                    [["bit-identical"], ["bit-identical", "different"], ["different"]]
                ),
                "min_varied": st.integers(0, 3),
                "independent": st.booleans(),
            },
        ),
    },
)
provenances = st.fixed_dictionaries(
    {},
    optional={
        "expect": st.fixed_dictionaries(
            {},
            optional={
                "min_level": st.integers(1, 3),
                "builders": st.sampled_from(
                    [["spiffe://pratique.local/builder"], ["spiffe://pratique.local/*"]]
                ),
            },
        )
    },
)
roles = st.dictionaries(
    st.sampled_from(["rebuilder", "mine"]),
    st.fixed_dictionaries(
        {
            "signers": st.lists(
                st.sampled_from(
                    [f"spiffe://pratique.local/{name}" for name in ("rebuilder", "builder", "x")]
                ),
                min_size=1,
                max_size=2,
                unique=True,
            ),
            "may_sign": st.sampled_from([["rebuild"], ["rebuild", "tee-result"], ["tee-result"]]),
        }
    ),
    max_size=1,
)
trusts = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["enforce", "warn", "audit"]),
        "roles": roles,
        "require": st.fixed_dictionaries({}, optional={"rebuild": rebuilds, "provenance": provenances}),
    },
)
rebuilt = st.builds(
    lambda number, who, verdict, days, name: s.evidence(
        "rebuild",
        s.changed(s.rebuild(), "verdict", verdict),
        digest=s.digest(f"rebuild {number}"),
        signer=f"{s.DOMAIN}/{who}",
        signed_at=s.NOW - timedelta(days=days),
        log_index=number,
        names=(name,),
    ),
    st.integers(10, 14),
    st.sampled_from(["rebuilder", "builder", "x"]),
    st.sampled_from(["bit-identical", "different"]),
    st.integers(0, 5),
    st.just("harbour-1.0.tar"),
)


@settings(max_examples=60)
@given(trusts, trusts, st.lists(rebuilt, max_size=4, unique_by=lambda item: item.digest))
def test_what_meets_the_projects_requirements_meets_the_organisations(
    theirs: dict[str, Any], ours: dict[str, Any], evidence: list[Any]
) -> None:
    acme = Organisation(name="acme", digest=s.digest("acme"), profile=None, data={}, trust=theirs)
    try:
        least = floor(acme, "standard", trust_domain=DOMAIN)
        found = shipped_bundle(requirements=merge(merge(theirs, ours), {"trust_domain": DOMAIN}))
        verify_held(acme, found, profile="standard", trust_domain=DOMAIN)
    except ConfigError:
        return
    given_input = s.gate_input(
        (*(item for item in s.complete() if "rebuild" not in item.predicate_type), *evidence)
    )
    above, below = assess(given_input, least.requirements), assess(given_input, found.requirements)
    assert {item.label for item in above.owed} <= {item.label for item in below.owed}
    for short, items in above.standing.items():
        kept = {item.digest for item in below.standing.get(short, ())}
        assert {item.digest for item in items} == kept, "no objection is lost"
    assert below.build_level <= above.build_level
    order = ["audit", "warn", "enforce"]
    assert order.index(found.requirements.mode) >= order.index(least.requirements.mode)


@given(trusts)
def test_a_project_that_says_nothing_is_never_refused(theirs: dict[str, Any]) -> None:
    acme = Organisation(name="acme", digest=s.digest("acme"), profile=None, data={}, trust=theirs)
    try:
        least = floor(acme, "standard", trust_domain=DOMAIN)
    except ConfigError:
        return
    verify_held(acme, least, profile="standard", trust_domain=DOMAIN)
