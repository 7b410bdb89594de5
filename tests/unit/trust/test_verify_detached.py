"""Bundles that an SSH key signed; the signature is put together here as OpenSSH's PROTOCOL.sshsig says."""

from __future__ import annotations

from hashlib import sha256, sha512
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import EvidenceInvalidError, SignatureInvalidError
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.testing.authority import START, World
from pratique.trust import merkle
from pratique.trust.bundle import LogProof, Signed, encode_bundle
from pratique.trust.entry import leaf_of
from pratique.trust.envelope import pae
from pratique.trust.identity import EnrolledKey, Identity
from pratique.trust.note import Checkpoint, sign_checkpoint
from pratique.trust.scheme import ECDSA_P256, SSHSIG
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = Ed25519PrivateKey.generate()


def string(data: bytes) -> bytes:
    """RFC 4251 §5."""
    return len(data).to_bytes(4, "big") + data


def blob(key: Ed25519PrivateKey) -> bytes:
    """RFC 8709 §4."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return string(b"ssh-ed25519") + string(raw)


def ssh_signature(key: Ed25519PrivateKey, message: bytes) -> bytes:
    meant = string(b"dsse@pratique.dev") + string(b"") + string(b"sha512")
    made = key.sign(b"SSHSIG" + meant + string(sha512(message).digest()))
    signature = string(string(b"ssh-ed25519") + string(made))
    return b"SSHSIG" + (1).to_bytes(4, "big") + string(blob(key)) + meant + signature


def signed(world: World, *, covered: bytes | None = None, key: Ed25519PrivateKey = KEY) -> Signed:
    payload = world.statement.encode()
    signature = ssh_signature(key, pae(PAYLOAD_TYPE, payload) if covered is None else covered)
    stamp = world.authority.timestamp(signature)
    return Signed(payload, PAYLOAD_TYPE, signature, None, blob(KEY), stamp, SSHSIG)


def enrolled(scheme: str = SSHSIG) -> Mapping[str, EnrolledKey]:
    return {sha256(blob(KEY)).hexdigest(): EnrolledKey(blob(KEY), "ann", START, scheme=scheme)}


def logged(world: World, signed: Signed, body: bytes) -> bytes:
    """Log a body as the only entry of a fresh tree."""
    root = merkle.leaf_hash(body)
    note = sign_checkpoint(Checkpoint("pratique.local", 1, root), world.authority.log_key)
    log_id = world.authority.trusted_root.tlogs[0].log_id
    return encode_bundle(signed, LogProof(0, 1, root, (), note, log_id, body))


def test_an_ssh_key_signs_as_itself(world: World) -> None:
    data = world.log.append(signed(world))
    verified = verify_bundle(data, world.authority.trusted_root, keys=enrolled())
    assert verified.signer == Identity("key", sha256(blob(KEY)).hexdigest())
    assert verified.statement == world.statement


@pytest.mark.parametrize("wrong", [{"covered": b"another statement"}, {"key": Ed25519PrivateKey.generate()}])
def test_a_signature_over_something_else_or_by_somebody_else_does_not_hold(
    world: World, wrong: dict[str, object]
) -> None:
    data = world.log.append(signed(world, **wrong))  # type: ignore[arg-type]
    with pytest.raises(SignatureInvalidError, match=r"step 6 \(signature\)"):
        verify_bundle(data, world.authority.trusted_root, keys=enrolled())


def test_its_log_entry_is_about_that_signature(world: World) -> None:
    """The same key, and the same statement: the timestamp makes another signature of it all the same."""
    ours, root = signed(world), world.authority.trusted_root
    assert verify_bundle(logged(world, ours, leaf_of(ours)), root, keys=enrolled())
    other = msgspec.structs.replace(ours, payload=ours.payload.replace(b"42", b"43"))
    for body in (leaf_of(other), leaf_of(ours) + b" ", b"{}"):
        with pytest.raises(SignatureInvalidError, match=r"step 7 .*another signature, signer or payload"):
            verify_bundle(logged(world, ours, body), root, keys=enrolled())


def test_a_key_counts_for_the_scheme_it_is_enrolled_with_alone(world: World) -> None:
    data = world.log.append(signed(world))
    with pytest.raises(EvidenceInvalidError, match=r"step 4 \(signer\)"):
        verify_bundle(data, world.authority.trusted_root, keys=enrolled(ECDSA_P256))
