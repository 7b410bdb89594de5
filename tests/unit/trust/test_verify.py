from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from certificate_profile import Profile, issuer, uri
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.digest import sha256_bytes
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.testing.authority import START, MemoryLog, World, make_authority
from pratique.trust import merkle
from pratique.trust.authority import der
from pratique.trust.bundle import LogProof, Signed, encode_bundle, key_id_of, parse_bundle
from pratique.trust.entry import leaf_of
from pratique.trust.envelope import pae
from pratique.trust.identity import EnrolledKey, Identity, role_identity
from pratique.trust.keys import spki
from pratique.trust.note import Checkpoint, sign_checkpoint
from pratique.trust.root import TrustedRoot, encode_root, parse_root
from pratique.trust.signers.statement import CertificateSigner
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.trust.authority.init import Authority


def edit(data: bytes, path: str, value: Any) -> bytes:
    """Set one member of a bundle by a path such as `a.b.0.c`; `None` removes it."""
    document = json.loads(data)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    key = int(last) if isinstance(place, list) else last
    if value is None:
        del place[key]
    else:
        place[key] = value
    return json.dumps(document).encode()


def test_certificate_bundle(world: World) -> None:
    verified = verify_bundle(world.by_certificate, world.authority.trusted_root)
    assert verified.statement == world.statement
    assert verified.signer == Identity(
        "certificate", "spiffe://pratique.local/builder", "https://pratique.local/pratique"
    )
    assert verified.signed_at == START
    assert verified.log_index == 3
    assert verified.digest == sha256_bytes(world.by_certificate)


def test_key_bundle(world: World) -> None:
    verified = verify_bundle(world.by_key, world.authority.trusted_root, keys=world.keys)
    (key_id,) = world.keys
    assert verified.signer == Identity("key", key_id)
    assert verified.log_index == 4


def test_key_bundle_needs_the_key_enrolled(world: World) -> None:
    with pytest.raises(SignatureInvalidError, match=r"step 4 \(signer\): key .* is not enrolled") as caught:
        verify_bundle(world.by_key, world.authority.trusted_root)
    assert "enrol" in caught.value.hint


def test_key_enrolled_under_anothers_id(world: World) -> None:
    (key_id,) = world.keys
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    keys = {key_id: EnrolledKey(spki(other), "eve", START)}
    with pytest.raises(SignatureInvalidError, match="under another key's id"):
        verify_bundle(world.by_key, world.authority.trusted_root, keys=keys)


@pytest.mark.parametrize(
    ("start", "end"), [(timedelta(seconds=1), None), (timedelta(hours=-1), timedelta(0))]
)
def test_key_outside_its_validity(world: World, start: timedelta, end: timedelta | None) -> None:
    ((key_id, enrolled),) = world.keys.items()
    key = EnrolledKey(enrolled.public_key, "ann", START + start, None if end is None else START + end)
    with pytest.raises(SignatureInvalidError, match=r"step 4 .* was not valid at"):
        verify_bundle(world.by_key, world.authority.trusted_root, keys={key_id: key})


def test_the_role_is_the_signers_alone(world: World) -> None:
    scanner = world.authority.signer("scanner")
    verified = verify_bundle(world.log.append(scanner.sign(world.statement)), world.authority.trusted_root)
    assert verified.signer == role_identity("pratique.local", "scanner")
    assert verified.signer != role_identity("pratique.local", "builder")
    assert verified.signer != role_identity("pratique.example", "scanner")


def test_foreign_root(world: World, tmp_path: Path) -> None:
    stranger, _ = make_authority(tmp_path)
    with pytest.raises(SignatureInvalidError, match=r"step 3 \(timestamp\)"):
        verify_bundle(world.by_certificate, stranger.trusted_root)


def _root(world: World, **parts: Any) -> TrustedRoot:
    root = world.authority.trusted_root
    names = ("tlogs", "certificate_authorities", "ctlogs", "timestamp_authorities")
    return parse_root(encode_root(*(parts.get(name, getattr(root, name)) for name in names)))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("timestamp_authorities", r"step 3 \(timestamp\)"),
        ("certificate_authorities", r"step 4 \(signer\)"),
        ("ctlogs", r"step 5 \(certificate transparency\)"),
        ("tlogs", r"step 8 \(checkpoint\)"),
    ],
)
def test_each_authority_is_believed_for_its_own_part(
    world: World, tmp_path: Path, part: str, message: str
) -> None:
    """A root that lacks one part, or has a stranger there, refuses at exactly that step."""
    stranger, _ = make_authority(tmp_path)
    for replacement in ((), getattr(stranger.trusted_root, part)):
        with pytest.raises(SignatureInvalidError, match=message):
            verify_bundle(world.by_certificate, _root(world, **{part: replacement}))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("timestamp_authorities", "step 3"),
        ("certificate_authorities", "step 4"),
        ("ctlogs", "step 5"),
        ("tlogs", "step 8"),
    ],
)
def test_an_authority_past_its_time_is_not_believed(world: World, part: str, message: str) -> None:
    (instance,) = getattr(world.authority.trusted_root, part)
    ended = msgspec.structs.replace(instance.valid_for, end=START - timedelta(seconds=1))
    retired = msgspec.structs.replace(instance, valid_for=ended)
    with pytest.raises(SignatureInvalidError, match=message):
        verify_bundle(world.by_certificate, _root(world, **{part: (retired,)}))


