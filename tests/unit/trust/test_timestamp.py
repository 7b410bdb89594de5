from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.testing.authority import START
from pratique.trust.authority import ca
from pratique.trust.root import encode_root, parse_root
from pratique.trust.timestamp import verify_timestamp

if TYPE_CHECKING:
    from pratique.testing.authority import World
    from pratique.trust.root import TrustedRoot


def _with_chain(world: World, *chain: bytes) -> TrustedRoot:
    root = world.authority.trusted_root
    authority = msgspec.structs.replace(root.timestamp_authorities[0], chain=chain)
    return parse_root(encode_root(root.tlogs, root.certificate_authorities, root.ctlogs, [authority]))


def test_the_time_is_the_authoritys(world: World) -> None:
    token = world.authority.timestamp(b"data")
    assert verify_timestamp(token, b"data", world.authority.trusted_root)[0] == START


def test_tokens_are_unlike_each_other(world: World) -> None:
    assert world.authority.timestamp(b"data") != world.authority.timestamp(b"data")


@pytest.mark.parametrize("before", [b"\x31\x0d\x30\x0b\x06\x09", b"\x30\x42\x31"])
def test_versions_that_cms_leaves_unsigned(world: World, before: bytes) -> None:
    """The version of SignedData stands before its digest algorithms, a signer's before its issuer."""
    token = world.authority.timestamp(b"data")
    at = (token.index if before[0] == 0x31 else token.rindex)(before)
    at -= 1 if before[0] == 0x31 else 3
    assert token[at - 2 : at] == b"\x02\x01"
    changed = token[:at] + b"\x05" + token[at + 1 :]
    with pytest.raises(MalformedError, match="version 3 with one signer of version 1"):
        verify_timestamp(changed, b"data", world.authority.trusted_root)


def test_an_authority_of_one_certificate(world: World) -> None:
    token = world.authority.timestamp(b"data")
    alone = world.authority.trusted_root.timestamp_authorities[0].chain[0]
    with pytest.raises(SignatureInvalidError, match="a timestamp chain without a root"):
        verify_timestamp(token, b"data", _with_chain(world, alone))


def test_an_authority_with_a_weak_key(world: World) -> None:
    token = world.authority.timestamp(b"data")
    anchor, key = world.authority._ca, world.authority._ca_key
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - what the test is about
    certificate = ca.make_tsa("pratique.local", weak, anchor, key, START)  # type: ignore[arg-type]
    chain = certificate.public_bytes(Encoding.DER), anchor.public_bytes(Encoding.DER)
    with pytest.raises(SignatureInvalidError, match="a weak timestamp key"):
        verify_timestamp(token, b"data", _with_chain(world, *chain))


def test_another_certificate_of_the_same_root(world: World) -> None:
    """A second timestamp certificate from the same root is not the one that the trusted root names."""
    token = world.authority.timestamp(b"data")
    anchor, key = world.authority._ca, world.authority._ca_key
    other = ca.make_tsa("pratique.local", key.public_key(), anchor, key, START)
    chain = other.public_bytes(Encoding.DER), anchor.public_bytes(Encoding.DER)
    with pytest.raises(SignatureInvalidError, match="does not match the one"):
        verify_timestamp(token, b"data", _with_chain(world, *chain))
