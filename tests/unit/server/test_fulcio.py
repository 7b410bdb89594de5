from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from ci_tokens import GITHUB
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.model.predicate import ISSUANCE
from pratique.trust.certificate import certificate_identity, issuer_key_hash, verify_chain
from pratique.trust.sct import verify_scts
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from serving_desk import Desk

SIGN = ("POST", "/api/v2/signingCert")
ADA = {"sub": "17", "email": "ada@example.org", "email_verified": True}


def request(token: str, key: Any, challenge: str = "ada@example.org", digest: Any = None) -> dict[str, Any]:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signed = (
        key.sign(challenge.encode(), ec.ECDSA(digest or hashes.SHA256()))
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else key.sign(challenge.encode())
    )
    return {
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": pem},
            "proofOfPossession": base64.b64encode(signed).decode(),
        },
    }


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issued(body: bytes) -> list[x509.Certificate]:
    chain = json.loads(body)["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    return [x509.load_pem_x509_certificate(item.encode()) for item in chain]


def test_a_certificate_is_in_the_journal_before_it_is_given_out(desk: Desk) -> None:
    root, journal = desk.service.authority.trusted_root, desk.service.journal
    leaf, ca = issued(desk.call(*SIGN, request(desk.issuer.token(**ADA), p256())).body)
    assert ca == root.certificate_authorities[0].certificates[0]
    assert verify_chain(leaf, root, leaf.not_valid_before_utc).certificates[0] == ca
    assert verify_scts(leaf, issuer_key_hash(ca), root, strict=True) == root.ctlogs
    assert certificate_identity(leaf).subject == "ada@example.org"
    (found,) = journal.find(predicate_type=ISSUANCE)
    verified = verify_bundle(journal.get(found.digest), root)
    (recorded,) = verified.statement.predicate["certificates"]
    assert base64.b64decode(recorded["certificate"]) == leaf.public_bytes(Encoding.DER)
    assert verified.statement.subjects[1].digest == {"sha256": leaf.fingerprint(hashes.SHA256()).hex()}
    assert desk.issuer.token(**ADA).split(".")[1] not in verified.bundle.payload.decode()


def test_a_certificate_request_with_the_token_in_the_header(desk: Desk) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA384())
    body = {"certificateSigningRequest": base64.b64encode(csr.public_bytes(Encoding.PEM)).decode()}
    headers = {"authorization": f"Bearer {desk.issuer.token(**ADA)}"}
    leaf, _ = issued(desk.call(*SIGN, body, headers=headers).body)
    assert leaf.public_key() == key.public_key()
    assert list(leaf.subject) == []


def test_a_certificate_request_that_another_key_signed(desk: Desk) -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    der = bytearray(builder.sign(p256(), hashes.SHA256()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n%b\n-----END CERTIFICATE REQUEST-----\n"
    body = {
        "credentials": {"oidcIdentityToken": desk.issuer.token(**ADA)},
        "certificateSigningRequest": base64.b64encode(pem % base64.b64encode(der)).decode(),
    }
    assert desk.refusal(*SIGN, body).reason == "possession"


def test_who_is_asked_for(desk: Desk) -> None:
    listed = json.loads(desk.call("GET", "/api/v2/configuration").body)["issuers"]
    assert [(one["issuerUrl"], one["challengeClaim"]) for one in listed] == [(desk.issuer.url, "email")]
    (chain,) = json.loads(desk.call("GET", "/api/v2/trustBundle").body)["chains"]
    assert chain["certificates"][0].startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"challenge": "17"}, "possession"),
        ({"challenge": "eve@example.org"}, "possession"),
        ({"digest": hashes.SHA512()}, "possession"),
        ({"key": ed25519.Ed25519PrivateKey.generate()}, "key-kind"),
        ({"key": ec.generate_private_key(ec.SECP521R1())}, "key-kind"),
    ],
)
def test_a_key_that_is_not_proven(desk: Desk, change: dict[str, Any], reason: str) -> None:
    key = change.pop("key", None) or p256()
    error = desk.refusal(*SIGN, request(desk.issuer.token(**ADA), key, **change))
    assert (error.reason, error.status) == (reason, 400)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "token-expired"),
        ({"aud": "other"}, "audience"),
        ({"email_verified": False}, "email"),
        ({"iss": "https://evil.example.org"}, "issuer-unknown"),
        ({"header": {"kid": "other"}}, "token-signature"),
        ({"header": {"alg": "none"}}, "token-signature"),
        ({"header": {"alg": "HS256"}}, "token-signature"),
    ],
)
def test_a_token_that_does_not_do(desk: Desk, claims: dict[str, Any], reason: str) -> None:
    error = desk.refusal(*SIGN, request(desk.issuer.token(**{**ADA, **claims}), p256()))
    assert (error.reason, error.status) == (reason, 401)
    assert json.loads(error.reply().body)["code"] == 16
    assert desk.service.journal.head().size == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"credentials": 1}', b'{"a":1,"a":2}', b"\xff"])
def test_what_is_no_request(desk: Desk, body: bytes) -> None:
    assert desk.refusal(*SIGN, body).status in {400, 401}


@pytest.mark.parametrize(
    "change",
    [{"publicKeyRequest": None}, {"publicKeyRequest": {}}, {"certificateSigningRequest": "AAAA"},
     {"certificateSigningRequest": 7}],
)  # fmt: skip
def test_parts_that_are_missing(desk: Desk, change: dict[str, Any]) -> None:
    body = {**request(desk.issuer.token(**ADA), p256()), **change}
    assert desk.refusal(*SIGN, body).status == 400


class TestGitHub:
    @pytest.fixture
    def configuration(self, configuration: dict[str, Any]) -> dict[str, Any]:
        (issuer,) = configuration["issuers"]
        return {**configuration, "issuers": [{**issuer, "type": "github-workflow"}]}

    def test_extensions_are_encoded_as_fulcio_says(self, desk: Desk) -> None:
        """Up to .6 bare text, from .8 on a DER UTF8String (Fulcio, docs/oid-info.md)."""
        subject = "repo:octo-org/octo-repo:environment:prod"
        token = desk.issuer.token(**GITHUB)
        leaf, _ = issued(desk.call(*SIGN, request(token, p256(), subject)).body)
        found = {
            extension.oid.dotted_string.removeprefix("1.3.6.1.4.1.57264.1."): extension.value.value
            for extension in leaf.extensions
            if isinstance(extension.value, x509.UnrecognizedExtension)
        }
        assert found["1"] == b"https://issuer.example.org"
        assert found["8"] == b"\x0c\x1ahttps://issuer.example.org"
        assert found["5"] == b"octo-org/octo-repo"
        assert found["13"] == b"\x0c\x0bexample-sha"
        assert found["24"] == b"\x0c\x28" + subject.encode()
        (name,) = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert isinstance(name, x509.UniformResourceIdentifier)
        assert name.value.startswith("https://github.com/octo-org/octo-automation/")


class TestLimits:
    @pytest.fixture
    def configuration(self, configuration: dict[str, Any]) -> dict[str, Any]:
        return {**configuration, "limits": {"per_identity": 1}}

    def test_one_identity_cannot_ask_without_end(self, desk: Desk) -> None:
        desk.call(*SIGN, request(desk.issuer.token(**ADA), p256()))
        error = desk.refusal(*SIGN, request(desk.issuer.token(**ADA), p256()))
        assert (error.status, error.reason) == (429, "rate-identity")
        assert "Retry-After" in error.reply().headers
        bob = "bob@example.org"
        desk.call(*SIGN, request(desk.issuer.token(**{**ADA, "email": bob}), p256(), bob))
