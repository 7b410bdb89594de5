"""What must hold of the reading of other people's rules, whatever they are."""

from __future__ import annotations

import json
import string
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_yaml import parse_yaml
from pratique.policy.bundle import PolicyBundle
from pratique.policy.decision import Finding, Status
from pratique.policy.language.annotations import nesting, outline
from pratique.policy.language.chains import answer_calls
from pratique.policy.language.selection import Target, total
from pratique.policy.results import skip_dependents
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import parse_source

BUNDLE = shipped_bundle()

# YAML and JSON agree on printable text (YAML 1.2.2 §1.3, §5.1).
PRINTABLE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f\x85\u2028\u2029")
)
PRINTABLE = PRINTABLE.filter(lambda text: all(ord(c) < 0x80 or ord(c) >= 0xA0 for c in text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | PRINTABLE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(PRINTABLE.filter(lambda k: len(k) < 100), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_json_is_read_as_what_it_is(value: Any) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False).encode(), what="x") == value


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_what_pyyaml_writes_is_read_as_what_it_was(value: Any) -> None:
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True).encode(), what="x") == value


def mixed(characters: str, *words: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from([*characters, *words]), max_size=40).map("".join)


YAMLISH = mixed("ab: \n-[]{}#&*!|>%@`\"'?,0.~\t\x00é", "!!python/object:", "<<", "---", "a: ", "\n  ")


@given(st.one_of(YAMLISH.map(str.encode), st.binary()))
@settings(max_examples=300, deadline=None)
def test_anything_else_is_refused_in_one_way(data: bytes) -> None:
    try:
        value = parse_yaml(data, what="x")
    except MalformedError:
        return
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: !!str x",
        "a: &x [1]\nb: *x",
        "a: &x 1",
        "a: 1\na: 2",
        "<<: {a: 1}\n? [1]\n: 2",
        "--- a\n--- b",
        "a: " + "[" * 70 + "]" * 70,
        "a: 9007199254740993",
        "a: \ud7ff\x07",
    ],
)
def test_what_json_has_no_word_for_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_yaml(text.encode(), what="x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", 1000.0),
    ],
)
def test_plain_words_are_those_of_the_core_schema(text: str, value: object) -> None:
    assert parse_yaml(text.encode(), what="x") == value


@given(YAMLISH, st.sampled_from(["deny contains 1", "f(x) := 1", "", "import data.x"]))
@settings(max_examples=200, deadline=None)
def test_no_comment_does_more_than_be_refused(text: str, after: str) -> None:
    comment = "".join(f"#{line}\n" for line in text.split("\n"))
    source = f"package a\n# METADATA\n{comment}{after}\n"
    try:
        found = outline("a.rego", source)
    except ConfigError:
        with pytest.raises(ConfigError, match=r"^a\.rego:\d"):
            outline("a.rego", source)
        return
    assert len(found.blocks) == 1


@given(mixed('ab"`#\n{}[]() .', "package a\n", "# METADATA\n", "rego.metadata.chain()", "deny "))
@settings(max_examples=300, deadline=None)
def test_any_text_is_outlined_or_refused(text: str) -> None:
    nesting(text)
    try:
        found = outline("a.rego", text)
    except ConfigError:
        return
    modules, data = answer_calls({"a.rego": text}, [found], 0.0)
    assert bool(data) is bool(found.calls)
    assert (modules["a.rego"] == text) is (not found.calls)
    assert modules["a.rego"].count("\n") == text.count("\n")


HIDDEN = [
    '"rego.metadata.chain()"',
    "`rego.metadata.chain()\ntime.now_ns()`",
    "# time.now_ns()",
    "xrego.metadata.chain()",
]


@given(st.lists(st.sampled_from(HIDDEN), max_size=4), st.booleans())
def test_only_calls_are_answered(hidden: list[str], real: bool) -> None:  # noqa: FBT001
    body = "\n".join(f"x{number} := {text}\n" for number, text in enumerate(hidden))
    call = "y := time.now_ns()\n" if real else ""
    found = outline("a.rego", f"package a\n{body}\n{call}")
    assert len(found.calls) == real


WORDS = st.sampled_from(["test", "java", "a"])
TERMS = st.sampled_from(["x", "y"])


@st.composite
def criteria(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["*", "pkg", "pkg.", "pkg.*", "rule", "@"]))
    pkg, rule = draw(WORDS), draw(WORDS)
    name = {
        "*": "*",
        "pkg": pkg,
        "pkg.": f"{pkg}.",
        "pkg.*": f"{pkg}.*",
        "rule": f"{pkg}.{rule}",
        "@": f"@{pkg}",
    }[kind]
    return f"{name}:{draw(TERMS)}" if kind != "@" and draw(st.booleans()) else name