def test_several_authorities_are_tried(world: World, tmp_path: Path) -> None:
    stranger, _ = make_authority(tmp_path)
    ours, theirs = world.authority.trusted_root, stranger.trusted_root
    names = ("tlogs", "certificate_authorities", "ctlogs", "timestamp_authorities")
    both = {name: (*getattr(theirs, name), *getattr(ours, name)) for name in names}
    assert verify_bundle(world.by_certificate, _root(world, **both)).log_index == 3


def _log(authority: Authority, signed: Signed, body: bytes | None = None) -> bytes:
    """Log a signature as the only entry of a fresh tree, with a body of one's choice."""
    body = leaf_of(signed) if body is None else body
    root = merkle.leaf_hash(body)
    note = sign_checkpoint(Checkpoint(authority.trust_domain, 1, root), authority.log_key)
    log_id = authority.trusted_root.tlogs[0].log_id
    return encode_bundle(signed, LogProof(0, 1, root, (), note, log_id, body))


def test_signed_after_the_certificate_expired(world: World, tmp_path: Path) -> None:
    authority, clock = make_authority(tmp_path)
    identity = role_identity("pratique.local", "builder")

    def late(signature: bytes) -> bytes:
        clock.advance(minutes=10, seconds=1)
        return authority.timestamp(signature)

    signed = CertificateSigner(identity, authority.issue, late).sign(world.statement)
    with pytest.raises(SignatureInvalidError, match=r"step 4 .*not valid when it signed"):
        verify_bundle(_log(authority, signed), authority.trusted_root)


def test_signed_before_the_certificate_began(world: World, tmp_path: Path) -> None:
    authority, clock = make_authority(tmp_path)
    signed = authority.signer("builder").sign(world.statement)
    clock.advance(hours=1)
    late = authority.signer("builder").sign(world.statement)
    swapped = msgspec.structs.replace(late, timestamp=signed.timestamp)
    with pytest.raises(SignatureInvalidError, match=r"step 3 .*over other bytes"):
        verify_bundle(_log(authority, swapped), authority.trusted_root)
    clock.moment = START
    early = msgspec.structs.replace(late, timestamp=authority.timestamp(late.signature))
    with pytest.raises(SignatureInvalidError, match=r"step 4 .*not valid when it signed"):
        verify_bundle(_log(authority, early), authority.trusted_root)


def test_swapped_subject(world: World) -> None:
    signed = parse_bundle(world.by_certificate).signed()
    payload = signed.payload.replace(b"ab" * 32, b"cd" * 32)
    assert payload != signed.payload
    forged = msgspec.structs.replace(signed, payload=payload)
    with pytest.raises(SignatureInvalidError, match=r"step 6 \(signature\)"):
        verify_bundle(_log(world.authority, forged), world.authority.trusted_root)


def test_signature_by_another_key(world: World) -> None:
    signed = parse_bundle(world.by_certificate).signed()
    other = parse_bundle(world.log.append(world.authority.signer("runner").sign(world.statement))).signed()
    forged = msgspec.structs.replace(signed, signature=other.signature, timestamp=other.timestamp)
    with pytest.raises(SignatureInvalidError, match=r"step 6 \(signature\)"):
        verify_bundle(_log(world.authority, forged), world.authority.trusted_root)


def test_entry_of_another_signature(world: World) -> None:
    signed = parse_bundle(world.by_certificate).signed()
    other = world.authority.signer("builder").sign(world.statement)
    with pytest.raises(SignatureInvalidError, match=r"step 7 \(log entry\)"):
        verify_bundle(_log(world.authority, signed, leaf_of(other)), world.authority.trusted_root)


def test_entry_with_the_same_meaning_in_other_bytes(world: World) -> None:
    signed = parse_bundle(world.by_certificate).signed()
    body = json.dumps(json.loads(leaf_of(signed)), indent=1).encode()
    with pytest.raises(SignatureInvalidError, match=r"step 7 \(log entry\)"):
        verify_bundle(_log(world.authority, signed, body), world.authority.trusted_root)


