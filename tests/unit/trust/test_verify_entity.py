"""Evidence in others' forms, made here with an authority of our own: what each step demands of anyone's."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from certificate_profile import Profile
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from pratique.errors import CouldNotCheckError, MalformedError, SignatureInvalidError
from pratique.model.digest import sha256_bytes
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.testing.authority import START, World, make_authority
from pratique.trust.bundle import Signed, parse_bundle
from pratique.trust.envelope import pae
from pratique.trust.foreign.table import read_evidence
from pratique.trust.identity import EnrolledKey, Identity
from pratique.trust.keyring import KeyRing, make_keyring
from pratique.trust.keys import spki
from pratique.trust.note import sign_note
from pratique.trust.publickey import as_public_key, load_spki
from pratique.trust.verify import verify_bundle, verify_entity

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.trust.established import Established
    from pratique.trust.publickey import PublicKey
    from pratique.trust.root import TrustedRoot

MATERIAL = "verificationMaterial"


def verified(data: bytes | dict[str, Any], root: TrustedRoot, keys: KeyRing | None = None) -> Established:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    (entity,) = read_evidence(text)
    return verify_entity(entity, root, keys=keys or KeyRing())


def certificate_of(world: World) -> bytes:
    der = parse_bundle(world.by_certificate).certificate
    assert der is not None
    return der


def ann(world: World) -> PublicKey:
    (enrolled,) = world.keys.values()
    return load_spki(enrolled.public_key)


def stranger() -> PublicKey:
    return as_public_key(ec.generate_private_key(ec.SECP256R1()).public_key())


def hinting(world: World, hint: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(world.by_key)
    document[MATERIAL]["publicKey"]["hint"] = hint
    return document


def test_what_is_established_names_the_certificates_key(world: World) -> None:
    """So that a key can be revoked under whatever names it was certified."""
    found = verified(world.by_certificate, world.authority.trusted_root)
    public = load_der_x509_certificate(certificate_of(world)).public_key()
    assert found.key is not None
    assert (
        found.key.key_id
        == sha256_bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hex
    )


def test_without_a_name_the_key_that_signed_is_found(world: World) -> None:
    document, root = hinting(world, "whoever"), world.authority.trusted_root
    for keys in ([stranger(), ann(world)], [ann(world), stranger()]):
        assert verified(document, root, make_keyring(keys)).signer == Identity("key", ann(world).key_id)
    with pytest.raises(CouldNotCheckError, match=r"step 4 .*'whoever'.* not among the 1 given"):
        verified(document, root, make_keyring([stranger()]))


def test_a_name_narrows_the_keys_and_proves_nothing(world: World) -> None:
    """DSSE: a verifier may use a key's id to choose what to try, and for nothing else."""
    other, root = stranger(), world.authority.trusted_root
    ring = make_keyring([other, ann(world)])
    with pytest.raises(SignatureInvalidError, match=r"step 6 \(signature\)"):
        verified(hinting(world, other.key_id), root, ring)
    assert verified(hinting(world, ann(world).key_id), root, ring).signer.subject == ann(world).key_id


