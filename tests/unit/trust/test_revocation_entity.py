"""What others signed, and what of it does not count once a key, a certificate or evidence is revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from pratique.errors import MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.testing.authority import START, World, make_authority, make_world
from pratique.trust.foreign.table import read_evidence
from pratique.trust.keyring import make_keyring
from pratique.trust.publickey import load_spki
from pratique.trust.revocation import Revocation, RevokedError, refuse_revoked_entity
from pratique.trust.verify import verify_entity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pratique.trust.established import Established
    from pratique.trust.root import TrustedRoot

AFTER = START + timedelta(seconds=1)
ELSEWHERE = sha256_bytes(b"another key")


def established(world: World, data: bytes) -> Established:
    (entity,) = read_evidence(data)
    (enrolled,) = world.keys.values()
    keys = make_keyring([load_spki(enrolled.public_key)])
    return verify_entity(entity, world.authority.trusted_root, keys=keys)


def changed(found: Established, **members: Any) -> Established:
    return msgspec.structs.replace(found, entity=msgspec.structs.replace(found.entity, **members))


def revoked(digest: Digest, since: datetime | None = None, *, kind: str = "key") -> Revocation:
    return Revocation(kind, digest, START + timedelta(days=1), 0, since)


def refused(found: Established, root: TrustedRoot, *revocations: Revocation) -> str:
    """Give why it does not count, or nothing."""
    try:
        refuse_revoked_entity(found, root, revocations)
    except RevokedError as error:
        return error.message
    return ""


def key_in(chain: Iterable[bytes]) -> Digest:
    """Give the key id of a chain's first certificate, by the certificate itself."""
    key = load_der_x509_certificate(next(iter(chain))).public_key()
    return sha256_bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def keys_of(root: TrustedRoot) -> dict[str, Digest]:
    return {
        "its certificate authority": key_in(root.certificate_authorities[0].chain),
        "its timestamp authority": key_in(root.timestamp_authorities[0].chain),
        "its certificate-transparency log": sha256_bytes(root.ctlogs[0].key),
        "its log": sha256_bytes(root.tlogs[0].key),
    }


def test_each_key_that_it_rests_on_can_be_revoked_and_no_other(world: World, tmp_path: Path) -> None:
    ours = world.authority.trusted_root
    theirs = make_authority(tmp_path)[0].trusted_root
    names = ("tlogs", "certificate_authorities", "ctlogs", "timestamp_authorities")
    both = msgspec.structs.replace(ours, **{n: (*getattr(theirs, n), *getattr(ours, n)) for n in names})
    found = established(world, world.by_certificate)
    for what, key in keys_of(ours).items():
        assert what in refused(found, both, revoked(ELSEWHERE), revoked(key))
    for key in keys_of(theirs).values():
        assert refused(found, both, revoked(key)) == ""


def test_the_signers_key_a_certificate_and_evidence(world: World) -> None:
    root = world.authority.trusted_root
    (key_id,) = world.keys
    by_key, by_certificate = established(world, world.by_key), established(world, world.by_certificate)
    assert "its signer's key" in refused(by_key, root, revoked(Digest(key_id)))
    assert refused(by_certificate, root, revoked(Digest(key_id))) == ""
    assert by_certificate.key is not None
    certified = Digest(by_certificate.key.key_id)
    assert "its signer's key" in refused(by_certificate, root, revoked(certified)), "a key, however certified"
    assert refused(msgspec.structs.replace(by_key, key=None), root, revoked(Digest(key_id))) == ""
    certificate = sha256_bytes(by_certificate.entity.certificate or b"")
    assert "its certificate" in refused(by_certificate, root, revoked(certificate, kind="certificate"))
    assert refused(by_certificate, root, revoked(certificate)) == "", "a certificate's digest is no key's"
    own = revoked(sha256_bytes(world.by_key), AFTER, kind="evidence")
    assert "its own digest" in refused(by_key, root, own), "evidence never counts again"


@pytest.mark.parametrize(("since", "counts"), [(AFTER, True), (START, False), (None, False)])
def test_a_timestamp_proves_that_it_is_older(world: World, since: datetime | None, *, counts: bool) -> None:
    root, (key_id,) = world.authority.trusted_root, world.keys
    found, key = established(world, world.by_key), revoked(Digest(key_id), since)
    assert (refused(found, root, key) == "") is counts
    authority = revoked(keys_of(root)["its timestamp authority"], AFTER)
    assert refused(found, root, key, authority), "whoever has that key states any time"


def test_where_nothing_is_revoked_nothing_is_read(world: World) -> None:
    found = changed(established(world, world.by_key), timestamps=(b"no token",))
    assert refused(found, world.authority.trusted_root) == ""
    with pytest.raises(MalformedError):
        refuse_revoked_entity(found, world.authority.trusted_root, [revoked(ELSEWHERE)])


def test_one_sound_time_is_enough(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    root, (key_id,) = world.authority.trusted_root, world.keys
    found = established(world, world.by_key)
    world.clock.advance(hours=1)
    late = world.authority.timestamp(found.entity.signature)
    for stamps in ((*found.entity.timestamps, late), (late, *found.entity.timestamps)):
        assert refused(changed(found, timestamps=stamps), root, revoked(Digest(key_id), AFTER)) == ""
    assert refused(changed(found, timestamps=(late,)), root, revoked(Digest(key_id), AFTER))


@pytest.mark.parametrize(
    ("promise", "integrated", "counts"),
    [(b"promise", 0, True), (b"promise", 1, False), (b"promise", None, False), (None, 0, False)],
)
def test_a_logs_promise_says_when(
    world: World, promise: bytes | None, integrated: int | None, *, counts: bool
) -> None:
    """`integrated` is in seconds after the start; the signature has no timestamp beside it."""
    root, (key_id,) = world.authority.trusted_root, world.keys
    found = established(world, world.by_key)
    at = None if integrated is None else int(START.replace(tzinfo=UTC).timestamp()) + integrated
    (entry,) = found.entity.entries
    promised = msgspec.structs.replace(entry, promise=promise, integrated_time=at)
    found = changed(found, entries=(promised,), timestamps=())
    key = revoked(Digest(key_id), AFTER)
    assert (refused(found, root, key) == "") is counts
    assert refused(found, root, key, revoked(keys_of(root)["its log"], AFTER)), "nor does a stolen log's"


def test_a_certificate_without_scts_where_the_root_has_no_logs_for_them(world: World) -> None:
    root = world.authority.trusted_root
    (anchor,) = root.certificate_authorities[0].chain
    found = changed(established(world, world.by_certificate), certificate=anchor)
    bare = msgspec.structs.replace(root, ctlogs=())
    assert refused(found, bare, revoked(ELSEWHERE)) == ""
    assert "its certificate" in refused(found, bare, revoked(sha256_bytes(anchor), kind="certificate"))
    with pytest.raises(MalformedError, match="no readable embedded SCT"):
        refuse_revoked_entity(found, root, [revoked(ELSEWHERE)])