def test_entry_of_another_kind(world: World) -> None:
    data = edit(world.by_certificate, "verificationMaterial.tlogEntries.0.kindVersion.version", "0.0.1")
    with pytest.raises(SignatureInvalidError, match=r"step 7 .*hashedrekord/0\.0\.1"):
        verify_bundle(data, world.authority.trusted_root)


def test_replay_from_another_log(world: World, tmp_path: Path) -> None:
    """The same signature, logged in a stranger's log under our log's name and id."""
    stranger, _ = make_authority(tmp_path)
    signed = parse_bundle(world.by_certificate).signed()
    theirs = _log(stranger, signed)
    with pytest.raises(SignatureInvalidError, match=r"step 8 .*no transparency log"):
        verify_bundle(theirs, world.authority.trusted_root)
    our_id = base64.b64encode(world.authority.trusted_root.tlogs[0].log_id).decode()
    renamed = edit(theirs, "verificationMaterial.tlogEntries.0.logId.keyId", our_id)
    with pytest.raises(SignatureInvalidError, match=r"step 8 .*not signed by pratique\.local"):
        verify_bundle(renamed, world.authority.trusted_root)


def test_proof_of_another_tree_head(world: World) -> None:
    other = parse_bundle(world.by_key).log
    place = "verificationMaterial.tlogEntries.0.inclusionProof.checkpoint.envelope"
    with pytest.raises(SignatureInvalidError, match=r"step 8 .*another tree head"):
        verify_bundle(edit(world.by_certificate, place, other.checkpoint), world.authority.trusted_root)


def test_entry_that_is_not_in_the_tree(world: World) -> None:
    signed = parse_bundle(world.by_certificate).signed()
    body, root = leaf_of(signed), merkle.leaf_hash(b"something else")
    note = sign_checkpoint(Checkpoint("pratique.local", 1, root), world.authority.log_key)
    proof = LogProof(0, 1, root, (), note, world.authority.trusted_root.tlogs[0].log_id, body)
    with pytest.raises(SignatureInvalidError, match=r"step 9 \(inclusion\)"):
        verify_bundle(encode_bundle(signed, proof), world.authority.trusted_root)


def test_duplicated_signature(world: World) -> None:
    document = json.loads(world.by_certificate)
    document["dsseEnvelope"]["signatures"] *= 2
    with pytest.raises(MalformedError, match=r"step 1 .*exactly one entry, not 2"):
        verify_bundle(json.dumps(document).encode(), world.authority.trusted_root)


def test_other_payload_types(world: World) -> None:
    data = edit(world.by_certificate, "dsseEnvelope.payloadType", "application/json")
    with pytest.raises(MalformedError, match=r"step 2 \(statement\): payload type"):
        verify_bundle(data, world.authority.trusted_root)


def test_unknown_members_of_others_bundles_are_ignored(world: World) -> None:
    data = edit(world.by_certificate, "verificationMaterial.tlogEntries.0.integratedTime", "0")
    assert verify_bundle(data, world.authority.trusted_root).statement == world.statement


def test_a_bundle_certified_by_the_authority_itself(world: World) -> None:
    """The authority's own certificate is a trust anchor, not a signer."""
    signed = parse_bundle(world.by_certificate).signed()
    (anchor,) = world.authority.trusted_root.certificate_authorities[0].chain
    forged = msgspec.structs.replace(signed, certificate=anchor)
    with pytest.raises(SignatureInvalidError, match=r"step 4 \(signer\)"):
        verify_bundle(_log(world.authority, forged), world.authority.trusted_root)


def test_a_root_that_names_the_signers_certificate_itself(world: World) -> None:
    """A path of one certificate has no issuer, so there is nobody who vouches for the signer."""
    (authority,) = world.authority.trusted_root.certificate_authorities
    leaf = parse_bundle(world.by_certificate).certificate
    assert leaf is not None
    root = _root(world, certificate_authorities=(msgspec.structs.replace(authority, chain=(leaf,)),))
    with pytest.raises(SignatureInvalidError, match=r"step 4 \(signer\)"):
        verify_bundle(world.by_certificate, root)


def _verify_profile(world: World, certificate: bytes, key: Any) -> None:
    signed = _signed(world, key, certificate)
    verify_bundle(_log(world.authority, signed), world.authority.trusted_root)


def _signed(world: World, key: Any, certificate: bytes | None = None) -> Signed:
    """Sign with a key that no signer would take."""
    payload = world.statement.encode()
    signature = key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    public_key = spki(key.public_key()) if certificate is None else None
    stamp = world.authority.timestamp(signature)
    return Signed(payload, PAYLOAD_TYPE, signature, certificate, public_key, stamp)


def test_the_profile_helper_issues_what_is_accepted(world: World) -> None:
    profile, key = Profile(world.authority), ec.generate_private_key(ec.SECP256R1())
    _verify_profile(world, profile.issue(key.public_key(), list(profile.extensions().values())), key)


