"""The least that a Sigstore client does: a certificate, a signature, its log entry."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from oidc_issuer import Issuer
    from server_process import ServerProcess


class Done(NamedTuple):
    certificate: bytes
    index: int


def sign_once(server: ServerProcess, issuer: Issuer, email: str, data: bytes = b"data") -> Done:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    proof = key.sign(email.encode(), ec.ECDSA(hashes.SHA256()))
    answer = server.request(
        "POST",
        "/api/v2/signingCert",
        json.dumps(
            {
                "credentials": {"oidcIdentityToken": issuer.token(email=email, email_verified=True)},
                "publicKeyRequest": {
                    "publicKey": {"content": pem},
                    "proofOfPossession": base64.b64encode(proof).decode(),
                },
            }
        ).encode(),
    )
    assert answer.status == 200, answer.body
    chain = json.loads(answer.body)["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    certificate = x509.load_pem_x509_certificate(chain[0].encode()).public_bytes(Encoding.DER)
    verifier = {
        "x509Certificate": {"rawBytes": base64.b64encode(certificate).decode()},
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    }
    signature = base64.b64encode(key.sign(data, ec.ECDSA(hashes.SHA256()))).decode()
    entry = {
        "digest": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        "signature": {"content": signature, "verifier": verifier},
    }
    answer = server.request(
        "POST", "/api/v2/log/entries", json.dumps({"hashedRekordRequestV002": entry}).encode()
    )
    assert answer.status == 201, answer.body
    return Done(certificate, int(json.loads(answer.body)["logIndex"]))
