"""The tamper matrix on others' evidence: change any one thing, and it is refused at the step it belongs to.

Our own bundles have theirs in tests/unit/trust/test_tamper.py; test_verify.py and test_acceptance.py have
what takes a forger's keys: expired, not yet valid, weak, replayed, swapped subjects, one key under two ids.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError
from pratique.testing.authority import make_world
from pratique.trust.bundle import parse_bundle
from pratique.trust.foreign.table import read_evidence
from pratique.trust.keyring import KeyRing, make_keyring
from pratique.trust.publickey import as_public_key, load_spki
from pratique.trust.root import TrustedRoot, encode_root, parse_root
from pratique.trust.verify import verify_entity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.trust.verify import Established

# Hostile certificates make the parser warn before it refuses; the default is what users run with.
pytestmark = pytest.mark.filterwarnings("ignore")

NPM = "npm/gundam-visor-cli-v1-tag.tgz.json"
SAMPLES = [
    "pypi/pypi_attestations-0.0.19.tar.gz.publish.attestation",
    "pypi/pypi_attestations-0.0.19.tar.gz.provenance",
    "github/MODULE.bazel.intoto.jsonl",
    "sigstore-python/bundle_v3_github.whl.sigstore",
    NPM,
    "npm/provenance-npm-test-ossf.tgz.json",
    "witness",
]

# The steps at which a changed member may be refused; 1 and the carrier's own words have no number.
STEPS = {
    "payload": {2, 6},
    "statement": {2, 6},
    "payloadType": {2},
    "sig": {3, 6},
    "signature": {3, 6},
    "digest": {6},
    "rawBytes": {4},
    "certificate": {4},
    "intermediates": {4},
    "hint": {4, 7},
    "keyid": {7},
    "integratedTime": {3},
    "signedEntryTimestamp": {3},
    "keyId": {3},
    "kind": {7},
    "version": {7},
    "canonicalizedBody": {3},
    "rootHash": {8},
    "treeSize": {8},
    "hashes": {9},
    "envelope": {8},
    "logIndex": {3, 9},
    "data": {3},
}
REFUSED = (EvidenceInvalidError, CouldNotCheckError)  # unknown is no pass either
UNREAD = {"environment"}  # a publisher's environment is in no certificate


class Sample:
    def __init__(self, data: bytes, root: TrustedRoot, keys: KeyRing) -> None:
        self.data, self.root, self.keys = data, root, keys

    def verify(self, data: bytes) -> list[Established]:
        return [verify_entity(entity, self.root, keys=self.keys) for entity in read_evidence(data)]


def _witness(folder: Path) -> Sample:
    """An envelope as Witness writes it, under a root without logs, by our own authority."""
    world = make_world(folder)
    signed = parse_bundle(world.by_certificate).signed()
    root = world.authority.trusted_root
    envelope = {
        "payload": base64.b64encode(signed.payload).decode(),
        "payloadType": signed.payload_type,
        "signatures": [
            {
                "keyid": "0123",
                "sig": base64.b64encode(signed.signature).decode(),
                "certificate": base64.b64encode(_pem(signed.certificate or b"")).decode(),
                "intermediates": [base64.b64encode(_pem(root.certificate_authorities[0].chain[0])).decode()],
                "timestamps": [{"type": "tsp", "data": base64.b64encode(signed.timestamp).decode()}],
            }
        ],
    }
    unlogged = parse_root(encode_root([], root.certificate_authorities, [], root.timestamp_authorities))
    return Sample(json.dumps(envelope).encode(), unlogged, KeyRing())


def _pem(der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest, test_data: Path, tmp_path: Path) -> Sample:
    if request.param == "witness":
        return _witness(tmp_path)
    evidence = test_data / "evidence"
    data = (evidence / request.param).read_bytes()
    keys = KeyRing()
    if request.param.startswith("npm/"):
        (publish, _) = read_evidence(data)
        body = json.loads(publish.entries[0].body)
        pem = base64.b64decode(body["spec"]["content"]["envelope"]["signatures"][0]["publicKey"])
        key = as_public_key(load_pem_public_key(pem))
        keys = make_keyring([key], {"SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA": key})
    return Sample(data, parse_root((evidence / "public-good.trusted_root.json").read_bytes()), keys)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    elif value is not None:
        yield path


def _tampered(value: Any) -> Iterator[Any]:
    if not isinstance(value, str):
        yield value + 1
        return
    if value.isdecimal():
        yield str(int(value) + 1)
        return
    if value:
        yield value[:-1]
    yield value + value if value else "x"
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        return
    for at in {0, len(raw) // 3, len(raw) - 1} if raw else ():
        yield base64.b64encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]).decode()


def _get(value: Any, path: Any) -> Any:
    for name in path:
        value = value[name]
    return value


def test_every_member(sample: Sample) -> None:
    document, seen = json.loads(sample.data), 0
    before = sample.verify(sample.data)
    for path in _leaves(document):
        *parents, last = path
        name = next(part for part in reversed(path) if isinstance(part, str))
        for value in _tampered(_get(document, path)):
            copy = json.loads(sample.data)
            _get(copy, parents)[last] = value
            if name in UNREAD or (name == "keyid" and "keyid" in path and value and _by_certificate(copy)):
                continue
            try:
                after = sample.verify(json.dumps(copy).encode())
            except REFUSED as error:
                _assert_own_step(name, error, path)
            else:  # white space in PEM
                assert name in {"certificate", "intermediates"}, path
                _assert_same(before, after, repr(path).encode())
            seen += 1
    assert seen > 15


def _by_certificate(document: Any) -> bool:
    """Witness's key id beside a certificate names nothing that is looked at."""
    return "signatures" in document


