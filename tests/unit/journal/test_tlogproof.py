"""A proof file proves one entry, and nothing else does."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import MalformedError, SignatureInvalidError, UsageError
from pratique.journal.tlogproof import TlogProof, encode_proof, parse_proof, verify_proof
from pratique.trust.cosignature import VerifierKey, cosign, text_of
from pratique.trust.note import Checkpoint, sign_checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOGS = {"log.example": [KEY.public_key()]}
SIGNERS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
WITNESSES = [VerifierKey(f"w{n}.example", k.public_key().public_bytes_raw()) for n, k in enumerate(SIGNERS)]

# The tree of a, b and c by hand (RFC 6962 section 2.1); the proof of b is [a, c].
A, B, C = (sha256(b"\0" + text).digest() for text in (b"a", b"b", b"c"))
ROOT = sha256(b"\1" + sha256(b"\1" + A + B).digest() + C).digest()
NOTE = sign_checkpoint(Checkpoint("log.example", 3, ROOT), KEY)
COSIGNED = NOTE + "".join(
    cosign(text_of(NOTE), witness.name, key, 5) for witness, key in zip(WITNESSES, SIGNERS, strict=True)
)
PROOF = encode_proof(TlogProof(1, (A, C), COSIGNED))


def test_the_form_is_the_specifications() -> None:
    head, _, note = PROOF.partition("\n\n")
    hashes = [base64.b64encode(item).decode() for item in (A, C)]
    assert head.split("\n") == ["c2sp.org/tlog-proof@v1", "index 1", *hashes]
    assert note == COSIGNED
    assert parse_proof(PROOF) == TlogProof(1, (A, C), COSIGNED)


def test_it_proves_its_entry() -> None:
    proven = verify_proof(PROOF, b"b", LOGS)
    assert (proven.index, proven.head, proven.cosignatures) == (1, Checkpoint("log.example", 3, ROOT), ())
    proven = verify_proof(PROOF, b"b", LOGS, witnesses=WITNESSES, threshold=2)
    assert {item.witness.name for item in proven.cosignatures} == {"w0.example", "w1.example"}


def test_it_proves_no_other_entry() -> None:
    for entry in (b"a", b"c", b"", b"bb"):
        with pytest.raises(SignatureInvalidError, match="does not lead to the tree head"):
            verify_proof(PROOF, entry, LOGS)
    for wrong in (
        TlogProof(0, (A, C), NOTE),
        TlogProof(2, (A, C), NOTE),
        TlogProof(3, (A, C), NOTE),
        TlogProof(1, (A,), NOTE),
        TlogProof(1, (A, C, C), NOTE),
        TlogProof(1, (C, A), NOTE),
    ):
        with pytest.raises(SignatureInvalidError, match="inclusion proof"):
            verify_proof(encode_proof(wrong), b"b", LOGS)


def test_log_and_witnesses_have_to_be_known() -> None:
    with pytest.raises(SignatureInvalidError, match="not known here"):
        verify_proof(PROOF, b"b", {})
    with pytest.raises(SignatureInvalidError, match="not signed by"):
        verify_proof(PROOF, b"b", {"log.example": [SIGNERS[0].public_key()]})
    alone = encode_proof(TlogProof(1, (A, C), NOTE))
    with pytest.raises(SignatureInvalidError, match="by 0 witnesses of the 1 needed"):
        verify_proof(alone, b"b", LOGS, witnesses=WITNESSES)
    with pytest.raises(UsageError):
        verify_proof(PROOF, b"b", LOGS, witnesses=[])
    with pytest.raises(UsageError):
        verify_proof(PROOF, b"b", LOGS, witnesses=WITNESSES, threshold=3)


def test_extra_data_is_carried_and_not_believed() -> None:
    text = encode_proof(TlogProof(1, (A, C), COSIGNED, b"anything"))
    assert text.split("\n")[1] == "extra YW55dGhpbmc="
    assert parse_proof(text).extra == b"anything"
    assert verify_proof(text, b"b", LOGS).index == 1


def test_the_specifications_own_example_parses() -> None:
    # C2SP tlog-proof.md at 5ba5ee830903e91240fc6f9f3a7a9293d49e69c9; its signatures are cut short there, so
    # they are left out.
    text = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
"""
    proof = parse_proof(text)
    assert (proof.index, len(proof.hashes), proof.hashes[0][:3].hex()) == (73894, 5, "8122b2")
    assert proof.extra.startswith(b"age-v1.2.1-darwin-arm64.tar.gz")
    assert proof.checkpoint.startswith("example.com/fancylog\n109482\n")
    assert encode_proof(proof) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        COSIGNED,
        PROOF.replace("@v1", "@v2"),
        PROOF.replace("index 1\n", ""),
        PROOF.replace("index 1", "index 01"),
        PROOF.replace("index 1", "index -1"),
        PROOF.replace("index 1", "index 1 "),
        PROOF.replace("index 1", "index 1\nAAAA"),
        PROOF.replace("index 1", "index 1\nindex 1"),
        PROOF.replace("index 1", "extra \nindex 1"),
        PROOF.replace("index 1", "extra ?\nindex 1"),
        PROOF.replace("index 1", "extra AAAA\nextra AAAA\nindex 1"),
        PROOF.replace("index 1", "index 1\nextra AAAA"),
        PROOF.replace("index 1", "index 1" + "\nypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=" * 64),
        PROOF.replace("\n\n", "\n"),
        PROOF.replace("\n", "\r\n"),
        PROOF + "x" * 300_000,
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        verify_proof(text, b"b", LOGS)
