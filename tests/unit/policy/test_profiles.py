"""The three profiles: each asks for at least what the one before it asks for."""

from __future__ import annotations

import itertools

import policy_scenario as s
import pytest

from pratique.errors import ConfigError
from pratique.policy.decision import Decision, Status
from pratique.policy.gate import evaluate
from pratique.policy.shipped import PROFILES, asked_by, level_table, shipped_bundle

STRICTNESS = ("off", "warn", "deny")


def decided(profile: str, member: dict[str, object], **levels: str) -> Decision:
    bundle = shipped_bundle(profile, data={"levels": levels})
    return evaluate(s.gate_input(), bundle, s.FixedEngine(member)).decision


def statuses(decision: Decision, code: str) -> set[Status]:
    return {result.status for result in decision.results if result.code == code}


def test_every_rule_has_a_level_in_each_profile() -> None:
    for profile in PROFILES:
        bundle = shipped_bundle(profile)
        assert set(bundle.data.levels) == set(bundle.rules) == set(level_table())


def test_no_profile_asks_for_less_than_the_one_before() -> None:
    for code, row in level_table().items():
        ranks = [STRICTNESS.index(row[profile]) for profile in PROFILES]
        assert ranks == sorted(ranks), code
    for weaker, stricter in itertools.pairwise(map(shipped_bundle, PROFILES)):
        assert set(weaker.requirements.require) <= set(stricter.requirements.require)
        for short, requirement in weaker.requirements.require.items():
            asked = stricter.requirements.require[short]
            assert asked.threshold >= requirement.threshold
            assert (asked.max_age_days or 10**6) <= (requirement.max_age_days or 10**6)


def test_the_profiles_differ_in_their_digest_and_standard_is_the_default() -> None:
    assert len({shipped_bundle(profile).digest for profile in PROFILES}) == 3
    assert shipped_bundle().digest == shipped_bundle("standard").digest


def test_starter_owes_three_types_and_high_admits_no_waiver() -> None:
    assert set(shipped_bundle("starter").requirements.require) == {"provenance", "sbom", "vulns"}
    assert shipped_bundle("standard").data.waivers is not None
    assert shipped_bundle("high").data.waivers is None


def test_an_unknown_profile_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'hihg'") as caught:
        shipped_bundle("hihg")
    assert caught.value.hint == "did you mean 'high'?"


def test_a_level_decides_what_a_finding_leads_to() -> None:
    code = "provenance.isolated"
    member = {"code": code, "msg": "no"}
    for level, status, allowed in (
        ("deny", Status.VIOLATION, False),
        ("warn", Status.WARNING, True),
        ("off", Status.SKIPPED, True),
    ):
        decision = decided("standard", member, **{code: level})
        assert statuses(decision, code) == {status}
        assert decision.allowed is allowed


def test_a_rule_that_is_off_is_skipped_and_never_passed() -> None:
    decision = decided("standard", {"code": "rebuild.varied", "msg": "no"}, **{"provenance.isolated": "off"})
    (silent,) = [result for result in decision.results if result.code == "provenance.isolated"]
    assert silent.status is Status.SKIPPED
    assert silent.msg == "off by the policy's levels"


def test_a_rule_without_anything_to_judge_by_is_off_and_comes_on_with_it() -> None:
    values: dict[str, object] = {
        "min_age_days": 7,
        "required": True,
        "freezes": [
            {"begins": "2026-12-24T00:00:00Z", "ends": "2026-12-27T00:00:00Z", "reason": "Christmas"}
        ],
        "open": [{"days": ["mon"], "begins": "09:00", "ends": "17:00"}],
    }
    for code, (section, key) in asked_by().items():
        value = ["image"] if section == "checks" else values.get(key, ["x"])
        for profile in PROFILES:
            if (profile, key) != ("high", "min_age_days"):  # which this profile sets
                assert shipped_bundle(profile).data.levels[code] == "off"
            on = shipped_bundle(profile, data={section: {key: value}}).data.levels[code]
            assert on == level_table()[code][profile]


def test_a_projects_own_level_holds_whatever_is_set() -> None:
    bundle = shipped_bundle(data={"levels": {"licences.refused": "warn"}})
    assert bundle.data.levels["licences.refused"] == "warn"
