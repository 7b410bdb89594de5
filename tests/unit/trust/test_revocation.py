"""docs/spec/revocation.md, rule by rule, on bundles of one world; tests/unit/flow has it from end to end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.testing.authority import START, World, make_authority
from pratique.trust import merkle
from pratique.trust.bundle import LogProof, encode_bundle, parse_bundle
from pratique.trust.entry import leaf_of
from pratique.trust.note import Checkpoint, sign_checkpoint
from pratique.trust.revocation import (
    Revocation,
    RevokedError,
    read_revocations,
    refuse_revoked,
    revocation_statement,
    verify_under_any,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pratique.trust.root import TrustedRoot

LATER = START + timedelta(days=1)
BY_CERTIFICATE, BY_KEY = 3, 4  # their entries in the world's log


def revoked(digest: Digest, *, kind: str = "key", log_size: int = 0, **changes: Any) -> Revocation:
    return Revocation(kind, digest, LATER, log_size, **changes)


def key_of(world: World) -> Digest:
    (key_id,) = world.keys
    return Digest(key_id)


def refused(data: bytes, world: World, *revocations: Revocation) -> str:
    """Give why a bundle does not count, or nothing."""
    try:
        refuse_revoked(data, world.authority.trusted_root, revocations)
    except RevokedError as error:
        return error.message
    return ""


def test_only_the_administrator_revokes(world: World) -> None:
    root = world.authority.trusted_root
    statement = revocation_statement(revoked(key_of(world)))
    for role, said in (("administrator", 1), ("builder", 0)):
        bundle = world.log.append(world.authority.signer(role).sign(statement))
        assert len(read_revocations([bundle], [root])) == said, role


def without(root: TrustedRoot, part: str) -> TrustedRoot:
    return msgspec.structs.replace(root, **{part: ()})


def test_a_statement_that_holds_under_no_root_stops_the_judgement(world: World, tmp_path: Path) -> None:
    root = world.authority.trusted_root
    stranger, _ = make_authority(tmp_path)
    bundle = world.by_certificate
    assert verify_under_any(bundle, [stranger.trusted_root, root]).statement == world.statement
    no_time, no_authority = without(root, "timestamp_authorities"), without(root, "certificate_authorities")
    for roots, step in (
        ([no_time], "step 3"),
        ([no_time, no_authority], "step 3"),
        ([no_authority, no_time], "step 4"),
    ):
        with pytest.raises(EvidenceInvalidError, match=step):
            verify_under_any(bundle, roots)
        with pytest.raises(EvidenceInvalidError, match=step):
            read_revocations([bundle], roots)


def test_a_persons_key_counts_no_more(world: World) -> None:
    key = key_of(world)
    assert "its signer's key" in refused(world.by_key, world, revoked(key))
    assert refused(world.by_certificate, world, revoked(key)) == ""
    assert refused(world.by_key, world, revoked(sha256_bytes(b"another key"))) == ""


@pytest.mark.parametrize(
    ("since", "counts"), [(START + timedelta(seconds=1), True), (START, False), (None, False)]
)
def test_a_timestamp_proves_what_is_before_the_time(
    world: World, since: datetime | None, *, counts: bool
) -> None:
    """Rule 4. At the very second, nothing is proven to be older."""
    assert (refused(world.by_key, world, revoked(key_of(world), since=since)) == "") is counts


@pytest.mark.parametrize(("log_size", "counts"), [(BY_KEY + 1, True), (BY_KEY, False), (0, False)])
def test_a_place_in_the_log_proves_it_too(world: World, log_size: int, *, counts: bool) -> None:
    """Rule 5."""
    revocation = revoked(key_of(world), log_size=log_size, since=START)
    assert (refused(world.by_key, world, revocation) == "") is counts


def authority_key(world: World) -> Digest:
    """Give the key id that rule 3 names, from the authority's own certificate."""
    (authority,) = world.authority.trusted_root.timestamp_authorities
    return sha256_bytes(_spki(authority.chain[0]))


def _spki(der: bytes) -> bytes:
    key = load_der_x509_certificate(der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_where_the_timestamp_authority_is_revoked_the_place_alone_proves_anything(world: World) -> None:
    authority, key, before = authority_key(world), key_of(world), START + timedelta(seconds=1)
    late, early = revoked(authority, since=before), revoked(authority, log_size=BY_KEY + 1, since=before)
    assert refused(world.by_key, world, late)
    assert not refused(world.by_key, world, early)
    assert refused(world.by_key, world, revoked(authority, log_size=BY_KEY + 1)), "without a time, nothing"
    assert not refused(world.by_key, world, early, revoked(key, since=before))
    assert refused(world.by_key, world, late, revoked(key, since=before))
    assert not refused(world.by_key, world, early, revoked(key, since=START, log_size=BY_KEY + 1))


def test_revoked_evidence_never_counts(world: World) -> None:
    digest = sha256_bytes(world.by_key)
    never = revoked(digest, kind="evidence", log_size=99, since=LATER)
    assert "its own digest" in refused(world.by_key, world, never)


@pytest.mark.parametrize(
    ("since", "reason", "said"),
    [
        (None, "", "is revoked; nothing"),
        (None, "a theft", "is revoked: a theft; nothing"),
        (START, "", "is revoked since 2026-06-01T09:00:00Z; nothing"),
        (START, "a theft", "is revoked since 2026-06-01T09:00:00Z: a theft; nothing"),
    ],
)
def test_it_says_since_when_and_why(world: World, since: datetime | None, reason: str, said: str) -> None:
    message = refused(world.by_key, world, revoked(key_of(world), since=since, reason=reason))
    assert said in message
    assert "(it says 2026-06-01T09:00:00Z)" in message


def test_a_certificate_that_no_log_has_seen_is_no_certificate(world: World) -> None:
    (anchor,) = world.authority.trusted_root.certificate_authorities[0].chain
    signed = msgspec.structs.replace(parse_bundle(world.by_certificate).signed(), certificate=anchor)
    body = leaf_of(signed)
    note = sign_checkpoint(Checkpoint("pratique.local", 1, merkle.leaf_hash(body)), world.authority.log_key)
    log_id = world.authority.trusted_root.tlogs[0].log_id
    data = encode_bundle(signed, LogProof(0, 1, merkle.leaf_hash(body), (), note, log_id, body))
    with pytest.raises(MalformedError, match="no readable embedded SCT"):
        refuse_revoked(data, world.authority.trusted_root, [revoked(key_of(world))])


def test_where_nothing_is_revoked_nothing_is_read(world: World) -> None:
    refuse_revoked(b"no bundle", world.authority.trusted_root, ())
    with pytest.raises(MalformedError):
        refuse_revoked(b"no bundle", world.authority.trusted_root, [revoked(key_of(world))])
