"""Package URLs: what is built is read back, canonical form is a fixed point, and no text crashes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from pratique.errors import MalformedError
from pratique.scan.purl import PLAIN, build_purl, canonical_purl, parse_purl

TEXT = st.text("aZ09.-_~+ %/:@?#&=\N{LATIN SMALL LETTER E WITH ACUTE}", min_size=1, max_size=8)
QUALIFIERS = st.dictionaries(st.sampled_from(["arch", "distro", "vcs_url"]), TEXT.map(str.strip), max_size=2)


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT, QUALIFIERS)
def test_what_is_built_is_read_back(name: str, version: str, qualifiers: dict[str, str]) -> None:
    name, version = name.strip(" /"), version.strip()
    if not name:
        return
    text = build_purl("generic", name, version, qualifiers=qualifiers)
    parsed = parse_purl(text)
    assert (parsed.name, parsed.version or "") == (name, version)
    assert parsed.qualifiers == {key: value for key, value in qualifiers.items() if value}
    assert canonical_purl(parsed) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text("pkg:/@?#&=%2F.ab", max_size=30).map("pkg:npm/".__add__))
def test_any_text_is_parsed_or_refused_and_canonical_form_is_a_fixed_point(text: str) -> None:
    try:
        once = canonical_purl(parse_purl(text))
    except MalformedError:
        return
    assert canonical_purl(parse_purl(once)) == once


@settings(max_examples=60, deadline=None)
@given(st.from_regex(PLAIN, fullmatch=True))
def test_the_short_way_for_plain_purls_gives_what_the_library_gives(text: str) -> None:
    parts = PackageURL.from_string(text).to_dict()
    assert parse_purl(text)._asdict() == {key: value or "" for key, value in parts.items()} | {
        "qualifiers": {}
    }
    assert canonical_purl(parse_purl(text)) == text
