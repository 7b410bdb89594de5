from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.model.digest import sha256_bytes
from pratique.trust.bundle import (
    LogProof,
    Signed,
    encode_bundle,
    encode_log_entry,
    parse_bundle,
    parse_log_entry,
    parse_signed,
)
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.entry import entry_signer, leaf_of
from pratique.trust.envelope import pae
from pratique.trust.material import MEDIA_TYPE, read_entity
from pratique.trust.note import Checkpoint, sign_checkpoint, verify_checkpoint
from pratique.trust.ownform import read_own
from pratique.trust.root import parse_root
from pratique.trust.statement import Statement, Subject, parse_statement
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pratique.testing.authority import World

blobs = st.binary(min_size=1, max_size=200)
hashes = st.binary(min_size=32, max_size=32)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
numbers = st.integers(0, 2**53 - 1)
signed = st.builds(Signed, blobs, words, blobs, blobs, st.none(), blobs) | st.builds(
    Signed, blobs, words, blobs, st.none(), blobs, blobs
)
proofs = st.builds(
    LogProof, numbers, numbers, hashes, st.lists(hashes, max_size=64).map(tuple), words, hashes, blobs
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(signed)
def test_signed(value: Signed) -> None:
    assert parse_signed(value.encode()) == value


@given(signed, proofs)
def test_bundle(value: Signed, proof: LogProof) -> None:
    data = encode_bundle(value, proof)
    assert data == rfc8785.dumps(json.loads(data))
    bundle = parse_bundle(data)
    assert bundle.log == proof
    assert bundle.signed(value.public_key) == value
    assert encode_bundle(bundle.signed(value.public_key), bundle.log) == data


@given(signed, proofs)
def test_entries_are_canonical_json(value: Signed, proof: LogProof) -> None:
    for data in (leaf_of(value), encode_log_entry(proof)):
        assert data == rfc8785.dumps(json.loads(data))
    signer = entry_signer(leaf_of(value))
    assert (signer.certificate or None, signer.public_key or None) == (value.certificate, value.public_key)
    assert parse_log_entry(encode_log_entry(proof)) == proof


@given(st.dictionaries(words, json_values, max_size=4), st.lists(words, min_size=1, max_size=3), words)
def test_statement(predicate: dict[str, Any], names: list[str], predicate_type: str) -> None:
    subjects = tuple(Subject(name, {"sha256": "0f" * 32}) for name in names)
    statement = Statement(subjects, predicate_type, predicate)
    assert parse_statement(statement.encode()) == statement
    assert parse_statement(statement.encode()).encode() == statement.encode()


@given(st.binary(max_size=100))
def test_base64_of_bytes(data: bytes) -> None:
    assert b64decode(b64encode(data), what="x") == data


@given(st.text("AB+/-_=\n wyz9", max_size=12))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        data = b64decode(text, what="x")
    except MalformedError:
        return
    assert base64.b64encode(data).decode() == text


@given(words, st.binary(max_size=50), words, st.binary(max_size=50))
def test_pae_tells_everything_apart(first: str, one: bytes, second: str, two: bytes) -> None:
    assert (pae(first, one) == pae(second, two)) == ((first, one) == (second, two))


@given(st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True), numbers, hashes)
def test_checkpoint(origin: str, size: int, root: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    checkpoint = Checkpoint(origin, size, root)
    assert verify_checkpoint(sign_checkpoint(checkpoint, key), origin, key.public_key()) == checkpoint


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_parsers_refuse_junk_in_one_way(data: bytes) -> None:
    for parse in (parse_bundle, parse_signed, parse_statement, parse_root):
        with pytest.raises(MalformedError):
            parse(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_bundles_with_a_member_replaced(world: World, data: st.DataObject) -> None:
    """Whatever JSON stands in place of any member, the answer is a refusal and not a crash."""
    document = json.loads(world.by_certificate)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and len(place[key]) and data.draw(st.booleans()):
            place = place[key]
            continue
        break
    value = data.draw(json_values)
    if value == place[key]:
        return
    place[key] = value
    with pytest.raises(EvidenceInvalidError):
        verify_bundle(json.dumps(document).encode(), world.authority.trusted_root, keys=world.keys)


@given(signed, proofs)
def test_the_short_way_reads_as_the_long_way_does(value: Signed, proof: LogProof) -> None:
    data = encode_bundle(value, proof)
    short = read_own(data, sha256_bytes(data))
    document = json.loads(data)
    assert short == read_entity(document, sha256_bytes(data), MEDIA_TYPE)
    assert read_own(json.dumps(document).encode(), sha256_bytes(data)) is None


@given(signed, proofs, st.data())
def test_what_the_short_way_reads_has_one_spelling(
    value: Signed, proof: LogProof, data: st.DataObject
) -> None:
    """A byte more, less or other: either it is not read, or it is another bundle that the long way reads."""
    genuine = encode_bundle(value, proof)
    at = data.draw(st.integers(0, len(genuine) - 1))
    piece = data.draw(st.sampled_from([b"", b" ", b"=", b"A", b'"', b"\\u0041", b"0", b","]))
    changed = genuine[:at] + piece + genuine[at + data.draw(st.integers(0, 1)) :]
    short = read_own(changed, sha256_bytes(changed))
    if short is not None:
        assert short == read_entity(json.loads(changed), sha256_bytes(changed), MEDIA_TYPE)
        assert changed == rfc8785.dumps(json.loads(changed))