def test_a_certificate_beside_the_signers_is_its_authoritys(world: World, tmp_path: Path) -> None:
    root = world.authority.trusted_root
    foreign, _ = make_authority(tmp_path)
    document = json.loads(world.by_certificate)
    document["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"  # the last to have chains
    del document[MATERIAL]["certificate"]
    for beside, holds in ((root, True), (foreign.trusted_root, False)):
        (anchor,) = beside.certificate_authorities[0].chain
        chain = [{"rawBytes": base64.b64encode(der).decode()} for der in (certificate_of(world), anchor)]
        document[MATERIAL]["x509CertificateChain"] = {"certificates": chain}
        if holds:
            assert verified(document, root).signer.subject == "spiffe://pratique.local/builder"
        else:
            with pytest.raises(SignatureInvalidError, match=r"step 4 .*shown beside the signer's"):
                verified(document, root)


def test_where_nobody_says_when_a_log_entry_is_no_time(world: World) -> None:
    document = json.loads(world.by_certificate)
    del document[MATERIAL]["timestampVerificationData"]
    with pytest.raises(SignatureInvalidError, match=r"step 3 .*nobody whom the trusted root names says when"):
        verified(document, world.authority.trusted_root)


def test_a_root_without_certificate_logs_asks_for_none_of_others(world: World) -> None:
    bare = msgspec.structs.replace(world.authority.trusted_root, ctlogs=())
    assert verified(world.by_certificate, bare).ct_logs == ()
    with pytest.raises(SignatureInvalidError, match="step 5"):
        verify_bundle(world.by_certificate, bare)


def test_a_place_other_than_the_proofs_is_refused(world: World) -> None:
    """A tile log has one numbering: the entry's index is the proof's."""
    document = json.loads(world.by_certificate)
    document[MATERIAL]["tlogEntries"][0]["logIndex"] = "0"
    with pytest.raises(SignatureInvalidError, match="index differs from its inclusion proof's"):
        verified(document, world.authority.trusted_root)


def test_a_tile_logs_checkpoint_bears_exactly_its_name(world: World) -> None:
    """Rekor v1 writes a tree id behind its host's name; a log that signs with Ed25519 does not."""
    document = json.loads(world.by_certificate)
    proof = document[MATERIAL]["tlogEntries"][0]["inclusionProof"]
    note = proof["checkpoint"]["envelope"]
    text = note.partition("\n\n")[0] + "\n"
    renamed = text.replace("pratique.local\n", "pratique.local - 2605736670972794746\n", 1)
    for body, holds in ((text, True), (renamed, False)):
        proof["checkpoint"]["envelope"] = sign_note(body, "pratique.local", world.authority.log_key)
        if holds:
            assert verified(document, world.authority.trusted_root).logs[0].index == 3
        else:
            with pytest.raises(SignatureInvalidError, match=r"step 8 .*of log 'pratique.local - "):
                verified(document, world.authority.trusted_root)


def signed_by(world: World, payload: bytes, certificate: bytes | None = None, key: Any = None) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    public = spki(key.public_key()) if certificate is None else None
    stamp = world.authority.timestamp(signature)
    return world.log.append(Signed(payload, PAYLOAD_TYPE, signature, certificate, public, stamp))


def test_statements_of_the_older_form_are_others_alone(world: World) -> None:
    payload = world.statement.encode().replace(b"in-toto.io/Statement/v1", b"in-toto.io/Statement/v0.1")
    key = ec.generate_private_key(ec.SECP256R1())
    data = signed_by(world, payload, key=key)
    public, root = as_public_key(key.public_key()), world.authority.trusted_root
    assert verified(data, root, make_keyring([public])).signer.subject == public.key_id
    enrolled = {public.key_id: EnrolledKey(public.spki, "ann", START)}
    with pytest.raises(MalformedError, match=r"step 2 \(statement\)"):
        verify_bundle(data, root, keys=enrolled)


def test_the_older_issuer_extension_is_others_alone(world: World) -> None:
    """Fulcio wrote the issuer in .1.1 alone before 2023 (docs/oid-info.md)."""
    profile, key = Profile(world.authority), ec.generate_private_key(ec.SECP256R1())
    extensions = profile.extensions()
    del extensions["v2"]
    certificate = profile.issue(key.public_key(), list(extensions.values()))
    data, root = signed_by(world, world.statement.encode(), certificate, key), world.authority.trusted_root
    assert verified(data, root).signer == Identity(
        "certificate", "spiffe://pratique.local/builder", "https://pratique.local/pratique"
    )
    with pytest.raises(SignatureInvalidError, match=r"step 4 .*no issuer extension"):
        verify_bundle(data, root)
