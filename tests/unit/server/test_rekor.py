from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.trust.bundle import parse_bundle, parse_log_entry
from pratique.trust.identity import Identity
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.note import verify_checkpoint
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from serving_desk import Desk

LOG = ("POST", "/api/v2/log/entries")
TILE = ("GET", "/api/v2/tile/{name:path}")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def request(desk: Desk, data: bytes = b"data", **change: Any) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = desk.service.authority.issue(
        Identity("certificate", "https://ci.example.org/app", "https://issuer.example.org"), key.public_key()
    )
    digest = hashlib.sha256(data).digest()
    signature = key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    verifier = {"x509Certificate": {"rawBytes": b64(certificate)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if change.pop("bare_key", False):
        verifier = {"publicKey": {"rawBytes": b64(spki)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    verifier |= change.pop("verifier", {})
    wanted = {"digest": b64(digest), "signature": {"content": b64(signature), "verifier": verifier}}
    return {"hashedRekordRequestV002": {**wanted, **change}}


def test_an_entry_is_proven_in_the_answer(desk: Desk) -> None:
    for number in range(3):
        reply = desk.call(*LOG, request(desk, b"%d" % number))
        assert reply.status == 201
    proof = parse_log_entry(reply.body)
    assert proof.index == 2
    authority = desk.service.authority
    head = verify_checkpoint(proof.checkpoint, "log.example.org", authority.log_key.public_key())
    verify_inclusion(leaf_hash(proof.entry_body), 2, head.size, proof.hashes, head.root)
    data = json.loads(proof.entry_body)["spec"]["hashedRekordV002"]["data"]
    assert data == {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(b"2").digest())}
    assert json.loads(reply.body)["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}


def test_the_log_is_readable_as_tiles(desk: Desk) -> None:
    desk.call(*LOG, request(desk))
    checkpoint = desk.call("GET", "/api/v2/checkpoint").body.decode()
    assert checkpoint.startswith("log.example.org\n1\n")
    entries = desk.call(*TILE, name="entries/000.p/1").body
    hashed = desk.call(*TILE, name="0/000.p/1").body
    assert leaf_hash(entries[2:]) == hashed


@pytest.mark.parametrize(
    "name",
    ["0/001", "0/../../checkpoint", "../sequencer.sqlite", "0/000.p/256", "0/000.p/0", "0/0000", "entries",
     "64/000", "0/x1/000", "0/000.p/1/..", "0//000", "", "0/%2e%2e/000"],
)  # fmt: skip
def test_there_is_no_such_tile(desk: Desk, name: str) -> None:
    assert desk.refusal(*TILE, name=name).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"digest": b64(hashlib.sha256(b"other").digest())},
        {"digest": b64(b"short")},
        {"digest": None},
        {"signature": None},
        {"verifier": {"keyDetails": "PKIX_ECDSA_P384_SHA_384"}},
        {"verifier": {"keyDetails": None}},
        {"verifier": {"x509Certificate": {"rawBytes": "AAAA"}}},
        {"verifier": {"publicKey": {"rawBytes": "AAAA"}}},
    ],
)
def test_what_is_not_logged(desk: Desk, change: dict[str, Any]) -> None:
    assert desk.refusal(*LOG, request(desk, **change)).status == 400
    assert desk.service.journal.head().size == 0


def test_requests_of_another_kind(desk: Desk) -> None:
    for body in ({}, {"hashed_rekord_request_v002": {}}, {"hashedRekordRequestV002": 1}):
        assert desk.refusal(*LOG, body).status == 400


def test_a_key_from_elsewhere_is_not_logged_unless_configured(desk: Desk) -> None:
    error = desk.refusal(*LOG, request(desk, bare_key=True))
    assert (error.status, error.reason) == (403, "signer-foreign")


def test_what_a_role_signed_cannot_be_logged_again_without_its_payload(desk: Desk) -> None:
    authority = desk.service.authority
    statement = Statement((Subject("a", {"sha256": "ab" * 32}),), "https://slsa.dev/provenance/v1", {})
    signed = authority.signer("builder").sign(statement)
    (recorded,) = desk.service.journal.append([signed])
    leaf = json.loads(parse_bundle(recorded.bundle).log.entry_body)["spec"]["hashedRekordV002"]
    body = {"digest": leaf["data"]["digest"], "signature": leaf["signature"]}
    error = desk.refusal(*LOG, {"hashedRekordRequestV002": body})
    assert (error.status, error.reason) == (403, "signer-role")


def test_an_envelope_of_an_older_client(desk: Desk) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    identity = Identity("certificate", "https://ci.example.org/app", "https://issuer.example.org")
    certificate = desk.service.authority.issue(identity, key.public_key())
    signature = key.sign(b"DSSEv1 3 a/b 4 data", ec.ECDSA(hashes.SHA256()))
    verifier = {"x509Certificate": {"rawBytes": b64(certificate)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    envelope = {"payload": b64(b"data"), "payloadType": "a/b", "signatures": [{"sig": b64(signature)}]}
    body = {"dsseRequestV002": {"envelope": envelope, "verifiers": [verifier]}}
    reply = desk.call(*LOG, body)
    entry = json.loads(parse_log_entry(reply.body).entry_body)
    digest = hashlib.sha256(b"DSSEv1 3 a/b 4 data").digest()
    assert entry["spec"]["hashedRekordV002"]["data"]["digest"] == b64(digest)
    envelope["payload"] = b64(b"evil")
    assert desk.refusal(*LOG, body).status == 400


class TestAnyone:
    @pytest.fixture
    def configuration(self) -> dict[str, Any]:
        return {"plain": True, "log": {"accept": "any"}}

    def test_a_key_from_elsewhere(self, desk: Desk) -> None:
        assert desk.call(*LOG, request(desk, bare_key=True)).status == 201
        assert desk.service.journal.verify().size == 1

    def test_a_certificate_from_elsewhere(self, desk: Desk) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name([]))
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now)
            .sign(key, hashes.SHA256())
        )
        digest = hashlib.sha256(b"x").digest()
        raw = {"rawBytes": b64(certificate.public_bytes(Encoding.DER))}
        verifier = {"x509Certificate": raw, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        content = b64(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        body = {"digest": b64(digest), "signature": {"content": content, "verifier": verifier}}
        assert desk.call(*LOG, {"hashedRekordRequestV002": body}).status == 201
        assert desk.service.journal.verify().size == 1