def documented(text: str) -> int:
    """Score a criterion by its text alone, by the guidelines of Conforma's configuration page."""
    if text.startswith("@"):
        return 10
    name, _, term = text.partition(":")
    package, _, rule = name.partition(".")
    return (1 if package == "*" else 10) + (100 if term else 0) + (100 if rule not in {"", "*"} else 0)


def matchers(target: Target) -> set[str]:
    """List all criteria that match a finding, as Conforma does."""
    names = {
        target.package,
        f"{target.package}.",
        f"{target.package}.*",
        f"{target.package}.{target.rule}",
        "*",
    }
    return (
        names
        | {f"{name}:{term}" for name in names for term in target.terms}
        | {f"@{c}" for c in target.collections}
    )


TARGETS = st.builds(
    Target,
    package=WORDS,
    rule=WORDS.map(lambda word: f"{word}r") | WORDS,
    collections=st.lists(WORDS, unique=True, max_size=2).map(tuple),
    terms=st.lists(TERMS, unique=True, max_size=2).map(tuple),
).filter(lambda target: target.package != target.rule)


@given(st.lists(criteria(), max_size=6), TARGETS)
@settings(max_examples=500, deadline=None)
def test_scores_are_those_of_the_documentation(listed: list[str], target: Target) -> None:
    assert total(listed, target) == sum(documented(text) for text in listed if text in matchers(target))


def test_the_documentations_own_figures() -> None:
    target = Target(package="release.test", rule="results", terms=("clamav-scan",), collections=("minimal",))
    scores = {
        "@minimal": 10,
        "*": 1,
        "*:clamav-scan": 101,
        "release.test": 10,
        "test": 10,
        "release.test.": 10,
    }
    scores |= {"release.test.*": 10, "release.test.results": 110, "release.test:clamav-scan": 110}
    scores |= {"release.test.results:clamav-scan": 210, "release": 0, "results": 0, "s*": 0, "test:other": 0}
    assert {text: total([text], target) for text in scores} == scores


NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=5)
ENTRY = st.fixed_dictionaries(
    {"value": NAMES},
    optional={
        "effective_on": st.dates(min_value=date(1990, 1, 1)).filter(lambda d: d.year < 2100).map(str),
        "image_digest": st.just(f"sha256:{'0' * 64}"),
        "reason": PRINTABLE,
    },
)
SOURCES = st.fixed_dictionaries(
    {"name": NAMES.filter(lambda name: name != "pratique")},
    optional={
        "rego": st.sampled_from(["v0", "v1"]),
        "input": st.sampled_from(["evidence", "attestations"]),
        "data": st.dictionaries(NAMES, VALUES, max_size=2),
        "include": st.lists(criteria(), max_size=2),
        "exclude": st.lists(criteria(), max_size=2),
        "volatile_include": st.lists(ENTRY, max_size=2),
        "volatile_exclude": st.lists(ENTRY, max_size=2),
    },
).map(lambda table: table | {"modules": {"a/b.rego": f"package p{table['name']}\ndeny contains 1 if true\n"}})


@given(st.lists(SOURCES, max_size=3, unique_by=lambda table: str(table["name"])))
@settings(max_examples=60, deadline=None)
def test_a_bundle_is_its_bytes(tables: list[dict[str, Any]]) -> None:
    sources = [parse_source(table, what="x") for table in tables]
    bundle = shipped_bundle(sources=sources)
    again = PolicyBundle.parse(bundle.encode())
    assert again == bundle
    assert again.encode() == bundle.encode()
    assert shipped_bundle(sources=sources[::-1]).digest == bundle.digest


RULE = "deny contains 1 if true\n"
CODES = ["own.a", "own.b", "own.c", "own.d"]
GRAPHS = st.dictionaries(
    st.sampled_from(CODES), st.lists(st.sampled_from([*CODES, "rebuild.identical"]), max_size=3)
)
STATUSES = st.lists(
    st.tuples(st.sampled_from([*CODES, "rebuild.identical"]), st.sampled_from(list(Status))), max_size=8
)


@given(GRAPHS, STATUSES)
@settings(max_examples=300, deadline=None)
def test_dependence_never_changes_a_verdict(
    graph: dict[str, list[str]], results: list[tuple[str, Status]]
) -> None:
    blocks = "".join(
        f"# METADATA\n# custom:\n#   short_name: {code[4:]}\n#   depends_on: {json.dumps(needed)}\n{RULE}"
        for code, needed in graph.items()
    )
    text = f"package own\n{blocks or RULE}"
    bundle = shipped_bundle(sources=[parse_source({"name": "own", "modules": {"a.rego": text}}, what="x")])
    given_ = [
        Finding(code=code, status=status, msg=str(number)) for number, (code, status) in enumerate(results)
    ]
    kept = skip_dependents(given_, bundle)
    against = {Status.VIOLATION, Status.ERROR}
    assert any(result.status in against for result in kept) == any(
        result.status in against for result in given_
    )
    assert {result.code for result in kept} == {result.code for result in given_}
