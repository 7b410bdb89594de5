from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.policy.bundle import PolicyBundle, load_bundle, make_bundle
from pratique.policy.files import read_data, read_modules
from pratique.policy.language.annotations import nesting, outline
from pratique.policy.language.catalogue import RuleInfo, catalogue
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import Source, parse_source

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


def source(**changes: Any) -> Source:
    table = {"name": "mine", "modules": {"mine.rego": RULE}} | changes
    return parse_source(table, what="test")


def refused(match: str, **additions: Any) -> ConfigError:
    with pytest.raises(ConfigError, match=match) as caught:
        shipped_bundle(**additions)
    return caught.value


def test_the_bundle_round_trips_and_its_digest_is_stable() -> None:
    bundle = shipped_bundle()
    assert PolicyBundle.parse(bundle.encode()) == bundle
    assert shipped_bundle().digest == bundle.digest


@pytest.mark.parametrize(
    "key", ["provenance.sources", "image.bases", "dependencies.sources", "dependencies.registries",
            "dependencies.forbidden", "checks.tools.image"],
)  # fmt: skip
def test_a_pattern_that_engines_read_in_different_ways(key: str) -> None:
    for pattern in ("a[bc]*", "a?c", "{a,b}", "a\\*", "]", "}"):
        data: Any = [pattern]
        for name in reversed(key.split(".")):
            data = {name: data}
        error = refused(f"{key}: .* which engines read in different ways", data=data)
        assert repr(pattern) in error.message
        assert "only * is special" in error.hint


def test_every_pattern_that_a_shipped_rule_computes_is_one_of_those() -> None:
    """Else a new one could be forgotten."""
    computed = [
        f"{path.name}: {line.strip()}"
        for path in sorted(SHIPPED.glob("*.rego"))
        for line in path.read_text().splitlines()
        if "glob.match(" in line
    ]
    assert computed == [
        "checks.rego: glob.match(pattern, null, name)",
        "dependencies.rego: glob.match(pattern, null, text)",
        "image.rego: glob.match(pattern, null, base.name)",
        "provenance.rego: glob.match(pattern, null, uri)",
    ]


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


def test_every_addition_changes_the_digest() -> None:
    digests = {
        shipped_bundle().digest,
        shipped_bundle(data={"vulns": {"threshold": "medium"}}).digest,
        shipped_bundle(requirements={"trust_domain": "acme.example"}).digest,
        shipped_bundle(sources=[source()]).digest,
        shipped_bundle(sources=[source(name="theirs")]).digest,
        shipped_bundle(sources=[source(rego="v0")]).digest,
        shipped_bundle(sources=[source(input="attestations")]).digest,
        shipped_bundle(sources=[source(data={"a": 1})]).digest,
        shipped_bundle(sources=[source(exclude=["mine.one"])]).digest,
        shipped_bundle(sources=[source(volatile_exclude=[{"value": "mine"}])]).digest,
    }
    assert len(digests) == 10


def test_a_bundle_with_sources_round_trips_whatever_their_order() -> None:
    volatile = {"value": "mine", "effective_until": "2027-01-01", "image_ref": f"sha256:{'a' * 64}"}
    sources = [
        source(volatile_exclude=[volatile], include=["*"], data={"x": [1, None]}),
        source(name="other", modules={"sub/other.rego": RULE.replace("mine", "other")}, rego="v0"),
    ]
    bundle = shipped_bundle(sources=sources)
    assert PolicyBundle.parse(bundle.encode()) == bundle
    assert shipped_bundle(sources=reversed(sources)).digest == bundle.digest


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": "pratique"}, "no name for a source"),
        ({"name": "Mine"}, "no name for a source"),
        ({"modules": {}}, "no rules at all"),
        ({"rego": "v2"}, "v2"),
        ({"exclud": ["x"]}, "exclud"),
        ({"exclude": ["a..b"]}, "no criterion"),
        ({"exclude": ["s*"]}, "no criterion"),
        ({"include": ["a:"]}, "no criterion"),
        ({"include": ["@a:b"]}, "a collection has no terms"),
        ({"volatile_exclude": [{"value": "a", "effective_on": "soon"}]}, "neither RFC 3339"),
        ({"volatile_exclude": [{"value": "a", "effective_on": "2026-02-30"}]}, "neither RFC 3339"),
        ({"volatile_exclude": [{"value": "a", "image_digest": "latest"}]}, "not a digest"),
        (
            {
                "volatile_exclude": [
                    {"value": "a", "effective_on": "2027-01-02", "effective_until": "2027-01-01"}
                ]
            },
            "is before effective_on",
        ),
        ({"volatile_include": [{"valeu": "a"}]}, "valeu"),
        ({"modules": {"a.rego": RULE.replace("package mine", "package evidence")}}, "for pratique itself"),
    ],
)
def test_a_source_that_does_not_hold_up_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        source(**changes)


