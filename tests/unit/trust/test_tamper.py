"""The tamper matrix: change any one thing in a bundle, and verification refuses."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import EvidenceInvalidError
from pratique.trust.bundle import parse_bundle
from pratique.trust.timestamp import verify_timestamp
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.testing.authority import World

# Hostile certificates make the parser warn before it refuses; the default is what users run with.
pytestmark = pytest.mark.filterwarnings("ignore")

STRIDE = 7


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def tampered(text: str) -> Iterator[str]:
    """Other values for a leaf: cut, doubled, gone, a number changed, and bytes changed inside base64."""
    yield ""
    yield text + text
    if text.isdecimal():
        yield str(int(text) + 1)
        return
    yield text[:-1]
    if text.swapcase() != text:
        yield text.swapcase()
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return
    for at in (0, len(raw) // 2, len(raw) - 1):
        yield base64.b64encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]).decode()


@pytest.mark.parametrize("kind", ["by_certificate", "by_key"])
def test_every_leaf(world: World, kind: str) -> None:
    original = getattr(world, kind)
    document = json.loads(original)
    seen = 0
    for path in leaves(document):
        *parents, last = path
        for value in tampered(_get(document, path)):
            assert value != _get(document, path)
            copy = json.loads(original)
            _get(copy, parents)[last] = value
            with pytest.raises(EvidenceInvalidError):
                verify_bundle(json.dumps(copy).encode(), world.authority.trusted_root, keys=world.keys)
            seen += 1
        copy = json.loads(original)
        del _get(copy, parents)[last]
        with pytest.raises(EvidenceInvalidError):
            verify_bundle(json.dumps(copy).encode(), world.authority.trusted_root, keys=world.keys)
    assert seen > 80


def _get(value: Any, path: Any) -> Any:
    for name in path:
        value = value[name]
    return value


@pytest.mark.parametrize("kind", ["by_certificate", "by_key"])
@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_flipped_bytes(world: World, kind: str, mask: int) -> None:
    original = getattr(world, kind)
    root, keys = world.authority.trusted_root, world.keys
    for at in range(mask % STRIDE, len(original), STRIDE):
        data = original[:at] + bytes([original[at] ^ mask]) + original[at + 1 :]
        with pytest.raises(EvidenceInvalidError):
            verify_bundle(data, root, keys=keys)


def test_a_timestamp_of_other_bytes(world: World) -> None:
    bundle = parse_bundle(world.by_certificate)
    with pytest.raises(EvidenceInvalidError, match="over other bytes"):
        verify_timestamp(bundle.timestamp, bundle.signature + b"x", world.authority.trusted_root)


def test_random_prefixes_of_a_timestamp(world: World) -> None:
    bundle = parse_bundle(world.by_certificate)
    for size in range(0, len(bundle.timestamp), 13):
        with pytest.raises(EvidenceInvalidError):
            verify_timestamp(bundle.timestamp[:size], bundle.signature, world.authority.trusted_root)
    with pytest.raises(EvidenceInvalidError, match="more than"):
        verify_timestamp(b"\x30" * 70_000, bundle.signature, world.authority.trusted_root)
