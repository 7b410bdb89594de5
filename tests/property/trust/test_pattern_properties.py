"""Patterns against a second opinion: a regular expression written down from the rule in words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pratique.trust.identity import Identity
from pratique.trust.pattern import IdentityPattern, parse_pattern

ISSUER = "https://issuer.example"
alphabet = st.sampled_from("ab.-\n*/@:")
segment = st.text(st.sampled_from("ab.-"), min_size=1, max_size=4)
globbed = (
    segment | st.just("*") | st.builds("{}*{}".format, segment, segment) | st.builds("{}*".format, segment)
)
paths = st.lists(globbed, min_size=1, max_size=4).map(lambda parts: "/".join(["acme", *parts]))


def pattern_of(path: str) -> IdentityPattern:
    return parse_pattern({"issuer": ISSUER, "subject": f"https://host.example/{path}"}, what="test")


def certificate(subject: str) -> Identity:
    return Identity("certificate", subject, ISSUER)


@given(paths, st.text(alphabet, max_size=24))
def test_a_glob_means_what_the_regular_expression_means(path: str, text: str) -> None:
    expected = re.compile("[^/@]+".join(map(re.escape, f"https://host.example/{path}".split("*"))))
    for subject in (f"https://host.example/{path.replace('*', text)}", f"https://host.example/acme/{text}"):
        assert pattern_of(path).matches(certificate(subject)) is (expected.fullmatch(subject) is not None)


@given(paths, st.lists(segment, min_size=8, max_size=8))
def test_filling_each_star_with_a_segment_matches(path: str, fillers: list[str]) -> None:
    filled = path
    for filler in fillers:
        filled = filled.replace("*", filler, 1)
    assert pattern_of(path).matches(certificate(f"https://host.example/{filled}"))


@given(paths, st.text(alphabet, min_size=1, max_size=3), st.data())
def test_no_star_reaches_over_a_slash_or_an_at(path: str, text: str, data: st.DataObject) -> None:
    crossing = data.draw(st.sampled_from("/@")) + text
    filled = f"https://host.example/{path.replace('*', 'a' + crossing + 'a')}"
    if "*" in path:
        assert not pattern_of(path).matches(certificate(filled))


@given(paths, segment)
def test_another_issuer_never_matches(path: str, text: str) -> None:
    subject = f"https://host.example/{path.replace('*', text)}"
    assert pattern_of(path).matches(certificate(subject))
    assert not pattern_of(path).matches(Identity("certificate", subject, f"{ISSUER}{text}"))
    assert not pattern_of(path).matches(Identity("key", subject, ISSUER))


@given(paths)
def test_written_and_read_back_it_is_the_same(path: str) -> None:
    pattern = pattern_of(path)
    assert parse_pattern(pattern.to_plain(), what="test") == pattern