def _assert_own_step(name: str, error: EvidenceInvalidError | CouldNotCheckError, path: Any) -> None:
    found = re.search(r"step (\d)", str(error))
    if found is None:
        carrier = "announces" in str(error) or "as publisher" in str(error)
        assert carrier or isinstance(error, MalformedError), (path, error)
        return
    parses = "parse" in str(error) or "DER" in str(error) or isinstance(error, MalformedError)
    assert int(found[1]) in STEPS.get(name, set()) or parses, (path, str(error))


def test_flipped_bytes(sample: Sample) -> None:
    """A byte in 37 of the file, one bit each: refused, or read as exactly the same."""
    before = sample.verify(sample.data)
    for at in range(0, len(sample.data), 37):
        data = sample.data[:at] + bytes([sample.data[at] ^ 0x01]) + sample.data[at + 1 :]
        try:
            after = sample.verify(data)
        except REFUSED:
            continue
        _assert_same(before, after, sample.data[max(0, at - 30) : at + 10])


def _assert_same(before: list[Established], after: list[Established], where: bytes) -> None:
    """Only what is ignored may differ: the name of an unknown member, space, another spelling of JSON."""
    for one, two in zip(before, after, strict=True):
        assert (one.statement, one.signer, one.moments, one.logs) == (
            two.statement,
            two.signer,
            two.moments,
            two.logs,
        ), where
        assert (one.entity.content, one.entity.signature, one.entity.entries) == (
            two.entity.content,
            two.entity.signature,
            two.entity.entries,
        ), where


@pytest.mark.slow
def test_every_byte_of_one(test_data: Path) -> None:
    evidence = test_data / "evidence"
    data = (evidence / "pypi" / "gitlab_oidc_project-0.0.3.tar.gz.publish.attestation").read_bytes()
    root = parse_root((evidence / "public-good.trusted_root.json").read_bytes())
    one = Sample(data, root, KeyRing())
    before, refused = one.verify(data), 0
    for at in range(len(data)):
        try:
            after = one.verify(data[:at] + bytes([data[at] ^ 0x04]) + data[at + 1 :])
        except REFUSED:
            refused += 1
        else:
            _assert_same(before, after, data[max(0, at - 30) : at + 10])
    assert refused > len(data) * 0.98


def test_one_key_under_two_ids_is_one_signer(tmp_path: Path) -> None:
    """DSSE's key ids are hints: a signature given twice is refused, one key's two signatures count once."""
    world = make_world(tmp_path)
    first = parse_bundle(world.by_key)
    (enrolled,) = world.keys.values()
    keys = make_keyring([load_spki(enrolled.public_key), load_spki(enrolled.public_key)])
    assert len(keys.keys) == 1
    second = world.key_signer.sign(world.statement)
    envelope = {
        "payload": base64.b64encode(first.payload).decode(),
        "payloadType": first.payload_type,
        "signatures": [
            {"keyid": name, "sig": base64.b64encode(signature).decode()}
            for name, signature in (("ada", first.signature), ("bob", second.signature))
        ],
    }
    both = [
        verify_entity(entity, world.authority.trusted_root, keys=keys)
        for entity in read_evidence(json.dumps(envelope).encode())
    ]
    assert len({item.signer for item in both}) == 1
    envelope["signatures"][1]["sig"] = envelope["signatures"][0]["sig"]  # type: ignore[index]
    with pytest.raises(MalformedError, match="one signature twice"):
        read_evidence(json.dumps(envelope).encode())
