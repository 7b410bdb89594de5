from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pratique.errors import MalformedError
from pratique.model.digest import Digest, parse_digest, parse_digest_set, sha256_bytes, sha256_file

if TYPE_CHECKING:
    from pathlib import Path

# FIPS 180-2, appendix B.1
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_digests_bytes_and_files_alike(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_bytes(b"abc") == sha256_file(tmp_path / "abc") == Digest(ABC)
    assert str(Digest(ABC)) == f"sha256:{ABC}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ABC,
        f"sha256:{ABC.upper()}",
        f"sha256:{ABC[:-1]}",
        f"sha256:{ABC}\n",
        f"sha512:{ABC}",
        "sha256:" + "g" * 64,
    ],
)
def test_refuses_every_other_spelling(text: str) -> None:
    with pytest.raises(MalformedError, match="not a digest"):
        parse_digest(text)


def test_takes_sha256_out_of_a_digest_set() -> None:
    assert parse_digest_set({"sha512": "00", "sha256": ABC}) == parse_digest(f"sha256:{ABC}")


@pytest.mark.parametrize("value", [None, [], {}, {"sha512": ABC}, {"sha256": 1}, {"sha256": "ab"}])
def test_refuses_a_digest_set_without_sha256(value: object) -> None:
    with pytest.raises(MalformedError):
        parse_digest_set(value)


def test_matching_compares_whole_digests() -> None:
    assert Digest(ABC).matches(Digest(hashlib.sha256(b"abc").hexdigest()))
    assert not Digest(ABC).matches(Digest(ABC[:-1] + "e"))