def test_two_sources_never_share_a_name_or_a_code() -> None:
    refused("two sources are called mine", sources=[source(), source()])
    refused("declares code mine.one, as does source mine", sources=[source(), source(name="other")])
    shipped = RULE.replace("package mine", "package rebuild").replace("one", "identical", 1)
    refused("rebuild.identical, as does the policy itself", sources=[source(modules={"a.rego": shipped})])


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
        ({"roles": {"scanner": {"may_sign": ["imported-evidence"]}}}, "counts as what it claims"),
        ({"roles": {"scanner": {"may_sign": ["https://pratique.dev/predicate/waiver/v1"]}}}, "by enrolments"),
        ({"roles": {"scanner": {"may_sign": ["sbon"]}}}, "no predicate type is called 'sbon'"),
        ({"roots": {"public-good": []}}, "no root could be it"),
        ({"roots": {"public-good": ["sha256:1"]}}, "not a digest"),
        ({"roots": {"../up": [f"sha256:{'a' * 64}"]}}, "cannot name a trusted root"),
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


@pytest.mark.parametrize("package", ["pratique.vulns", "pratique", "rule_data"])
def test_a_projects_rules_stay_out_of_the_shipped_packages(tmp_path: Path, package: str) -> None:
    (tmp_path / "mine.rego").write_text(RULE.replace("package mine", f"package {package}"))
    refused("shipped policy's own", rules=tmp_path)


@pytest.mark.parametrize("package", ["pratique.x\npackage mine", 'a["b"]', "mine; x := 1"])
def test_a_module_says_its_package_once_and_plainly(package: str) -> None:
    with pytest.raises(ConfigError, match="exactly one line"):
        source(modules={"mine.rego": RULE.replace("package mine", f"package {package}")})


def test_rule_folders_that_do_not_hold_up_are_refused(tmp_path: Path) -> None:
    def unread(match: str, path: Path) -> None:
        with pytest.raises(ConfigError, match=match):
            read_modules(path)

    unread("no such folder", tmp_path / "absent")
    unread("no \\*.rego files", tmp_path)
    (tmp_path / "only_test.rego").write_text(RULE)
    unread("no \\*.rego files", tmp_path)
    (tmp_path / "latin.rego").write_bytes(b"package mine\n# \xe9\n")
    unread("not UTF-8: .* at byte 15", tmp_path)
    (tmp_path / "latin.rego").unlink()
    (tmp_path / "link.rego").symlink_to("/etc/hostname")
    unread("a symbolic link", tmp_path)
    unread("neither a folder nor a file that ends in .rego", Path("/etc/hostname"))


def test_modules_are_read_from_all_folders_below(tmp_path: Path) -> None:
    (tmp_path / "lib" / ".git").mkdir(parents=True)
    for name in ("a.rego", "a_test.rego", "lib/b.rego", "lib/.git/c.rego", ".d.rego", "lib/readme.md"):
        (tmp_path / name).write_text(RULE)
    assert list(read_modules(tmp_path)) == ["a.rego", "lib/b.rego"]
    assert list(read_modules(tmp_path, tests=True)) == ["a.rego", "a_test.rego", "lib/b.rego"]
    assert list(read_modules(tmp_path / "a.rego")) == ["a.rego"]


def test_data_files_are_one_document_and_may_not_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.json").write_text('{"rule_data": {"x": 1}}')
    (tmp_path / "sub" / "b.yml").write_text("rule_data:\n  y: [no, 1.5, true]\nother: null\n")
    assert read_data([tmp_path]) == {"rule_data": {"x": 1, "y": ["no", 1.5, True]}, "other": None}
    (tmp_path / "c.yaml").write_text("rule_data: {x: 1}\n")
    with pytest.raises(ConfigError, match=r"rule_data\.x is there already"):
        read_data([tmp_path])
    (tmp_path / "c.yaml").write_text("- a list\n")
    with pytest.raises(ConfigError, match="the top level is no table"):
        read_data([tmp_path])
    with pytest.raises(ConfigError, match=r"no \*.json"):
        read_data([tmp_path / "absent"])


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
        {"version": 1},
        {"sources": None},
        {"sources": [{"name": "x"}]},
        {"sources": [{"name": "x", "modules": {"x.rego": RULE}}]},
    ],
)
def test_an_altered_bundle_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(shipped_bundle().encode()) | change
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(EvidenceInvalidError):
        PolicyBundle.parse(data)


def test_an_older_bundle_is_refused_by_its_version() -> None:
    document = json.loads(shipped_bundle().encode()) | {"schema": "https://pratique.dev/policy-bundle/v1"}
    with pytest.raises(EvidenceInvalidError, match="version 1 of the format, and only version 2 is read"):
        PolicyBundle.parse(json.dumps(document).encode())
