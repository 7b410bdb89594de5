from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.policy.bundle import PolicyBundle, load_bundle, make_bundle
from pratique.policy.language.annotations import nesting, outline
from pratique.policy.language.catalogue import RuleInfo, catalogue
from pratique.policy.shipped import shipped_bundle

RULE = """package mine
# METADATA
# title: Mine
# custom:
#   short_name: one
deny contains {"code": "mine.one", "msg": "no"} if input.never
"""
SHIPPED = Path(__file__).parents[3] / "src/pratique/policy/rules"


def declared(modules: dict[str, str]) -> dict[str, RuleInfo]:
    return catalogue([outline(name, source) for name, source in modules.items()], shipped=True)


def refused(match: str, **additions: Any) -> ConfigError:
    with pytest.raises(ConfigError, match=match) as caught:
        shipped_bundle(**additions)
    return caught.value


def test_the_bundle_round_trips_and_its_digest_is_stable() -> None:
    bundle = shipped_bundle()
    assert PolicyBundle.parse(bundle.encode()) == bundle
    assert shipped_bundle().digest == bundle.digest


def test_a_folder_is_a_whole_policy(tmp_path: Path) -> None:
    trust = (SHIPPED / "trust.toml").read_text() + '[require.sbom]\ncommand = "make sbom"\n'
    (tmp_path / "trust.toml").write_text(trust)
    (tmp_path / "data.json").write_text('{"vulns": {"threshold": "low"}}')
    (tmp_path / "mine.rego").write_text(RULE)
    bundle = load_bundle(tmp_path)
    assert set(bundle.rules) == {"mine.one"}
    assert set(bundle.requirements.require) == {"sbom"}
    assert bundle.data.vulns.threshold == "low"
    assert bundle.data.levels == {}
    assert bundle.data.waivers is None


def test_every_addition_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "mine.rego").write_text(RULE)
    digests = {
        shipped_bundle().digest,
        shipped_bundle(data={"vulns": {"threshold": "medium"}}).digest,
        shipped_bundle(requirements={"trust_domain": "acme.example"}).digest,
        shipped_bundle(rules=tmp_path).digest,
    }
    assert len(digests) == 4


def test_additions_keep_what_they_do_not_name() -> None:
    bundle = shipped_bundle(
        data={"vulns": {"threshold": "medium"}}, requirements={"require": {"vulns": {"max_age_days": 1}}}
    )
    assert bundle.data.vulns.max_database_age_days == 90
    assert bundle.requirements.require["vulns"].command == "pratique scan"
    assert set(bundle.requirements.require) == {"provenance", "runner-posture", "rebuild", "sbom", "vulns"}


def test_unknown_keys_are_errors_with_the_nearest_name() -> None:
    assert refused("treshold", data={"vulns": {"treshold": "low"}}).hint == "did you mean 'threshold'?"
    error = refused("max_age_day", requirements={"require": {"sbom": {"max_age_day": 1}}})
    assert error.hint == "did you mean 'max_age_days'?"
    error = refused("sbon", requirements={"require": {"sbon": {"command": "x"}}})
    assert error.hint == "did you mean 'sbom'?"


@pytest.mark.parametrize(
    "data",
    [
        {"vulns": {"threshold": "hgih"}},
        {"vulns": {"threshold": "unknown"}},
        {"vulns": {"max_database_age_days": "90"}},
        {"vulns": {"max_database_age_days": 0}},
        {"vulns": {"max_database_age_days": True}},
        {"levels": {"provenance.source-clean": "allow"}},
        {"levels": {"provenance.source-claen": "warn"}},
        {"provenance": {"builders": "spiffe://x/y"}},
        {"rebuild": {"min_varied": -1}},
        {"vulns": []},
    ],
)
def test_rule_data_that_no_rule_understands_is_refused(data: dict[str, Any]) -> None:
    refused("policy: data", data=data)


