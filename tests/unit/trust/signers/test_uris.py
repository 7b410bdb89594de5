from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pratique.errors import InfrastructureError, UsageError
from pratique.trust.keys import spki
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.pkcs11_uri import parse_pkcs11_uri
from pratique.trust.signers.port import sign
from pratique.trust.signers.uri import KeyUri, options, parse_key_uri

if TYPE_CHECKING:
    from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec


@pytest.mark.parametrize(
    ("text", "scheme", "rest"),
    [
        ("ada.key", "file", "ada.key"),
        ("file:ada.key", "file", "ada.key"),
        ("./a:b", "file", "./a:b"),
        ("ssh:/home/ada/.ssh/id", "ssh", "/home/ada/.ssh/id"),
        ("pkcs11:token=a;object=b", "pkcs11", "token=a;object=b"),
        ("sigstore:", "sigstore", ""),
        ("C:key", "file", "C:key"),
    ],
)
def test_keys_as_people_name_them(text: str, scheme: str, rest: str) -> None:
    assert parse_key_uri(text) == KeyUri(scheme, rest)


def test_a_file_that_looks_like_a_uri_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ssh:key").touch()
    assert parse_key_uri("ssh:key") == KeyUri("file", "ssh:key")


@pytest.mark.parametrize("text", ["", "a\nb", "a\x1b[2J", "x" * 3000])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(UsageError):
        parse_key_uri(text)


def test_options() -> None:
    known = frozenset({"mount", "version"})
    assert options(KeyUri("vault", "a%20b?mount=x&version=2"), known) == (
        "a b",
        {"mount": "x", "version": "2"},
    )
    for rest in ("", "?mount=x", "a?colour=red", "a?mount=x&mount=y"):
        with pytest.raises(UsageError):
            options(KeyUri("vault", rest), known)


def test_pkcs11_uri() -> None:
    """The path and query attributes of RFC 7512 §2.3 that select a private key."""
    found = parse_pkcs11_uri(
        "token=My%20token;object=a%3Bb;id=%69%95%3E;type=private?module-path=/m.so&pin-source=file:/p"
    )
    assert (found.token, found.object, found.id) == ("My token", "a;b", b"\x69\x95\x3e")
    assert (found.module, found.pin_source, found.serial) == ("/m.so", "/p", None)


@pytest.mark.parametrize(
    "rest",
    [
        "token=a", "object=a;object=b", "object=a;colour=red", "object", "object=a?pin-value=1234",
        "object=a;type=cert", "object=a?pin-source=|/bin/pin", "object=a?module-path=x&module-path=y",
    ],
)  # fmt: skip
def test_pkcs11_uris_that_are_refused(rest: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pkcs11_uri(rest)
    assert "1234" not in caught.value.message + caught.value.hint


class Faulty(LocalKey):
    """A token that signs with another key than the one it shows."""

    def __init__(self) -> None:
        super().__init__(ec.generate_private_key(ec.SECP256R1()), "token:faulty")
        self.public_key = spki(ec.generate_private_key(ec.SECP256R1()).public_key())


def test_a_faulty_token_leaves_no_signature() -> None:
    with pytest.raises(InfrastructureError, match="token:faulty: what it signed does not verify"):
        sign(Faulty(), b"data")
    assert sign(LocalKey(ec.generate_private_key(ec.SECP256R1())), b"data")
