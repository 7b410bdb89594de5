"""Evidence from other machines: what was signed elsewhere comes into the journal in full.

A runner signs with any Sigstore client, which logs a bare entry, and then hands the finished bundle over. It
is verified as any evidence is, and appended once more, now with its statement, so that the gate finds it.

A runner with a trust root of its own hands over what its own roles signed. That is recorded as theirs
(docs/spec/imported-evidence.md), where serve.toml names its root.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError
from pratique.model.predicate import IMPORTED
from pratique.server.http import Call, CallRefusedError, Code, Reply, Route, json_reply
from pratique.server.limits import check_rate
from pratique.trust.authority.ca import LIFETIME
from pratique.trust.encoding import b64encode
from pratique.trust.foreign.table import read_evidence
from pratique.trust.identity import is_role
from pratique.trust.imported import import_statement, read_source
from pratique.trust.keyring import KeyRing
from pratique.trust.statement import Subject
from pratique.trust.verify import verify_bundle, verify_entity

if TYPE_CHECKING:
    from pratique.model.digest import Digest
    from pratique.server.service import Service
    from pratique.trust.established import Established
    from pratique.trust.statement import Statement

MAX_BUNDLE_BYTES: Final = 4 * 1024 * 1024
FRESH: Final = LIFETIME + timedelta(minutes=5)
"""How old a signature may be: bundles are no secret, and old evidence must not come in as if it were new."""


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""

    def add(call: Call) -> Reply:
        try:
            verified = verify_bundle(call.body, service.authority.trusted_root)
        except EvidenceInvalidError:
            name, theirs = _held(service, call.body)
            if theirs is None:
                raise
            return _take_theirs(service, name, theirs, call.body)
        if verified.signer.kind != "certificate" or is_role(verified.signer, service.authority.trust_domain):
            raise CallRefusedError(
                Code.PERMISSION_DENIED,
                "taken here is what tokens' identities signed, not roles or people's keys",
                reason="signer-role",
            )
        if service.clock() - verified.signed_at > FRESH:
            raise CallRefusedError(Code.INVALID_ARGUMENT, f"signed at {verified.signed_at}", reason="stale")
        check_rate(service.per_identity, f"evidence {verified.signer}", "identity")
        recorded = service.committer.commit(verified.bundle.signed())
        return _reply(recorded.digest, recorded.index, recorded.bundle)

    return [Route("POST", "/pratique/v1/evidence", add, MAX_BUNDLE_BYTES)]


def _reply(digest: Digest, index: int, bundle: bytes) -> Reply:
    body = {"digest": str(digest), "logIndex": index, "bundle": b64encode(bundle)}
    return json_reply(body, HTTPStatus.CREATED)


def _held(service: Service, data: bytes) -> tuple[str, Established | None]:
    """Find the root of others that a bundle holds under; a key without a root is nobody's here."""
    for name, root in service.roots.items():
        try:
            (entity,) = read_evidence(data)
            return name, verify_entity(entity, root, keys=KeyRing())
        except (EvidenceInvalidError, CouldNotCheckError, ValueError):
            continue
    return "", None


def _take_theirs(service: Service, name: str, theirs: Established, data: bytes) -> Reply:
    """Record others' evidence; it keeps its own time, so that it may be old."""
    check_rate(service.per_identity, f"evidence {name} {theirs.signer}", "identity")
    subjects = theirs.statement.subjects if theirs.statement else ()
    if len(subjects) != 1:
        raise MalformedError(f"a statement about {len(subjects)} artifacts; one is taken at a time")
    subject = Subject(subjects[0].name or subjects[0].sha256.hex, subjects[0].sha256.digest_set)
    root = service.roots[name]
    statement = import_statement(theirs, subject, signature=0, root_name=name, root=root)
    if (there := _recorded(service, statement)) is not None:
        return there
    for blob in (data, root.data):
        service.journal.blobs.put(blob)
    recorded = service.committer.commit(service.authority.signer("verifier").sign(statement))
    return _reply(recorded.digest, recorded.index, recorded.bundle)


def _recorded(service: Service, statement: Statement) -> Reply | None:
    verifier, wanted = service.authority.signer("verifier").identity, read_source(statement)
    for found in service.journal.find(subject=statement.subjects[0].sha256, predicate_type=IMPORTED):
        bundle = service.journal.get(found.digest)
        verified = verify_bundle(bundle, service.authority.trusted_root)
        if verified.signer == verifier and read_source(verified.statement) == wanted:
            return _reply(found.digest, found.index, bundle)
    return None
