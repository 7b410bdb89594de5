"""A witness signs what continues, refuses what does not, and keeps the proof."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import (
    ConfigError,
    EvidenceInvalidError,
    InfrastructureError,
    MalformedError,
    SignatureInvalidError,
    UsageError,
)
from pratique.journal import witness as module
from pratique.journal.addcheckpoint import Request, encode_request, parse_request
from pratique.journal.witness import ConflictError, Cosigned, Witness
from pratique.trust.cosignature import cosign, verify_cosigned
from pratique.trust.note import Checkpoint, sign_checkpoint, sign_note

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "log.example.com"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOGS = {ORIGIN: [KEY.public_key()]}
TIME = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
SECONDS = 1795395723


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


# A tree by hand: sizes 1, 2 and 3, and another history of 2 (RFC 6962 section 2.1).
A, B, C, X = (sha256(b"\0" + text).digest() for text in (b"a", b"b", b"c", b"x"))
AB, AX = node(A, B), node(A, X)
ONE, TWO, THREE = (
    sign_checkpoint(Checkpoint(ORIGIN, n, r), KEY) for n, r in ((1, A), (2, AB), (3, node(AB, C)))
)
OTHER_TWO = sign_checkpoint(Checkpoint(ORIGIN, 2, AX), KEY)
OTHER_THREE = sign_checkpoint(Checkpoint(ORIGIN, 3, node(AX, C)), KEY)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.create(tmp_path / "w", "w.example/1")


def ask(witness: Witness, old: int | None, proof: tuple[bytes, ...], note: str) -> Cosigned:
    return witness.cosign(Request(old, proof, note), LOGS, lambda: TIME)


def kept(witness: Witness) -> dict[str, tuple[str, str]]:
    folder = witness.folder / "misbehaviour"
    if not folder.exists():
        return {}
    return {
        path.name.split("-")[0]: ((path / "earlier").read_text(), (path / "offered").read_text())
        for path in folder.iterdir()
    }


def test_a_log_that_grows_is_cosigned(witness: Witness) -> None:
    for old, proof, note in ((0, (), ONE), (1, (B,), TWO), (2, (C,), THREE)):
        cosigned = ask(witness, old, proof, note)
        assert cosigned.checkpoint == note + cosigned.line
        (made,) = verify_cosigned(cosigned.checkpoint, [witness.vkey], 1)
        assert made.timestamp == cosigned.timestamp == SECONDS
    published = witness.folder / "checkpoints" / sha256(ORIGIN.encode()).hexdigest() / "checkpoint"
    assert published.read_text() == cosigned.checkpoint
    assert kept(witness) == {}


def test_the_same_head_is_cosigned_again(witness: Witness) -> None:
    first = ask(witness, 0, (), TWO)
    assert ask(witness, 2, (), TWO) == first
    assert ask(witness, None, (), TWO) == first


def test_other_lines_and_other_witnesses_are_not_passed_on(witness: Witness) -> None:
    stranger = cosign(TWO.partition("\n\n")[0] + "\n", "s.example", Ed25519PrivateKey.generate(), 5)
    assert ask(witness, 0, (), TWO + stranger).checkpoint.count("\u2014") == 2


def test_a_fork_is_refused_and_both_checkpoints_are_kept(witness: Witness) -> None:
    ask(witness, 0, (), TWO)
    for old in (2, None, 0):
        with pytest.raises(
            EvidenceInvalidError, match=r"REFUSED TO COSIGN: FORK: .* two trees of 2 entries"
        ) as caught:
            ask(witness, old, (), OTHER_TWO)
        assert caught.value.exit_code == 4
    assert kept(witness) == {"fork": (TWO, OTHER_TWO)}
    assert ask(witness, 2, (C,), THREE).head.size == 3


def test_a_log_that_shrank_is_refused(witness: Witness) -> None:
    ask(witness, 0, (), TWO)
    for old in (0, 1, 2, None):
        with pytest.raises(EvidenceInvalidError, match="shrank from 2 entries to 1"):
            ask(witness, old, (), ONE)
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, sha256(b"").digest()), KEY)
    with pytest.raises(EvidenceInvalidError, match="shrank from 2 entries to 0"):
        ask(witness, 0, (), empty)
    head = witness.head(ORIGIN)
    assert head == Checkpoint(ORIGIN, 2, AB)


@pytest.mark.parametrize("proof", [(), (B,), (C, C), (bytes(32),)])
def test_a_proof_that_does_not_hold_is_refused(witness: Witness, proof: tuple[bytes, ...]) -> None:
    ask(witness, 0, (), TWO)
    with pytest.raises(EvidenceInvalidError, match="at 3 entries is not shown to continue its tree of 2"):
        ask(witness, 2, proof, THREE)
    assert kept(witness) == {"unproven": (TWO, THREE)}
    assert witness.head(ORIGIN) == Checkpoint(ORIGIN, 2, AB)


def test_a_larger_fork_is_refused(witness: Witness) -> None:
    ask(witness, 0, (), TWO)
    with pytest.raises(EvidenceInvalidError, match="not shown to continue"):
        ask(witness, 2, (C,), OTHER_THREE)


def test_a_proof_from_elsewhere_or_none_says_where_from(witness: Witness) -> None:
    ask(witness, 0, (), TWO)
    for old, proof in ((0, ()), (1, (B, C)), (None, ())):
        with pytest.raises(ConflictError, match="at size 2") as caught:
            ask(witness, old, proof, THREE)
        assert caught.value.size == 2
        assert caught.value.hint == "pratique log checkpoint --with-proof-from 2"
    assert kept(witness) == {}


def test_the_first_checkpoint_needs_no_proof_and_takes_none(witness: Witness) -> None:
    with pytest.raises(SignatureInvalidError, match="hashes where none are needed"):
        ask(witness, 0, (A,), TWO)
    with pytest.raises(ConflictError, match="at size 0"):
        ask(witness, 1, (B,), TWO)
    assert ask(witness, None, (), TWO).head.size == 2


def test_the_empty_tree_has_one_root(witness: Witness) -> None:
    with pytest.raises(SignatureInvalidError, match="two heads for a tree of 0"):
        ask(witness, 0, (), sign_checkpoint(Checkpoint(ORIGIN, 0, A), KEY))
    assert witness.head(ORIGIN) is None
    assert (
        ask(witness, 0, (), sign_checkpoint(Checkpoint(ORIGIN, 0, sha256(b"").digest()), KEY)).head.size == 0
    )
    with pytest.raises(EvidenceInvalidError, match="two trees of 0"):
        ask(witness, 0, (), sign_checkpoint(Checkpoint(ORIGIN, 0, A), KEY))
    assert ask(witness, 0, (), ONE).head.size == 1


def test_strangers_are_not_cosigned_for(witness: Witness) -> None:
    thief = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    for note in (
        sign_checkpoint(Checkpoint(ORIGIN, 2, AB), thief),
        sign_checkpoint(Checkpoint("other.example", 2, AB), KEY),
        TWO.replace("\n2\n", "\n3\n"),
    ):
        with pytest.raises(SignatureInvalidError):
            ask(witness, 0, (), note)
    assert not (witness.folder / "heads").exists()


def test_logs_do_not_share_a_memory(witness: Witness) -> None:
    ask(witness, 0, (), TWO)
    note = sign_checkpoint(Checkpoint("other.example", 1, X), KEY)
    logs = {**LOGS, "other.example": [KEY.public_key()]}
    assert witness.cosign(Request(0, (), note), logs, lambda: TIME).head.size == 1
    assert witness.head(ORIGIN) == Checkpoint(ORIGIN, 2, AB)


def test_the_head_is_on_the_disk_before_it_is_signed(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Checkpoint | None] = []

    def dies(*_: object) -> str:
        seen.append(witness.head(ORIGIN))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "cosign", dies)
        with pytest.raises(KeyboardInterrupt):
            ask(witness, 0, (), TWO)
    assert seen == [Checkpoint(ORIGIN, 2, AB)]
    with pytest.raises(EvidenceInvalidError, match="FORK"):
        ask(witness, 0, (), OTHER_TWO)
    assert ask(witness, 2, (), TWO).head.root == AB


def test_a_head_that_cannot_be_written_is_not_signed(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[object] = []

    def full(*_: object) -> None:
        raise InfrastructureError("no space")

    monkeypatch.setattr(module, "cosign", lambda *given: signed.append(given))
    monkeypatch.setattr(module, "write_atomic", full)
    with pytest.raises(InfrastructureError):
        ask(witness, 0, (), TWO)
    assert signed == []


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xff", TWO.replace(ORIGIN, "other.example").encode()])
def test_a_damaged_memory_signs_nothing(witness: Witness, data: bytes) -> None:
    ask(witness, 0, (), TWO)
    (witness.folder / "heads" / sha256(ORIGIN.encode()).hexdigest()).write_bytes(data)
    with pytest.raises(EvidenceInvalidError, match="is damaged"):
        ask(witness, 2, (C,), THREE)


def test_the_key_is_the_owners_alone(tmp_path: Path) -> None:
    made = Witness.create(tmp_path / "w", "w.example/1")
    path = made.folder / "witness.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Witness.open(made.folder).vkey == made.vkey
    with pytest.raises(UsageError, match="exists"):
        Witness.create(tmp_path / "w", "w.example/1")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others"):
        Witness.open(made.folder)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_names_that_no_witness_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a witness's name"):
        Witness.create(tmp_path / "w", name)


def test_folders_that_are_no_witness(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Witness.open(tmp_path)
    one, two = (Witness.create(tmp_path / n, "w.example") for n in "ab")
    (one.folder / "witness.vkey").write_text(f"{two.vkey}\n")
    with pytest.raises(ConfigError, match="another key"):
        Witness.open(one.folder)
    (one.folder / "witness.vkey").write_text("junk")
    with pytest.raises(ConfigError, match="not a witness's folder"):
        Witness.open(one.folder)


def test_requests_in_their_one_form() -> None:
    text = encode_request(Request(2, (A, B), THREE))
    assert text.startswith("old 2\n")
    assert parse_request(text) == Request(2, (A, B), THREE)
    assert parse_request(THREE) == Request(None, (), THREE)


GOOD = encode_request(Request(2, (A,), THREE))


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("old 2", "old 02"),
        GOOD.replace("old 2", "old -2"),
        GOOD.replace("old 2", "old 2 "),
        GOOD.replace("old 2", "old 99999999999999999"),
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("old 2\n", "old 2\nAAAA\n"),
        GOOD.replace("old 2\n", "old 2\n \n"),
        GOOD.replace("old 2\n", "old 2\n" + "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=\n" * 63),
        "old 2\n",
        "x" * 200_000,
    ],
)
def test_requests_in_another_form(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_request(text)


def test_extension_lines_are_cosigned_as_they_are(witness: Witness) -> None:
    text = TWO.partition("\n\n")[0] + "\nextension\n"
    cosigned = ask(witness, 0, (), sign_note(text, ORIGIN, KEY))
    assert cosigned.checkpoint.startswith(text)
    verify_cosigned(cosigned.checkpoint, [witness.vkey], 1)
