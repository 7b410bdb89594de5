"""Rekor v2 over HTTP: log a signature by its digest, read the log as C2SP tiles (rekor_service.proto)."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.hashes import SHA256

from pratique.errors import EvidenceInvalidError
from pratique.journal.writer import BareEntry
from pratique.model.strict_json import parse_json_object
from pratique.server.http import JSON, Call, CallRefusedError, Code, Reply, Route
from pratique.server.limits import check_rate
from pratique.trust import protojson
from pratique.trust.certificate import certificate_identity, load_certificate, verify_chain
from pratique.trust.entry import entry_body
from pratique.trust.envelope import pae
from pratique.trust.identity import Identity, is_role
from pratique.trust.publickey import P384, PublicKey, as_public_key, load_spki, verify_digest

if TYPE_CHECKING:
    from pratique.server.service import Service

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""Long enough for a whole envelope; what is logged of it is short."""
_BINARY: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_GROUPS: Final = r"(?:x\d{3}/){0,5}\d{3}(?:\.p/(?:[1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]))?"
_TILE = re.compile(rf"(?:entries|[0-9]|[1-5][0-9]|6[0-3])/{_GROUPS}\Z")
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""
    tiles = service.journal.tiles

    def create(call: Call) -> Reply:
        leaf = _entry(parse_json_object(call.body, what="request"), service)
        recorded = service.committer.commit(BareEntry(leaf))
        return Reply(HTTPStatus.CREATED, recorded.bundle, JSON)

    def checkpoint(_: Call) -> Reply:
        return Reply(HTTPStatus.OK, service.journal.checkpoint().encode(), _TEXT)

    def tile(call: Call) -> Reply:
        name = call.parameters["name"]
        if not _TILE.match(name):
            raise CallRefusedError(Code.NOT_FOUND, "no such tile", reason="")
        try:
            data = (tiles.root / "tile" / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise CallRefusedError(Code.NOT_FOUND, "no such tile", reason="") from None
        return Reply(HTTPStatus.OK, data, _BINARY, _FOR_EVER)

    return [
        Route("POST", "/api/v2/log/entries", create, MAX_REQUEST_BYTES),
        Route("GET", "/api/v2/checkpoint", checkpoint),
        Route("GET", "/api/v2/tile/{name:path}", tile),
    ]


def _entry(request: dict[str, Any], service: Service) -> bytes:
    """Verify a request to log a signature, and give the leaf.

    Older clients, npm's among them, send a whole envelope (rekor/v2/dsse.proto, deprecated). It is
    logged as what clients send today (rekor/v2/hashedrekord.proto), by the digest of its PAE.
    """
    protojson.refuse_aliases(request, "request")
    if request.get("dsseRequestV002") is not None:
        wanted = protojson.member(request, "dsseRequestV002", "request")
        envelope = protojson.member(wanted, "envelope", "request")
        signature = protojson.only(envelope, "signatures", "envelope")
        verifier = protojson.only(wanted, "verifiers", "request")
        certificate, public = _signer(verifier, service)
        content = protojson.blob(signature, "sig", "envelope")
        kind = protojson.text(envelope, "payloadType", "envelope")
        covered = pae(kind, protojson.blob(envelope, "payload", "envelope"))
        digest = hashlib.new(_algorithm(public), covered).digest()
    else:
        wanted = protojson.member(request, "hashedRekordRequestV002", "request")
        signature = protojson.member(wanted, "signature", "request")
        verifier = protojson.member(signature, "verifier", "request")
        certificate, public = _signer(verifier, service)
        content = protojson.blob(signature, "content", "signature")
        digest = protojson.blob(wanted, "digest", "request")
    algorithm = _algorithm(public)
    if protojson.text(verifier, "keyDetails", "verifier") != public.kind:
        raise CallRefusedError(
            Code.INVALID_ARGUMENT, f"keyDetails has to be {public.kind}", reason="key-kind"
        )
    if len(digest) != hashlib.new(algorithm).digest_size:
        raise CallRefusedError(
            Code.INVALID_ARGUMENT, f"the digest has another length than {algorithm}", reason="digest"
        )
    verify_digest(public, content, algorithm, digest, what="the signature")
    return entry_body(
        algorithm,
        digest,
        signature=content,
        certificate=certificate,
        spki=public.spki,
        key_kind=public.kind,
    )


def _algorithm(public: PublicKey) -> str:
    return "sha384" if public.kind == P384 else "sha256"


def _refuse_role(identity: Identity, service: Service) -> None:
    """Refuse what a role of this authority signed: it is evidence, and comes into the journal in full.

    Entries are public, so that anyone could log a role's fresh signature again, without its payload.
    """
    if is_role(identity, service.authority.trust_domain):
        raise CallRefusedError(
            Code.PERMISSION_DENIED,
            "what this authority's own roles sign is not logged here",
            reason="signer-role",
        )


def _signer(verifier: dict[str, Any], service: Service) -> tuple[bytes | None, PublicKey]:
    """Take the certificate or key, if whoever holds it may log here, and has not logged too much."""
    if verifier.get("x509Certificate") is None:
        raw = protojson.blob(protojson.member(verifier, "publicKey", "verifier"), "rawBytes", "public key")
        if service.settings.config.log.accept != "any":
            raise CallRefusedError(
                Code.PERMISSION_DENIED,
                "this log takes signatures by certificates of its own authority alone",
                reason="signer-foreign",
            )
        public = load_spki(raw)
        check_rate(service.per_identity, public.key_id, "identity")
        return None, public
    if verifier.get("publicKey") is not None:
        raise CallRefusedError(Code.INVALID_ARGUMENT, "a certificate and a key", reason="malformed")
    raw = protojson.blob(protojson.member(verifier, "x509Certificate", "verifier"), "rawBytes", "certificate")
    certificate = load_certificate(raw)
    try:
        identity = certificate_identity(certificate)
        _refuse_role(identity, service)
        verify_chain(certificate, service.authority.trusted_root, service.clock())
        name = str(identity)
    except EvidenceInvalidError as error:
        if service.settings.config.log.accept != "any":
            raise CallRefusedError(
                Code.PERMISSION_DENIED, f"the certificate: {error.message}", reason="signer-foreign"
            ) from error
        name = certificate.fingerprint(SHA256()).hex()
    check_rate(service.per_identity, f"log {name}", "identity")
    return raw, as_public_key(certificate.public_key(), what="the certificate's key")
