from __future__ import annotations

from typing import Any

import pytest

from pratique.errors import ConfigError
from pratique.trust.identity import Identity, role_identity
from pratique.trust.pattern import parse_pattern

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml"
KEY = "ab" * 32


def workflow(subject: str, issuer: str = GITHUB) -> dict[str, str]:
    return {"issuer": issuer, "subject": subject}


def matches(pattern: Any, identity: Identity) -> bool:
    return parse_pattern(pattern, what="test").matches(identity)


CERTIFICATES: list[tuple[Any, str, str, bool]] = [
    ("spiffe://a.example/builder", "spiffe://a.example/builder", "https://a.example", True),
    ("spiffe://a.example/builder", "spiffe://a.example/builder", "https://a.example/pratique", True),
    ("spiffe://a.example/builder", "spiffe://a.example/builder", "https://a.example.evil/pratique", False),
    ("spiffe://a.example/builder", "spiffe://a.example/builder", "https://evil.example/a.example", False),
    ("spiffe://a.example/builder", "spiffe://a.example/builder", "http://a.example/pratique", False),
    ("spiffe://a.example/builder", "spiffe://a.example/builder", "", False),
    ("spiffe://a.example/builder", "spiffe://a.example/builder\n", "https://a.example", False),
    ("spiffe://a.example/builder", "spiffe://a.example/builder/x", "https://a.example", False),
    ("spiffe://a.example/builder", "spiffe://a.exampleX/builder", "https://a.exampleX", False),
    ("spiffe://a.example/*/builder", "spiffe://a.example/x/y/builder", "https://a.example", False),
    ("spiffe://a.example/ci-*", "spiffe://a.example/ci-7", "https://a.example", True),
    ("spiffe://a.example/ci-*", "spiffe://a.example/ci-", "https://a.example", False),
    ("spiffe://a.example/ci-*", "spiffe://a.example/ci-7/admin", "https://a.example", False),
    ("spiffe://a.example/ab*ba", "spiffe://a.example/aba", "https://a.example", False),
    ("spiffe://a.example/ab*ba", "spiffe://a.example/ab-ba", "https://a.example", True),
    (
        workflow("spiffe://a.example/x", "https://ca.example"),
        "spiffe://a.example/x",
        "https://ca.example",
        True,
    ),
    (
        workflow("spiffe://a.example/x", "https://ca.example"),
        "spiffe://a.example/x",
        "https://a.example",
        False,
    ),
    (workflow(f"{WORKFLOW}@refs/tags/v*"), f"{WORKFLOW}@refs/tags/v1.2", GITHUB, True),
    (workflow(f"{WORKFLOW}@refs/tags/v*"), f"{WORKFLOW}@refs/tags/v1/evil", GITHUB, False),
    (workflow(f"{WORKFLOW}@refs/tags/v*"), f"{WORKFLOW}@refs/tags/v1@x", GITHUB, False),
    (workflow(f"{WORKFLOW}@refs/tags/v*"), f"{WORKFLOW}@refs/heads/v1", GITHUB, False),
    (workflow(f"{WORKFLOW}@refs/tags/v*"), f"{WORKFLOW}@refs/tags/v1", f"{GITHUB}/acme", False),
    (
        workflow("https://github.com/acme/*/.github/workflows/*@refs/heads/main"),
        "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main",
        GITHUB,
        True,
    ),
    (
        workflow("https://github.com/acme/*/.github/workflows/*@refs/heads/main"),
        "https://github.com/acme/app/.github/workflows/a.yml@refs/heads/x@refs/heads/main",
        GITHUB,
        False,
    ),
    (
        workflow("ada@example.org", "https://accounts.example"),
        "ada@example.org",
        "https://accounts.example",
        True,
    ),
    (
        workflow("*@example.org", "https://accounts.example"),
        "ada@example.org",
        "https://accounts.example",
        True,
    ),
    (
        workflow("*@example.org", "https://accounts.example"),
        "a@b@example.org",
        "https://accounts.example",
        False,
    ),
    (
        workflow("*@example.org", "https://accounts.example"),
        "ada@example.org.evil",
        "https://accounts.example",
        False,
    ),
    (workflow("ada@example.org", "https://a.example/t/*"), "ada@example.org", "https://a.example/t/7", True),
    (
        workflow("ada@example.org", "https://a.example/t/*"),
        "ada@example.org",
        "https://a.example/t/7/8",
        False,
    ),
    (f"key:sha256:{KEY}", KEY, "", False),
]


@pytest.mark.parametrize(("pattern", "subject", "issuer", "expected"), CERTIFICATES)
def test_certificates(pattern: Any, subject: str, issuer: str, *, expected: bool) -> None:
    assert matches(pattern, Identity("certificate", subject, issuer)) is expected


def test_a_key_is_its_digest_and_never_a_name() -> None:
    assert matches(f"key:sha256:{KEY}", Identity("key", KEY))
    assert not matches(f"key:sha256:{KEY}", Identity("key", "cd" * 32))
    assert not matches(f"key:sha256:{KEY}", Identity("key", KEY, "https://a.example"))
    assert not matches("spiffe://a.example/x", Identity("key", "spiffe://a.example/x"))
    assert not matches("spiffe://a.example/x", Identity("key", "spiffe://a.example/x", "https://a.example"))