@pytest.mark.parametrize(
    ("requirements", "match"),
    [
        ({"roles": {"scanner": {"signers": []}}}, "at least one entry"),
        ({"roles": {"scanner": {"may_sign": []}}}, "at least one entry"),
        ({"roles": {"scanner": {"signers": ["*"]}}}, "neither a URI"),
        ({"roles": {"scanner": {"signers": ["spiffe://*/scanner"]}}}, "hosts of anybody"),
        ({"roles": {"scanner": {"signers": ["spiffe://a"]}}}, "needs a path"),
        ({"roles": {"scanner": {"signers": ["key:sha256:AB"]}}}, "64 lower-case hex"),
        ({"roles": {"scanner": {"may_sign": ["sbom"]}}}, "require.vulns: no role may sign vulns"),
        ({"require": {"sbom": {"threshold": 0}}}, "threshold"),
        ({"require": {"sbom": {"max_age_days": 0}}}, "max_age_days"),
        ({"trust_domain": "Acme/x"}, "not a SPIFFE trust domain"),
    ],
)
def test_requirements_that_hold_vacuously_or_not_at_all_are_refused(
    requirements: dict[str, Any], match: str
) -> None:
    refused(match, requirements=requirements)


def test_a_policy_that_requires_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing is required"):
        make_bundle({"a.rego": RULE}, {}, {"trust_domain": "a", "roles": {}, "require": {}})
    with pytest.raises(ConfigError, match="no rules at all"):
        make_bundle({}, {}, {})


@pytest.mark.parametrize(
    ("package", "match"),
    [
        ("pratique.vulns", "shipped policy's own"),
        ("pratique", "shipped policy's own"),
        ("rule_data", "shipped policy's own"),
        ("pratique.x\npackage mine", "exactly one line"),
        ('a["b"]', "exactly one line"),
    ],
)
def test_a_projects_rules_stay_out_of_the_shipped_packages(tmp_path: Path, package: str, match: str) -> None:
    (tmp_path / "mine.rego").write_text(RULE.replace("package mine", f"package {package}"))
    refused(match, rules=tmp_path)


def test_rule_folders_that_do_not_hold_up_are_refused(tmp_path: Path) -> None:
    refused("no such folder", rules=tmp_path / "absent")
    refused("no \\*.rego files", rules=tmp_path)
    (tmp_path / "latin.rego").write_bytes(b"package mine\n# \xe9\n")
    refused("not UTF-8: .* at byte 15", rules=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("# METADATA\n", "", "no METADATA"),
        ("#   short_name: one\n", "", "no METADATA"),
        ("# title: Mine\n", "", "needs a title"),
        ("one\n", "ONE\n", "short_name"),
        ("# title: Mine", "# tilte: Mine", "no key 'tilte'"),
        ("#   short_name: one\n", "#   short_name: one\n#   severity: dire\n", "severity 'dire'"),
        ("# title: Mine\n", "# title: Mine\n# title: Mine\n", "duplicate key 'title'"),
    ],
)
def test_annotations_that_do_not_hold_up_are_refused(old: str, new: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        declared({"mine.rego": RULE.replace(old, new)})


def test_a_code_is_declared_once() -> None:
    with pytest.raises(ConfigError, match=r"b.rego:2: code mine.one is declared in a.rego:2 too"):
        declared({"a.rego": RULE, "b.rego": RULE})


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("", 0),
        ("a := [{f(1)}]", 3),
        ('a := "[[[["', 0),
        ("a := `[[[[`", 0),
        ("# [[[[", 0),
        ('a := "\\"[[["', 0),
        ('a := "unclosed [\n[[', 3),
    ],
)
def test_nesting_is_counted_outside_strings_and_comments(source: str, depth: int) -> None:
    assert nesting(source) == depth


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "x"},
        {"modules": {}},
        {"modules": []},
        {"modules": {"a.rego": 1}},
        {"data": {"nope": 1}},
        {"data": None},
        {"requirements": {"require": {}}},
        {"more": 1},
    ],
)
def test_an_altered_bundle_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(shipped_bundle().encode()) | change
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(EvidenceInvalidError):
        PolicyBundle.parse(data)
