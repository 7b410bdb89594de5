"""Zstandard layers: bombs, windows, damage; frames that other tools write."""

from __future__ import annotations

import hashlib
import io
import sys

import pytest

from pratique.errors import MalformedError
from pratique.image.descriptor import LAYER_ZSTD, Descriptor
from pratique.image.layerread import BombError, open_layer
from pratique.image.zstandard import ZstdWriter
from pratique.model.digest import sha256_bytes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def read(data: bytes) -> str:
    described = Descriptor(media_type=LAYER_ZSTD, digest=sha256_bytes(data), size=len(data))
    stream = open_layer(io.BytesIO(data), described)
    stream.drain()
    return stream.diff_id.hex


def test_several_frames_and_skippable_ones_are_one_stream() -> None:
    """As `zstd:chunked` layers have them: skippable frames between and after (RFC 8878, section 3.1.2)."""
    skipped = (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"12345"
    data = zstd.compress(b"one") + skipped + zstd.compress(b"two") + skipped
    assert read(data) == hashlib.sha256(b"onetwo").hexdigest()


def test_what_is_written_is_read_back() -> None:
    out = bytearray()
    content = b"".join(b"%d\n" % number for number in range(300_000))
    with ZstdWriter(out.extend) as writer:
        for start in range(0, len(content), 70_000):
            writer.write(content[start : start + 70_000])
    assert read(bytes(out)) == hashlib.sha256(content).hexdigest()
    assert len(out) < len(content) // 3


@pytest.mark.parametrize("cut", [0, 1, 20, 200])
def test_damage_is_malformed(cut: int) -> None:
    good = zstd.compress(bytes(range(256)) * 9, options={zstd.CompressionParameter.checksum_flag: 1})
    for bad in (good[: len(good) - 1 - cut], good[:40] + bytes([good[40] ^ 1]) + good[41:], b"x" * 100):
        with pytest.raises(MalformedError):
            read(bad or b"\0")


def test_a_window_that_is_too_large_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(b"x" * 1000) + compressor.flush()
    with pytest.raises(MalformedError, match="damaged compressed data"):
        read(data)


def test_a_bomb_ends_early() -> None:
    out = bytearray()
    with ZstdWriter(out.extend) as writer:
        for _ in range(80):
            writer.write(bytes(1 << 20))
    with pytest.raises(BombError):
        read(bytes(out))
