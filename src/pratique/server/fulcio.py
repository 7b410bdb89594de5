"""Fulcio v2 over HTTP: a token and a key go in, a ten-minute certificate comes out (fulcio.proto)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_public_key,
    load_pem_public_key,
)

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.server.audit import IssuedCertificate
from pratique.server.http import Call, CallRefusedError, Code, Reply, Route, json_reply
from pratique.server.limits import check_rate
from pratique.trust import protojson
from pratique.trust.certificate import load_certificate
from pratique.trust.encoding import b64decode

if TYPE_CHECKING:
    from pratique.server.oidc.principal import Principal
    from pratique.server.service import Service

MAX_REQUEST_BYTES: Final = 32 * 1024
_HASHES: Final = {"p256": hashes.SHA256(), "p384": hashes.SHA384()}
_CURVES: Final = {"secp256r1": "p256", "secp384r1": "p384"}


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""
    issuers = [
        {
            "issuerUrl": issuer.url,
            "audience": issuer.audience,
            "challengeClaim": "email" if issuer.type == "email" else "sub",
            "issuerType": issuer.type,
            **({"subjectDomain": issuer.subject_domain} if issuer.subject_domain else {}),
        }
        for issuer in service.settings.config.issuers
    ]
    chain = [
        item.public_bytes(Encoding.PEM).decode()
        for item in service.authority.trusted_root.certificate_authorities[0].certificates
    ]

    def sign(call: Call) -> Reply:
        request = parse_json_object(call.body, what="request")
        principal = service.authenticator.authenticate(_token(request, call))
        key = _proven_key(request, principal, service.settings.config.keys)
        check_rate(service.per_identity, f"{principal.identity.issuer} {principal.identity}", "identity")
        certificate = _issue(service, principal, key, call.address)
        certificates = [certificate.public_bytes(Encoding.PEM).decode(), *chain]
        return json_reply({"signedCertificateEmbeddedSct": {"chain": {"certificates": certificates}}})

    def trust_bundle(_: Call) -> Reply:
        return json_reply({"chains": [{"certificates": chain}]})

    def configuration(_: Call) -> Reply:
        return json_reply({"issuers": issuers})

    return [
        Route("POST", "/api/v2/signingCert", sign, MAX_REQUEST_BYTES),
        Route("GET", "/api/v2/trustBundle", trust_bundle),
        Route("GET", "/api/v2/configuration", configuration),
    ]


def _issue(
    service: Service, principal: Principal, key: ec.EllipticCurvePublicKey, address: str
) -> x509.Certificate:
    """Sign a certificate, and put it into the journal before anyone has it: its SCT promises so."""
    der = service.authority.issue(
        principal.identity, key, email=principal.email, extensions=principal.extensions
    )
    certificate = load_certificate(der)
    service.committer.commit(
        IssuedCertificate(
            der=der,
            serial=certificate.serial_number,
            identity=principal.identity,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            address=address,
        )
    )
    return certificate


def _token(request: dict[str, Any], call: Call) -> str:
    """Take the token from the request's credentials, or from the Authorization header, as Fulcio does."""
    credentials = request.get("credentials")
    if isinstance(credentials, dict) and isinstance(credentials.get("oidcIdentityToken"), str):
        return str(credentials["oidcIdentityToken"])
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise CallRefusedError(Code.UNAUTHENTICATED, "no identity token was given", reason="token-absent")
    return token.strip()


def _proven_key(
    request: dict[str, Any], principal: Principal, allowed: tuple[str, ...]
) -> ec.EllipticCurvePublicKey:
    """Take the key to be certified, once the client has shown that it has the private one.

    A certificate request's other members are ignored, as its signature alone is the proof (fulcio.proto).
    """
    if request.get("certificateSigningRequest") is not None:
        return _requested_key(request["certificateSigningRequest"], allowed)
    wanted = protojson.member(request, "publicKeyRequest", "request")
    content = protojson.text(protojson.member(wanted, "publicKey", "request"), "content", "public key")
    proof = protojson.blob(wanted, "proofOfPossession", "request")
    key, kind = _supported(_load_key(content), allowed)
    try:
        key.verify(proof, principal.challenge.encode(), ec.ECDSA(_HASHES[kind]))
    except InvalidSignature as error:
        raise _unproven() from error
    return key


def _requested_key(text: object, allowed: tuple[str, ...]) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(b64decode(text, what="certificate signing request"))
        public, holds = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, TypeError) as error:
        raise MalformedError("the certificate signing request does not parse") from error
    key, _ = _supported(public, allowed)
    if not holds:
        raise _unproven()
    return key


def _load_key(content: str) -> object:
    try:
        if "-----BEGIN" in content:
            return load_pem_public_key(content.encode())
        return load_der_public_key(b64decode(content, what="public key"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("the public key supplied does not parse") from error


def _supported(key: object, allowed: tuple[str, ...]) -> tuple[ec.EllipticCurvePublicKey, str]:
    kind = _CURVES.get(key.curve.name, "") if isinstance(key, ec.EllipticCurvePublicKey) else ""
    if not isinstance(key, ec.EllipticCurvePublicKey) or kind not in allowed:
        raise CallRefusedError(
            Code.INVALID_ARGUMENT, f"keys certified here are {', '.join(allowed)}", reason="key-kind"
        )
    return key, kind


def _unproven() -> CallRefusedError:
    return CallRefusedError(
        Code.INVALID_ARGUMENT,
        "The signature supplied in the request could not be verified",
        reason="possession",
    )