def test_the_embedded_authority_is_its_own_trust_domains_issuer() -> None:
    assert matches("spiffe://pratique.local/builder", role_identity("pratique.local", "builder"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        ("*", "neither a URI"),
        ("**", "neither a URI"),
        ("spiffe://*", "needs a path"),
        ("spiffe://*/builder", "name the host|hosts of anybody"),
        ("spiffe://a.*/builder", "hosts of anybody"),
        ("spiffe://a.example", "needs a path"),
        ("spiffe://a.example/", "needs a path"),
        ("spiffe://a.example/x/", "without a slash"),
        ("spiffe://a.example//x", "no URI with a host"),
        ("spiffe://a.example/*x*", "two \\*"),
        ("spiffe://a.example/x\n", "not printable"),
        ("spiffe://a.example/" + "x" * 2048, "longer than 2048"),
        ("SPIFFE://a.example/x", "no URI with a host"),
        (f"{WORKFLOW}@refs/heads/main", "who vouches"),
        ("ada@example.org", "who vouches"),
        (f"key:sha256:{KEY[:-1]}", "64 lower-case hex"),
        (f"key:sha256:{KEY.upper()}", "64 lower-case hex"),
        ("key:sha256:*", "64 lower-case hex"),
        (f"key:sha512:{KEY}", "neither a URI"),
        (7, "neither text nor a table"),
        (["spiffe://a.example/x"], "neither text nor a table"),
        ({}, "exactly issuer and subject, not nothing"),
        ({"subject": "ada@example.org"}, "exactly issuer and subject, not subject"),
        ({"issuer": GITHUB}, "exactly issuer and subject, not issuer"),
        (workflow("ada@example.org") | {"isuer": "x"}, "not issuer, isuer, subject"),
        ({"issuer": GITHUB, "subject": 1}, "neither text nor a table"),
        (workflow("*"), "neither a URI"),
        (workflow("*@*"), "neither a URI"),
        (workflow("ada@*"), "neither a URI"),
        (workflow("ada@*.org"), "neither a URI"),
        (workflow("ada@localhost"), "neither a URI"),
        (workflow("https://*/acme/app"), "hosts of anybody"),
        (workflow("https://github.com/*/app"), "every tenant of github.com"),
        (workflow("https://github.com/ac*/app"), "every tenant of github.com"),
        (workflow("https://ada@github.com/acme"), "no URI with a host"),
        (workflow("ada@example.org", ""), "issuer: empty"),
        (workflow("ada@example.org", "*"), "no https URL"),
        (workflow("ada@example.org", "http://a.example"), "no https URL"),
        (workflow("ada@example.org", "https://*"), "hosts of anybody"),
        (workflow("ada@example.org", "https://a.example/*"), "every tenant of a.example"),
    ],
)
def test_what_would_mean_everybody_or_nobody_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_pattern(value, what="roles.x.signers")
    assert caught.value.message.startswith("roles.x.signers")


def test_2048_characters_are_not_too_long() -> None:
    text = "spiffe://a.example/".ljust(2048, "x")
    assert matches(text, Identity("certificate", text, "https://a.example"))
    with pytest.raises(ConfigError, match="longer than 2048"):
        parse_pattern(f"{text}x", what="test")


@pytest.mark.parametrize(
    "value", ["spiffe://a.example/ci/*", f"key:sha256:{KEY}", workflow(f"{WORKFLOW}@refs/tags/*")]
)
def test_a_pattern_is_written_as_it_was_read(value: Any) -> None:
    assert parse_pattern(value, what="test").to_plain() == value


def test_a_pattern_in_words() -> None:
    assert str(parse_pattern(f"key:sha256:{KEY}", what="test")) == f"key:sha256:{KEY}"
    assert str(parse_pattern("spiffe://a.example/x", what="test")) == "spiffe://a.example/x"
    assert str(parse_pattern(workflow("ada@example.org"), what="t")) == f"ada@example.org (issuer {GITHUB})"


def test_a_root_is_part_of_who_signed() -> None:
    identity = Identity("certificate", "https://github.com/acme/app/x@refs/tags/1", GITHUB, "public-good")
    table = {"issuer": GITHUB, "subject": "https://github.com/acme/app/x@refs/tags/*"}
    theirs = parse_pattern(table | {"root": "public-good"}, what="x")
    assert theirs.matches(identity)
    assert not parse_pattern(table, what="x").matches(identity)
    assert not parse_pattern(table | {"root": "public"}, what="x").matches(identity)
    assert not theirs.matches(Identity(identity.kind, identity.subject, identity.issuer))
    key = parse_pattern({"key": f"sha256:{KEY}", "root": "none"}, what="x")
    assert key.matches(Identity("key", KEY, root="none"))
    assert not key.matches(Identity("key", KEY))
    assert not parse_pattern(f"key:sha256:{KEY}", what="x").matches(Identity("key", KEY, root="none"))
    spiffe = Identity("certificate", "spiffe://a.example/builder", "https://a.example/pratique", "partner")
    assert not parse_pattern("spiffe://a.example/builder", what="x").matches(spiffe)
    for pattern in (theirs, key):
        assert parse_pattern(pattern.to_plain(), what="x") == pattern


@pytest.mark.parametrize(
    "value",
    [
        {"key": f"sha256:{KEY}"},
        {"key": f"sha256:{KEY[:-1]}", "root": "none"},
        {"key": f"sha256:{KEY}", "root": ""},
        {"key": f"sha256:{KEY}", "root": "../up"},
        {"key": f"sha256:{KEY}", "issuer": GITHUB, "root": "none"},
        {"subject": "spiffe://a.example/builder", "root": "partner"},
    ],
)
def test_a_root_goes_with_a_whole_identity(value: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        parse_pattern(value, what="x")
