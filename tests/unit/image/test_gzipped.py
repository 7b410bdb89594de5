from __future__ import annotations

import gzip
import os
import random
from contextlib import suppress

import pytest

from pratique.image.gzipped import GzipWriter

PIECE = 1 << 20
RANDOM = random.Random(7)  # noqa: S311 - bytes that hardly compress
DATA = RANDOM.randbytes(300_000) * 12


def packed(data: bytes, step: int = 65_537) -> bytes:
    out = bytearray()
    with GzipWriter(out.extend) as writer:
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
    return bytes(out)


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, len(DATA)])
def test_what_goes_in_comes_out(length: int) -> None:
    assert gzip.decompress(packed(DATA[:length])) == DATA[:length]


def test_the_header_says_nothing_of_the_machine() -> None:
    assert packed(b"x")[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_neither_cores_nor_the_size_of_writes_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = packed(DATA)
    for cores in (1, 2, 64, None):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert packed(DATA, step=1_000_003) == expected


def test_a_piece_knows_what_came_before_it() -> None:
    block = RANDOM.randbytes(PIECE // 2).hex().encode()  # nothing in it comes twice, and it shrinks by half
    assert len(packed(block + block[-30_000:] + block[:10])) < len(packed(block)) + 5_000


def test_what_does_not_shrink_is_stored() -> None:
    block = RANDOM.randbytes(3 * PIECE + 100)
    assert len(packed(block)) < len(block) + 1000
    mixed = block + b"text " * PIECE + block
    assert len(packed(mixed)) < 2 * len(block) + PIECE // 10


def test_an_exception_ends_without_a_trailer() -> None:
    out = bytearray()
    with suppress(KeyError), GzipWriter(out.extend) as writer:
        writer.write(b"x")
        raise KeyError
    with pytest.raises(EOFError):
        gzip.decompress(bytes(out))
