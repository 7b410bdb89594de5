from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pratique.errors import MalformedError
from pratique.model.strict_json import canonical_json
from pratique.trust.bundle import Signed, encode_bundle, key_id_of, parse_bundle, parse_signed
from pratique.trust.encoding import b64decode, b64encode

if TYPE_CHECKING:
    from pratique.testing.authority import World


def test_bundles_are_canonical_json_of_the_published_shape(world: World) -> None:
    document = json.loads(world.by_certificate)
    assert canonical_json(document) == world.by_certificate
    assert set(document) == {"mediaType", "dsseEnvelope", "verificationMaterial"}
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert set(document["verificationMaterial"]) == {
        "certificate",
        "timestampVerificationData",
        "tlogEntries",
    }
    (entry,) = document["verificationMaterial"]["tlogEntries"]
    assert entry["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}
    assert entry["logIndex"] == entry["inclusionProof"]["logIndex"] == "3"


def test_a_keys_bundle_carries_a_hint(world: World) -> None:
    document = json.loads(world.by_key)
    ((key_id, key),) = world.keys.items()
    hint = document["verificationMaterial"]["publicKey"]["hint"]
    assert b64decode(hint, what="hint").hex() == key_id == key_id_of(key.public_key)
    assert parse_bundle(world.by_key).certificate is None


@pytest.mark.parametrize("kind", ["by_certificate", "by_key"])
def test_parse_then_encode_gives_the_same_bytes(world: World, kind: str) -> None:
    data = getattr(world, kind)
    bundle = parse_bundle(data)
    spki = None if bundle.key_id is None else world.keys[bundle.key_id].public_key
    assert encode_bundle(bundle.signed(spki), bundle.log) == data


def test_signed_round_trip(world: World) -> None:
    for signer in (world.authority.signer("builder"), world.key_signer):
        signed = signer.sign(world.statement)
        assert parse_signed(signed.encode()) == signed


@pytest.mark.parametrize(
    "change",
    [{"kind": "other"}, {"payload": "text"}, {"signature": None}, {"payload_type": 3}, {"public_key": b"k"}],
)
def test_signed_refuses(world: World, change: dict[str, Any]) -> None:
    document = msgspec.msgpack.decode(world.authority.signer("builder").sign(world.statement).encode())
    with pytest.raises(MalformedError):
        parse_signed(msgspec.msgpack.encode({**document, **change}))


def test_signed_needs_one_signer() -> None:
    for certificate, key in ((None, None), (b"c", b"k")):
        with pytest.raises(MalformedError, match="a certificate or a public key, and not both"):
            Signed(b"p", "t", b"s", certificate, key, b"t")


def _change(data: bytes, path: str, value: Any) -> bytes:
    document = json.loads(data)
    *parents, last = path.split(".")
    place: Any = document
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value
    return json.dumps(document).encode()


ENTRY = "verificationMaterial.tlogEntries.0"
REFUSED: dict[str, tuple[str, Any, str]] = {
    "v0.1": ("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1", "is not supported"),
    "v0.2": ("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2", "is not supported"),
    "no media type": ("mediaType", None, "is not supported"),
    "two contents": ("messageSignature", {}, "message signature"),
    "no signature": ("dsseEnvelope.signatures", [], "exactly one entry, not 0"),
    "no entry": ("verificationMaterial.tlogEntries", [], "exactly one entry, not 0"),
    "two entries": ("verificationMaterial.tlogEntries", [{}, {}], "exactly one entry, not 2"),
    "no timestamp": (
        "verificationMaterial.timestampVerificationData",
        {"rfc3161Timestamps": []},
        "exactly one entry, not 0",
    ),
    "two timestamps": (
        "verificationMaterial.timestampVerificationData",
        {"rfc3161Timestamps": [{}, {}]},
        "exactly one entry, not 2",
    ),
    "certificate and key": ("verificationMaterial.publicKey", {"hint": "AA=="}, "a certificate or a public"),
    "no signer": ("verificationMaterial.certificate", None, "has neither"),
    "a chain": ("verificationMaterial.x509CertificateChain", {}, "a certificate or a public key"),
    "an alias": ("verificationMaterial.tlog_entries", [], "other spelling"),
    "an alias at the top": ("dsse_envelope", {}, "other spelling"),
    "an alias below": (f"{ENTRY}.inclusionProof.root_hash", "", "other spelling"),
    "url-safe base64": ("dsseEnvelope.payload", "_-8=", "not standard base64"),
    "unpadded base64": ("dsseEnvelope.payload", "AAA", "base64"),
    "stray bits": ("dsseEnvelope.payload", "AAB=", "canonical spelling"),
    "line breaks": ("dsseEnvelope.payload", "AAAA\nAAAA", "base64"),
    "empty payload": ("dsseEnvelope.payload", "", "is empty"),
    "a number as number": (f"{ENTRY}.logIndex", 3, "decimal number in a string"),
    "leading zero": (f"{ENTRY}.logIndex", "03", "decimal number in a string"),
    "negative": (f"{ENTRY}.inclusionProof.treeSize", "-1", "decimal number in a string"),
    "absurd": (f"{ENTRY}.inclusionProof.treeSize", "9" * 16, "decimal number in a string"),
    "two indexes": (f"{ENTRY}.logIndex", "2", "differs from its inclusion proof's"),
    "short root": (f"{ENTRY}.inclusionProof.rootHash", "AAAA", "not a SHA-256"),
    "long proof": (f"{ENTRY}.inclusionProof.hashes", [b64encode(bytes(32))] * 65, "at most 64"),
    "no checkpoint": (f"{ENTRY}.inclusionProof.checkpoint", None, "checkpoint is missing"),
    "no proof": (f"{ENTRY}.inclusionProof", None, "inclusionProof is missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(world: World, name: str) -> None:
    path, value, message = REFUSED[name]
    with pytest.raises(MalformedError) as caught:
        parse_bundle(_change(world.by_certificate, path, value))
    assert message in str(caught.value)


def test_duplicate_members(world: World) -> None:
    twice = world.by_certificate.replace(b'{"dsseEnvelope"', b'{"mediaType":"x","dsseEnvelope"', 1)
    with pytest.raises(MalformedError, match="duplicate key"):
        parse_bundle(twice)


def test_a_huge_bundle_is_refused_unread() -> None:
    with pytest.raises(MalformedError, match="more than"):
        parse_bundle(b"{" + b" " * (32 * 1024 * 1024))
