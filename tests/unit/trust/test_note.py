from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust.note import Checkpoint, parse_checkpoint, sign_checkpoint, sign_note, verify_checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key()
CHECKPOINT = Checkpoint("log.example", 7, bytes(range(32)))
ROOT = base64.b64encode(bytes(range(32))).decode()


def test_a_checkpoint_in_its_published_form() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY)
    assert note.startswith(f"log.example\n7\n{ROOT}\n\n\u2014 log.example ")
    assert verify_checkpoint(note, "log.example", PUBLIC) == CHECKPOINT


def test_witness_lines_are_ignored_in_any_order() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY)
    text, block = note.split("\n\n")
    witness = f"\u2014 witness.example {base64.b64encode(bytes(76)).decode()}\n"
    for signatures in (witness + block, block + witness):
        assert verify_checkpoint(f"{text}\n\n{signatures}", "log.example", PUBLIC) == CHECKPOINT


def test_extension_lines_are_ignored() -> None:
    note = sign_note(f"log.example\n7\n{ROOT}\nextension\n", "log.example", KEY)
    assert verify_checkpoint(note, "log.example", PUBLIC) == CHECKPOINT


def test_another_origin_under_our_key() -> None:
    note = sign_note(f"other.example\n7\n{ROOT}\n", "log.example", KEY)
    with pytest.raises(SignatureInvalidError, match=r"of log 'other\.example'"):
        verify_checkpoint(note, "log.example", PUBLIC)


def test_another_key() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    with pytest.raises(SignatureInvalidError, match="not signed by"):
        verify_checkpoint(sign_checkpoint(CHECKPOINT, stranger), "log.example", PUBLIC)


def test_one_bad_signature_of_ours_spoils_it() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY)
    other = sign_checkpoint(Checkpoint("log.example", 8, bytes(32)), KEY)
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        verify_checkpoint(note + other.split("\n\n")[1], "log.example", PUBLIC)


GOOD = sign_checkpoint(CHECKPOINT, KEY)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "log.example\n7\n",
        GOOD.rstrip("\n"),
        GOOD.replace("\u2014", "-"),
        GOOD.replace("\n\n", "\n"),
        GOOD + "\n",
        GOOD + "junk\n",
        GOOD + "\u2014 a AAAA\n",
        GOOD + "\u2014 a+b AAAAAAAA\n",
        GOOD.replace("7", "7\t"),
        GOOD.replace("7", "7\r"),
        GOOD + "\u2014 w AAAAAAAA\n" * 64,
        "x" * 70_000,
    ],
)
def test_malformed_notes(note: str) -> None:
    with pytest.raises(MalformedError):
        verify_checkpoint(note, "log.example", PUBLIC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.example\n7\n",
        f"log.example\n7\n{ROOT}",
        f"log.example\n07\n{ROOT}\n",
        f"log.example\n-7\n{ROOT}\n",
        f"log.example\n7\n{ROOT}\n\nmore\n",
        f"\n7\n{ROOT}\n",
        "log.example\n7\nAAAA\n",
        f"log.example\n7\n{ROOT}=\n",
    ],
)
def test_malformed_checkpoints(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    ("text", "name"), [("no newline", "n"), ("a\n", "two words"), ("a\n", ""), ("a\n", "a+b"), ("a\0\n", "n")]
)
def test_what_cannot_be_a_note(text: str, name: str) -> None:
    with pytest.raises(MalformedError):
        sign_note(text, name, KEY)
