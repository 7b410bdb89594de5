from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from oidc_issuer import Issuer, base64url

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.server.oidc.jws import parse_jwks, parse_token, verify_token

# RFC 7515, appendix A.3
RFC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_TOKEN = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)


def keys(*listed: dict[str, str]) -> bytes:
    return json.dumps({"keys": listed}).encode()


def test_the_rfcs_example() -> None:
    token = parse_token(RFC_TOKEN)
    assert token.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    verify_token(token, parse_jwks(keys(RFC_KEY)), ["ES256"])


def test_a_changed_signature() -> None:
    changed = parse_token(RFC_TOKEN.replace("ljbEg8", "ljbEg9"))
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        verify_token(changed, parse_jwks(keys(RFC_KEY)), ["ES256"])


def test_an_algorithm_that_is_not_taken() -> None:
    with pytest.raises(SignatureInvalidError, match="'ES256' is not taken"):
        verify_token(parse_token(RFC_TOKEN), parse_jwks(keys(RFC_KEY)), ["RS256"])


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256"])
def test_the_algorithm_must_fit_the_key(alg: str) -> None:
    """The classic confusions: no signature, and the public key as a shared secret."""
    header = base64url(json.dumps({"alg": alg}).encode())
    token = parse_token(f"{header}.{RFC_TOKEN.split('.')[1]}.{RFC_TOKEN.split('.')[2]}")
    with pytest.raises(SignatureInvalidError):
        verify_token(token, parse_jwks(keys(RFC_KEY)), ["RS256", "ES256", "none", "HS256"])


def test_a_curve_signs_with_its_own_hash_alone() -> None:
    """A P-256 key that signed over SHA-384 and says ES384 (RFC 7518 §3.4 ties each curve to one hash)."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed = ".".join(base64url(part) for part in (b'{"alg":"ES384"}', b"{}"))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA384())))
    numbers = key.public_key().public_numbers()
    x, y, r_bytes, s_bytes = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y, r, s))
    jwk = {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}
    token = parse_token(f"{signed}.{base64url(r_bytes + s_bytes)}")
    with pytest.raises(SignatureInvalidError, match="no such key"):
        verify_token(token, parse_jwks(keys(jwk)), ["ES384"])


def test_a_key_that_is_for_another_algorithm_or_use() -> None:
    for more in ({"alg": "ES384"}, {"use": "enc"}, {"kid": "other"}):
        header = base64url(b'{"alg":"ES256","kid":"this"}')
        text = RFC_TOKEN if "kid" not in more else ".".join([header, *RFC_TOKEN.split(".")[1:]])
        with pytest.raises(SignatureInvalidError, match="no such key"):
            verify_token(parse_token(text), parse_jwks(keys({**RFC_KEY, **more})), ["ES256"])


def test_a_token_by_rsa() -> None:
    issuer = Issuer("https://issuer.example.org")
    verify_token(parse_token(issuer.token()), parse_jwks(json.dumps(issuer.jwks()).encode()), ["RS256"])
    other = Issuer("https://issuer.example.org")
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        verify_token(parse_token(issuer.token()), parse_jwks(json.dumps(other.jwks()).encode()), ["RS256"])


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c.d", "e30.e30.", "e30.e30.e30=", "e30.e30.e31", "e30.bnVsbA.", "x" * 20_000,
     base64url(b'{"alg":"ES256","crit":["b64"]}') + ".e30.", base64url(b'{"alg":1}') + ".e30.",
     base64url(b'{"alg":"ES256","alg":"none"}') + ".e30."],
)  # fmt: skip
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_token(text)


@pytest.mark.parametrize(
    "data",
    [b"[]", b'{"keys": 1}', keys({**RFC_KEY, "x": "AAAA"}), keys({"kty": "RSA", "n": "!", "e": "AQAB"}),
     keys(*[RFC_KEY] * 65)],
)  # fmt: skip
def test_what_is_no_key_set(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_jwks(data)


def test_kinds_nobody_here_knows_are_passed_over() -> None:
    assert parse_jwks(keys({"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "secp256k1"})) == ()