def _usage(**uses: bool) -> x509.KeyUsage:
    names = "content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    every = dict.fromkeys([*names.split(), "digital_signature", "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**{**every, **uses})


DEVIATIONS: dict[str, tuple[dict[str, tuple[x509.ExtensionType, bool] | None], str]] = {
    "timestamping": (
        {"extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), False)},
        "code signing alone",
    ),
    "two usages": (
        {
            "extended": (
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]),
                False,
            )
        },
        "code signing alone",
    ),
    "no usage": ({"usage": None}, "step 4"),
    "key agreement": ({"usage": (_usage(key_agreement=True), True)}, "not for signatures alone"),
    "two names": (
        {"name": (x509.SubjectAlternativeName([uri("spiffe://a/x"), uri("spiffe://b/y")]), True)},
        "names 2 subjects",
    ),
    "a host name": (
        {"name": (x509.SubjectAlternativeName([x509.DNSName("pratique.local")]), True)},
        "neither a URI nor an e-mail address",
    ),
    "no name": ({"name": None}, "step 4"),
    "no issuer": ({"v2": None}, "no issuer extension"),
    "issuers that differ": ({"v1": issuer("1.1", b"https://evil.example")}, "two that differ"),
    "an issuer that is not DER": ({"v2": issuer("1.8", b"https://pratique.local/pratique")}, "no issuer"),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_certificates_outside_the_profile(world: World, name: str) -> None:
    changes, message = DEVIATIONS[name]
    profile, key = Profile(world.authority), ec.generate_private_key(ec.SECP256R1())
    extensions = {**profile.extensions(), **changes}
    certificate = profile.issue(key.public_key(), [item for item in extensions.values() if item is not None])
    with pytest.raises(SignatureInvalidError, match=r"step 4 \(signer\)") as caught:
        _verify_profile(world, certificate, key)
    assert message in str(caught.value)


def _two_scts(extension: bytes) -> bytes:
    one = extension[4:]  # after the OCTET STRING's and the list's two-byte heads
    return der.octets((2 * len(one)).to_bytes(2, "big") + one + one)


def _named_sha384(extension: bytes) -> bytes:
    """The same signature, said to be over SHA-384: the hash's name is not signed."""
    changed = extension.replace(b"\x00\x00\x04\x03", b"\x00\x00\x05\x03")
    assert changed != extension
    return changed


def _later(extension: bytes) -> bytes:
    """The same signature with the time, which it covers, a second later."""
    at = 4 + 2 + 1 + 32  # heads of the two lists, the SCT's length, its version and log id
    moved = int.from_bytes(extension[at : at + 8], "big") + 1000
    return extension[:at] + moved.to_bytes(8, "big") + extension[at + 8 :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_later, "step 5 .*the SCT's signature does not verify"),
        (_two_scts, "has 2 embedded SCTs"),
        (_named_sha384, "not signed with SHA-256"),
        (lambda _: der.octets(b"\0\0"), "SCTs?"),
        (lambda _: der.octets(b"junk"), "step 4 .*does not parse"),
    ],
)
def test_certificates_with_other_scts(world: World, change: Callable[[bytes], bytes], message: str) -> None:
    profile, key = Profile(world.authority), ec.generate_private_key(ec.SECP256R1())
    certificate = profile.issue(key.public_key(), list(profile.extensions().values()), change)
    with pytest.raises(EvidenceInvalidError, match=message):
        _verify_profile(world, certificate, key)


def test_weak_keys_are_refused(world: World) -> None:
    profile, key = Profile(world.authority), ec.generate_private_key(ec.SECP384R1())
    certificate = profile.issue(key.public_key(), list(profile.extensions().values()))
    with pytest.raises(SignatureInvalidError, match="not ECDSA P-256"):
        _verify_profile(world, certificate, key)


def test_weak_enrolled_keys_are_refused(world: World) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    signed = _signed(world, key)
    data = MemoryLog(world.authority).append(signed)
    keys = {key_id_of(spki(key.public_key())): EnrolledKey(spki(key.public_key()), "ann", START)}
    with pytest.raises(SignatureInvalidError, match=r"step 4 .*not ECDSA P-256"):
        verify_bundle(data, world.authority.trusted_root, keys=keys)


@pytest.mark.parametrize("junk", [b"", b"{}", b"[]", b"\xff", b"0" * 40, b'{"mediaType": 3}'])
def test_junk(world: World, junk: bytes) -> None:
    with pytest.raises(EvidenceInvalidError, match=r"bundle sha256:[0-9a-f]{12}: step 1 \(bundle\)"):
        verify_bundle(junk, world.authority.trusted_root)
