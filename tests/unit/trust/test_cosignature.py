"""Cosignatures: what is signed, who counts, and what spoils a checkpoint."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import MalformedError, SignatureInvalidError, UsageError
from pratique.trust.cosignature import (
    VerifierKey,
    cosign,
    log_vkey,
    parse_vkey,
    text_of,
    trimmed,
    verify_cosignatures,
    verify_cosigned,
    verify_head,
)
from pratique.trust.note import Checkpoint, sign_checkpoint, verify_checkpoint

LOG = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3)]
NAMES = ["w1.example", "w2.example", "w3.example"]
WITNESSES = [VerifierKey(n, k.public_key().public_bytes_raw()) for n, k in zip(NAMES, KEYS, strict=True)]
NOTE = sign_checkpoint(Checkpoint("log.example", 7, bytes(range(32))), LOG)
TEXT = text_of(NOTE)
LOGS = {"log.example": [LOG.public_key()]}


def line(number: int, *, name: str | None = None, time: int = 1_700_000_000) -> str:
    return cosign(TEXT, name or NAMES[number], KEYS[number], time)


def test_the_signed_message_is_the_specifications() -> None:
    dash, name, encoded = line(0).rstrip("\n").split(" ")
    blob = base64.b64decode(encoded)
    raw = KEYS[0].public_key().public_bytes_raw()
    assert (dash, name) == ("\u2014", "w1.example")
    assert blob[:4] == hashlib.sha256(b"w1.example\n\x04" + raw).digest()[:4]
    assert int.from_bytes(blob[4:12], "big") == 1_700_000_000
    KEYS[0].public_key().verify(blob[12:], f"cosignature/v1\ntime 1700000000\n{TEXT}".encode())


def test_extension_lines_are_signed_too() -> None:
    extended = f"{TEXT}extension\n"
    note = f"{extended}\n{cosign(extended, NAMES[0], KEYS[0], 5)}"
    assert [item.timestamp for item in verify_cosignatures(note, WITNESSES)] == [5]
    with pytest.raises(SignatureInvalidError, match=r"w1\.example does not verify"):
        verify_cosignatures(note.replace("extension", "Extension"), WITNESSES)


def test_k_of_n() -> None:
    note = NOTE + line(0) + line(2)
    assert {item.witness.name for item in verify_cosigned(note, WITNESSES, 2)} == {"w1.example", "w3.example"}
    with pytest.raises(SignatureInvalidError, match=r"by 2 witnesses of the 3 needed; not by w2\.example$"):
        verify_cosigned(note, WITNESSES, 3)


def test_one_key_under_two_names_is_one_witness() -> None:
    alias = VerifierKey("alias.example", WITNESSES[0].key)
    note = NOTE + line(0) + line(0, name="alias.example")
    known = [WITNESSES[0], alias, WITNESSES[1]]
    assert len(verify_cosigned(note, known, 1)) == 1
    with pytest.raises(SignatureInvalidError, match=r"by 1 witnesses of the 2 needed; not by w2\.example$"):
        verify_cosigned(note, known, 2)


def test_one_witness_listed_or_signing_twice_is_one() -> None:
    note = NOTE + line(0, time=10) + line(0, time=20) + line(0, time=15)
    (found,) = verify_cosignatures(note, [WITNESSES[0], WITNESSES[0]])
    assert found.timestamp == 20
    with pytest.raises(UsageError, match="2 of 1 witnesses"):
        verify_cosigned(note, [WITNESSES[0], WITNESSES[0]], 2)


@pytest.mark.parametrize("threshold", [0, -1, 4])
def test_thresholds_that_mean_nothing(threshold: int) -> None:
    with pytest.raises(UsageError):
        verify_cosigned(NOTE + line(0), WITNESSES, threshold)


def test_nobody_known_is_never_enough() -> None:
    with pytest.raises(UsageError):
        verify_cosigned(NOTE, [], 0)


def test_strangers_are_ignored_and_names_are_not_enough() -> None:
    stranger = cosign(TEXT, NAMES[0], LOG, 5)
    assert verify_cosignatures(NOTE + stranger + line(1), WITNESSES[:1]) == ()


def test_one_bad_line_of_a_known_witness_spoils_the_note() -> None:
    other = sign_checkpoint(Checkpoint("log.example", 8, bytes(range(32))), LOG)
    wrong = cosign(text_of(other), NAMES[0], KEYS[0], 5)
    for lines in (line(0) + wrong, wrong + line(0)):
        with pytest.raises(SignatureInvalidError, match="does not verify"):
            verify_cosignatures(NOTE + lines, WITNESSES)


def test_the_time_is_signed() -> None:
    blob = bytearray(base64.b64decode(line(0).split(" ")[2]))
    blob[11] ^= 1
    forged = f"\u2014 {NAMES[0]} {base64.b64encode(blob).decode()}\n"
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        verify_cosignatures(NOTE + forged, WITNESSES)


@pytest.mark.parametrize("tail", [bytes(72), b"\x80" + bytes(71), b"\1" * 71, b"\1" * 73, b"\1" * 64])
def test_lines_of_a_known_witness_that_are_no_cosignature(tail: bytes) -> None:
    encoded = base64.b64encode(WITNESSES[0].key_id + tail).decode()
    with pytest.raises(MalformedError, match=r"cosignature of w1\.example"):
        verify_cosignatures(f"{NOTE}\u2014 {NAMES[0]} {encoded}\n", WITNESSES)


@pytest.mark.parametrize("time", [0, -1, 2**63])
def test_times_that_no_cosignature_carries(time: int) -> None:
    with pytest.raises(MalformedError, match="not a time"):
        cosign(TEXT, NAMES[0], KEYS[0], time)


def test_only_checkpoints_are_cosigned() -> None:
    with pytest.raises(MalformedError, match="checkpoint"):
        cosign("anything\n", NAMES[0], KEYS[0], 5)


def test_a_cosigned_checkpoint_is_still_the_logs() -> None:
    note = NOTE + line(0) + line(1)
    assert verify_checkpoint(note, "log.example", LOG.public_key()).size == 7
    assert verify_head(note, LOGS).size == 7
    assert trimmed(note, [log_vkey("log.example", LOG.public_key())]) == NOTE
    assert trimmed(note, [WITNESSES[1]]) == f"{TEXT}\n{line(1)}"


def test_heads_of_unknown_unsigned_and_badly_signed_logs() -> None:
    other = KEYS[0].public_key()
    for logs in ({}, {"log.example": []}, {"other.example": [LOG.public_key()]}):
        with pytest.raises(SignatureInvalidError, match="not known here"):
            verify_head(NOTE, logs)
    with pytest.raises(SignatureInvalidError, match="not signed by"):
        verify_head(NOTE, {"log.example": [other]})
    with pytest.raises(SignatureInvalidError, match="not signed by"):
        verify_head(f"{TEXT}\n{line(0)}", LOGS)
    assert verify_head(NOTE, {"log.example": [other, LOG.public_key()]}).size == 7
    rotated = sign_checkpoint(Checkpoint("log.example", 8, bytes(32)), KEYS[0]).split("\n\n")[1]
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        verify_head(NOTE + rotated, {"log.example": [LOG.public_key(), other]})


def test_verifier_keys_round_trip() -> None:
    assert parse_vkey(str(WITNESSES[0])) == WITNESSES[0]
    name, key_id, material = str(WITNESSES[0]).split("+", 2)
    assert (name, len(key_id), base64.b64decode(material)[0]) == ("w1.example", 8, 4)


def bad_vkeys() -> list[str]:
    good = str(WITNESSES[0])
    spaced = VerifierKey("w 1", WITNESSES[0].key)
    return [
        "",
        good.replace("w1", "w2"),
        good + "\n",
        good[:-4],
        str(log_vkey("w1.example", KEYS[0].public_key())),
        str(spaced),
        str(VerifierKey("", WITNESSES[0].key)),
        str(VerifierKey("w1.example", b"short")),
    ]


@pytest.mark.parametrize("text", bad_vkeys())
def test_bad_verifier_keys(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(text)
