"""What a project below an organisation's policy can set, and what it cannot."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest

from pratique.errors import ConfigError
from pratique.policy.bundle import PolicyBundle, make_bundle
from pratique.policy.distribution.release import PolicyRelease
from pratique.policy.expectations import ProvenanceExpectation, RebuildExpectation
from pratique.policy.organisation import Organisation, Signed, parse_organisation, verify_held
from pratique.policy.requirements import Requirements
from pratique.policy.rule_data import RuleData
from pratique.policy.settings import merge
from pratique.policy.shipped import Profile, shipped_bundle
from pratique.policy.strictness import (
    ALLOWED,
    FREE,
    HIGHER,
    LOWER,
    SUBSET,
    SUPERSET,
    direction_of,
    in_order,
    settings_of,
    weakenings,
)
from pratique.policy.trust_file import requirements_table

DOMAIN = "pratique.local"


def organisation(text: str = "", *, trust: str = "") -> Organisation:
    return parse_organisation(f'name = "acme"\n{text}\n{trust}'.encode(), what="acme.toml")


def under(
    acme: Organisation,
    *,
    data: dict[str, Any] | None = None,
    trust: dict[str, Any] | None = None,
    profile: Profile | None = None,
) -> PolicyBundle:
    """Make a project's policy below the organisation's, as `flow.policy` does."""
    chosen = acme.least_profile(profile)
    requirements = merge(merge(acme.trust, trust or {}), {"trust_domain": DOMAIN})
    found = shipped_bundle(chosen, data=merge(acme.data, data or {}), requirements=requirements)
    verify_held(acme, found, profile=chosen, trust_domain=DOMAIN)
    return found


def refused(acme: Organisation, **settings: Any) -> str:
    with pytest.raises(ConfigError, match="policy of acme: the project would weaken it: ") as caught:
        under(acme, **settings)
    return caught.value.message.partition("weaken it: ")[2]


def test_a_project_without_settings_has_the_organisations_policy() -> None:
    acme = organisation('[data]\nvulns = {threshold = "medium"}\n[trust]\nrequire.rebuild = {threshold = 2}')
    found = under(acme)
    assert found.data.vulns.threshold == "medium"
    assert found.requirements.require["rebuild"].threshold == 2


STRICTER: list[tuple[str, dict[str, Any]]] = [
    ("data", {"vulns": {"threshold": "low"}}),
    ("data", {"vulns": {"max_database_age_days": 1}}),
    ("data", {"waivers": {"critical": 3}}),
    ("data", {"waivers": None}),
    ("data", {"levels": {"rebuild.varied": "deny"}}),
    ("data", {"sbom": {"unlocked": ["pkg:pypi/a@1"]}}),
    ("trust", {"require": {"sbom": {"threshold": 2}}}),
    ("trust", {"require": {"sbom": {"max_age_days": 1}}}),
    ("trust", {"require": {"sbom": {"distinct": "people"}}}),
    ("trust", {"require": {"vulns": {"max_age_days": 29}}}),
    ("trust", {"require": {"provenance": {"expect": {"min_level": 1}}}}),
    ("trust", {"require": {"rebuild": {"expect": {"verdicts": ["bit-identical"], "independent": True}}}}),
    ("trust", {"roles": {"tee": {"signers": ["spiffe://t/x"], "may_sign": ["tee-result"]}}}),
    ("trust", {"approvals": {"*.production": [{"role": "approver", "count": 3}]}}),
    ("trust", {"approvals": {"*.staging": [{"role": "approver"}]}}),
    ("trust", {"require": {"sbom": {"command": "other words"}}}),
    ("trust", {"roots": {"public-good": [f"sha256:{'a' * 64}"]}}),
    ("trust", {"roots": {"partner": [f"sha256:{'c' * 64}"]}}),
]
ACME = """
profile = "standard"
[data]
vulns = {threshold = "medium", max_database_age_days = 10}
sbom = {unlocked = ["pkg:pypi/a@1", "pkg:pypi/b@1"]}
[trust]
approvals = {"*.production" = [{role = "approver", count = 2}]}
[trust.roots]
public-good = [
  "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
]
[trust.require.rebuild]
expect = {verdicts = ["bit-identical", "different"]}
"""


@pytest.mark.parametrize(("part", "setting"), STRICTER)
def test_what_is_as_strict_or_stricter_is_allowed(part: str, setting: dict[str, Any]) -> None:
    under(organisation(ACME), **{part: setting})


LAXER: list[tuple[str, dict[str, Any], str]] = [
    ("data", {"vulns": {"threshold": "high"}}, 'vulns.threshold is "medium", and would become "high"'),
    (
        "data",
        {"vulns": {"max_database_age_days": 11}},
        "vulns.max_database_age_days is 10, and would",
    ),
    ("data", {"waivers": {"critical": 1}}, "waivers.critical is 2, and would become 1"),
    ("data", {"waivers": {"max_days": 91}}, "waivers.max_days is 90, and would become 91"),
    ("data", {"levels": {"rebuild.identical": "warn"}}, 'levels.rebuild.identical is "deny", and would'),
    (
        "data",
        {"levels": {"rebuild.varied": "off"}},
        'levels.rebuild.varied is "warn", and would',
    ),
    ("data", {"sbom": {"unlocked": ["pkg:pypi/c@1"]}}, "sbom.unlocked is"),
    ("trust", {"mode": "warn"}, 'mode is "enforce", and would become "warn"'),
    ("trust", {"require": {"vulns": {"max_age_days": 31}}}, "require.vulns.max_age_days is 30, and would"),
    ("trust", {"require": {"sbom": {"artifacts": ["*.whl"]}}}, "require.sbom.artifacts is absent, and would"),
    (
        "trust",
        {"require": {"sbom": {"predicate": "vulns"}}},
        'require.sbom.predicate is "sbom", and would become "vulns"',
    ),
    ("trust", {"roles": {"scanner": {"signers": ["spiffe://x/y"]}}}, "roles.scanner.signers is"),
    (
        "trust",
        {"roles": {"scanner": {"may_sign": ["sbom", "vulns", "rebuild"]}}},
        "scanner.may_sign is",
    ),
    (
        "trust",
        {"roles": {"mine": {"signers": ["spiffe://x/y"], "may_sign": ["rebuild"]}}},
        'roles.mine.may_sign is "without rebuild"',
    ),
    (
        "trust",
        {"roles": {"mine": {"signers": ["spiffe://x/y"], "may_sign": ["https://slsa.dev/provenance/v1"]}}},
        'roles.mine.may_sign is "without provenance"',
    ),
    ("trust", {"roots": {"public-good": [f"sha256:{'c' * 64}"]}}, "roots.public-good is"),
    (
        "trust",
        {"approvals": {"*.production": [{"role": "approver"}]}},
        "*.production.approver is 2",
    ),
    (
        "trust",
        {"approvals": {"*.production": [{"role": "other", "count": 2}]}},
        "would become 0",
    ),
    (
        "trust",
        {"vouch": [{"builder": "https://b/x", "signers": ["spiffe://t/x"], "level": 3, "reason": "r"}]},
        "vouch is [], and would become",
    ),
]


@pytest.mark.parametrize(("part", "setting", "said"), LAXER)
def test_what_is_laxer_is_an_error_that_names_the_key_and_both_values(
    part: str, setting: dict[str, Any], said: str
) -> None:
    assert said in refused(organisation(ACME), **{part: setting})


def test_data_of_no_fixed_shape_cannot_be_changed_where_the_organisation_sets_it() -> None:
    acme = organisation("[data]\ncustom = {a = {b = 1}, c = 2}")
    under(acme, data={"custom": {"d": 3}})
    assert "custom.a.b is 1" in refused(acme, data={"custom": {"a": {"b": 2}}})
    assert "custom.a is" in refused(acme, data={"custom": {"a": 5}})
    assert "custom.c is" in refused(acme, data={"custom": {"c": 3}})


def test_all_that_is_laxer_is_named_at_once() -> None:
    said = refused(organisation(ACME), trust={"mode": "audit", "require": {"vulns": {"max_age_days": 60}}})
    assert said.count("would become") == 2


def test_a_profile_below_the_organisations_is_refused_and_one_above_is_not() -> None:
    acme = organisation('profile = "standard"')
    assert 'profile is "standard", and would become "starter"' in refused(acme, profile="starter")
    assert under(acme, profile="high").data.waivers is None
    assert under(acme, profile="standard").data.waivers is not None
    assert organisation().least_profile("starter") == "starter"


def test_what_the_organisation_does_not_speak_of_is_the_projects() -> None:
    acme = organisation()
    found = under(acme, data={"vulns": {"threshold": "critical"}, "levels": {"rebuild.identical": "warn"}})
    assert found.data.vulns.threshold == "critical"


def test_an_organisation_is_named_by_the_digest_of_its_file() -> None:
    text = b'name = "acme"'
    used = parse_organisation(text, what="acme.toml").used
    assert (used.name, used.digest) == ("acme", f"sha256:{hashlib.sha256(text).hexdigest()}")
    assert (used.signed_by, used.release) == ("", "")


def test_a_signed_release_is_named_and_says_when_it_ends() -> None:
    ends = datetime(2026, 12, 31, tzinfo=UTC)
    release = PolicyRelease(name="acme/organisation", version="7", expires=ends)
    plain = organisation()
    acme = msgspec.structs.replace(plain, signed=Signed(by="spiffe://acme.example/x", release=release))
    assert (acme.used.name, acme.used.digest) == ("acme", str(plain.digest))
    assert (acme.used.signed_by, acme.used.release) == ("spiffe://acme.example/x", "acme/organisation 7")
    assert acme.notice(ends - timedelta(days=365)) == ""
    assert "expires in 1 days, at 2026-12-31T00:00:00Z" in acme.notice(ends - timedelta(days=1))
    assert plain.notice(ends) == "the policy of acme is an unsigned file, and has no end"


def test_of_a_table_the_organisation_settles_what_it_names() -> None:
    acme = organisation('[data]\nlevels = {"rebuild.identical" = "deny"}')
    found = under(acme, data={"levels": {"rebuild.varied": "off"}, "vulns": {"threshold": "critical"}})
    assert found.data.levels["rebuild.varied"] == "off"
    said = 'levels.rebuild.identical is "deny", and would become "off"'
    assert refused(acme, data={"levels": {"rebuild.identical": "off"}}) == said


def test_of_several_entries_for_a_role_the_highest_count_is_held_to_the_organisations() -> None:
    """As `Requirements.approvals_for` reads them: the highest satisfies them all."""
    acme = organisation('[trust]\napprovals = {"*.production" = [{role = "approver", count = 2}]}')
    both = [{"role": "approver", "count": 1}, {"role": "approver", "count": 2}]
    under(acme, trust={"approvals": {"*.production": both}})
    one = organisation('[trust]\napprovals = {"*.production" = [{role = "approver"}]}')
    said = "approvals.*.production.approver is 1, and would become 0"
    assert refused(one, trust={"approvals": {"*.production": [{"role": "owner"}]}}) == said
    three = organisation('[trust]\napprovals = {"*.production" = [{role = "approver", count = 3}]}')
    said = "approvals.*.production.approver is 3, and would become 2"
    assert refused(three, trust={"approvals": {"*.production": both}}) == said
    twice = [{"role": "approver"}, {"role": "approver"}]
    said = "approvals.*.production.approver is 2, and would become 1"
    assert refused(acme, trust={"approvals": {"*.production": twice}}) == said


def test_an_organisation_may_allow_warnings() -> None:
    acme = organisation('mode = "warn"')
    assert under(acme, trust={"mode": "enforce"}).requirements.mode == "enforce"
    assert under(acme).requirements.mode == "warn"
    assert 'mode is "warn"' in refused(acme, trust={"mode": "audit"})


def test_another_policy_altogether_is_held_to_the_same() -> None:
    """A folder's or a bundle's rules could say anything under a shipped code."""
    acme = organisation()
    shipped = shipped_bundle(requirements={"trust_domain": DOMAIN})
    verify_held(acme, shipped, profile="standard", trust_domain=DOMAIN)
    hollow = dict(shipped.modules)
    hollow["vulns.rego"] += "\n# hollow\n"
    found = make_bundle(hollow, {}, requirements_table(shipped.requirements))
    with pytest.raises(ConfigError, match=r"rules\.vulns\.rego is .*shipped.*, and would become .*another"):
        verify_held(acme, found, profile="standard", trust_domain=DOMAIN)
    del hollow["vulns.rego"]
    found = make_bundle(hollow, {}, requirements_table(shipped.requirements))
    with pytest.raises(ConfigError, match=r"rules\.vulns\.rego is .*, and would become absent"):
        verify_held(acme, found, profile="standard", trust_domain=DOMAIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 1", "acme.toml: "),
        ('mode = "off"', "mode"),
        ('profile = "lax"', "profile"),
        ("[rules]", "rules"),
        ("[data]\nvulns = {treshold = 1}", "treshold"),
        ("[trust]\nmode = 'warn'", "trust.mode has no place here"),
        ("[trust]\nrequire.sbon = {command = 'x'}", "sbon"),
        ("= 1", "not TOML"),
        ('name = ""', "name is empty"),
        (r'name = "a\nb"', "not one line"),
    ],
)
def test_an_organisations_file_that_does_not_hold_up_is_refused(text: str, said: str) -> None:
    named = "" if text.startswith("name") else 'name = "acme"\n'
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        parse_organisation((named + text).encode(), what="acme.toml")
    assert caught.value.message.startswith("acme.toml: ")


def undirected(kind: type) -> set[str]:
    """Name the settings at whatever depth that say no direction: they are fixed below an organisation."""
    found: set[str] = set()
    for name, hint in settings_of(kind).items():
        inner = get_args(hint)[1] if get_origin(hint) is dict else hint
        if direction_of(hint) is not None or direction_of(inner) is not None:
            continue
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            found |= undirected(inner)
        else:
            found.add(f"{kind.__name__}.{name}")
    return found


def test_every_setting_has_a_direction_or_is_fixed_on_purpose() -> None:
    """A new setting shows here, so that somebody thinks about which way is stricter."""
    assert undirected(Requirements) == {"Role.signers", "Role.may_sign", "Requirement.predicate"}
    assert undirected(RuleData) == {
        "ChecksData.tools",
        "DependenciesData.popular",
        "DependenciesData.published",
        "VulnsData.epss",
        "RuleData.custom",
    }


@pytest.mark.parametrize(
    ("direction", "floor", "found", "as_strict"),
    [
        (HIGHER, 2, 2, True),
        (HIGHER, 2, 3, True),
        (HIGHER, 2, 1, False),
        (HIGHER, None, 1, True),
        (HIGHER, 1, None, False),
        (HIGHER, False, True, True),
        (HIGHER, True, False, False),
        (LOWER, 2, 1, True),
        (LOWER, 2, 3, False),
        (LOWER, None, 5, True),
        (LOWER, 5, None, False),
        (SUBSET, ("a", "b"), ("b",), True),
        (SUBSET, ("a", "b"), ("b", "a"), True),
        (SUBSET, ("a",), ("a", "b"), False),
        (SUBSET, None, ("a",), True),
        (SUBSET, ("a",), None, False),
        (ALLOWED, (), ("a",), True),
        (ALLOWED, ("a", "b"), ("b", "a"), True),
        (ALLOWED, ("a",), (), False),
        (ALLOWED, ("a", "b"), ("a",), True),
        (ALLOWED, ("a",), ("b",), False),
        (SUPERSET, ("a",), ("a", "b"), True),
        (SUPERSET, ("a", "b"), ("b", "a"), True),
        (SUPERSET, ("a", "b"), ("a",), False),
        (SUPERSET, ("a",), None, True),
        (SUPERSET, None, ("a",), False),
        (FREE, "a", "b", True),
        (in_order("a", "b"), "a", "b", True),
        (in_order("a", "b"), "b", "a", False),
        (msgspec.Meta(), "a", "b", False),
        (msgspec.Meta(), "a", "a", True),
    ],
)
def test_which_way_is_stricter(direction: msgspec.Meta, floor: Any, found: Any, *, as_strict: bool) -> None:
    class Setting(msgspec.Struct):
        value: Any

    Setting.__annotations__ = {"value": Annotated[Any, direction]}
    laxer = weakenings(Setting(floor), Setting(found))
    assert [str(item.key) for item in laxer] == ([] if as_strict else ["value"])


def test_another_kind_of_settings_is_not_stricter() -> None:
    """Nothing tells whether what is expected of a rebuild asks for more than what is expected of a build."""
    rebuild = shipped_bundle().requirements.require["rebuild"]
    floor = msgspec.structs.replace(rebuild, expect=ProvenanceExpectation(min_level=1))
    found = msgspec.structs.replace(rebuild, expect=RebuildExpectation())
    assert [item.key for item in weakenings(floor, found)] == ["expect"]
