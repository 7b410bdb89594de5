"""Stand-ins for the clouds' key services: their protocols over a real P-256 key, on this machine.

They answer as the services' references say: cloudkms v1 `getPublicKey` and `asymmetricSign`, without CRC32C;
Key Vault 7.4 `GET key` and `sign`; AWS KMS `GetPublicKey` and `Sign`, looking for a signature version 4 but
not checking it. Tokens come from the same place: Google's token endpoint (RFC 7523) and
Azure's managed-identity endpoint. Tests set what goes wrong.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

GCP_KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
AZURE_VERSION = "0123456789abcdef0123456789abcdef"
AWS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/0d990263-018e-4e65-a703-eff731de951e"
AWS_SIGN = ("TrentService.Sign", "DIGEST", "ECDSA_SHA_256")
TOKEN = "a-token-that-nobody-guesses"


class StandIn:
    """What the stand-in is; `wrong` holds answers to give before its own, as (status, headers, body)."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.key = key
        self.wrong: list[tuple[int, dict[str, str], Any]] = []
        self.calls: list[str] = []
        self.algorithm = "EC_SIGN_P256_SHA256"
        self.curve = "P-256"
        self.sign_with = key
        self.address = ""

    def aws(self, target: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Give status and document for a call of AWS KMS (JSON 1.1, TrentService)."""
        if body["KeyId"] not in {"alias/signing", AWS_KEY}:
            return 400, {"__type": "NotFoundException", "message": f"{body['KeyId']} is not found"}
        if target == "TrentService.GetPublicKey":
            spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return 200, {"KeyId": AWS_KEY, "PublicKey": b64encode(spki).decode(), "KeyUsage": "SIGN_VERIFY"}
        if (target, body["MessageType"], body["SigningAlgorithm"]) == AWS_SIGN:
            signature = self._sign(b64decode(body["Message"]))
            return 200, {"KeyId": AWS_KEY, "Signature": b64encode(signature).decode()}
        return 400, {"__type": "ValidationException", "message": "not as this stand-in wants it"}

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:  # noqa: PLR0911 - one a path
        """Give status and document for a call."""
        if path.startswith("/token"):
            return 200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        if path.startswith("/identity"):
            expiry = str(int(time.time()) + 3600)
            return 200, {"access_token": TOKEN, "expires_on": expiry, "token_type": "Bearer", "resource": "x"}
        if path == f"/v1/{GCP_KEY}/publicKey":
            pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return 200, {"pem": pem.decode(), "algorithm": self.algorithm, "name": GCP_KEY}
        if path == f"/v1/{GCP_KEY}:asymmetricSign":
            signature = self._sign(b64decode(body["digest"]["sha256"]))
            return 200, {"signature": b64encode(signature).decode(), "name": GCP_KEY}
        versions = ("/keys/k/?", f"/keys/k/{AZURE_VERSION}?")
        if path.startswith(versions):
            return 200, {"key": self._jwk(), "attributes": {"enabled": True}}
        if path.startswith(f"/keys/k/{AZURE_VERSION}/sign?"):
            if body["alg"] != "ES256":
                return 400, {"error": {"code": "BadParameter", "message": "alg"}}
            value = body["value"] + "=" * (-len(body["value"]) % 4)
            r, s = decode_dss_signature(self._sign(urlsafe_b64decode(value)))
            return 200, {
                "kid": self._jwk()["kid"],
                "value": _b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
            }
        return 404, {"error": {"code": 404, "message": "not found"}}

    def _sign(self, digest: bytes) -> bytes:
        return self.sign_with.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    def _jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        x, y = (_b64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        kid = f"https://v.vault.azure.net/keys/k/{AZURE_VERSION}"
        return {"kty": "EC", "crv": self.curve, "x": x, "y": y, "kid": kid}


def _b64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def serve(key: ec.EllipticCurvePrivateKey) -> Iterator[StandIn]:
    """Run a stand-in until the context ends."""
    stand_in = StandIn(key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            as_json = "json" in self.headers.get("Content-Type", "")
            self._reply(json.loads(data) if as_json else {})

        def _reply(self, body: dict[str, Any]) -> None:
            stand_in.calls.append(self.path)
            open_paths = ("/token", "/identity")
            headers: dict[str, str] = {}
            if not self.path.startswith(open_paths) and stand_in.wrong:
                status, headers, document = stand_in.wrong.pop(0)
            elif target := self.headers.get("X-Amz-Target"):
                signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=id/")
                refusal = (400, {"__type": "UnrecognizedClientException", "message": "who?"})
                status, document = stand_in.aws(target, body) if signed else refusal
            elif (
                not self.path.startswith(open_paths)
                and self.headers.get("Authorization") != f"Bearer {TOKEN}"
            ):
                status, document = 401, {"error": {"code": 401, "message": "unauthenticated"}}
            else:
                status, document = stand_in.answer(self.path, body)
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
