"""litewitness's own conversation with a log, answered as litewitness answers it.

From https://github.com/FiloSottile/torchwood (ISC), cmd/litewitness/testdata/litewitness.txt at
341dc2f0f552a29816955d4834718cd741f1ca64: the log's key, the requests, and the HTTP status of each answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import EvidenceInvalidError, PratiqueError, SignatureInvalidError
from pratique.journal.addcheckpoint import encode_request, parse_request
from pratique.journal.witness import ConflictError, Witness
from pratique.trust.cosignature import verify_cosigned

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PublicKey.from_public_bytes(
    bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f")
)
ORIGIN = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
ONE = "1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
THREE = "3\nRcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=\n"
FIVE = "5\nQrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=\n"
SIGNED_1 = "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY="
SIGNED_3 = "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go="
SIGNED_5 = "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww="
A = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
B = "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
C = "KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
D = "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
OF_TWO = "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI="
OF_THREE = "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE="


def body(old: int, proof: list[str], tree: str, signed: str, origin: str = ORIGIN) -> str:
    lines = "".join(f"{item}\n" for item in proof)
    return f"old {old}\n{lines}\n{origin}\n{tree}\n\u2014 {origin} {signed}\n"


CONVERSATION = [
    (body(0, [], ONE, SIGNED_1), 200),
    (body(1, [A, B], THREE, SIGNED_3.replace("go=", "gx=")), 403),
    (body(1, [A, B], THREE, SIGNED_3, ORIGIN[:-1] + "3"), 403),
    (body(1, [], THREE, SIGNED_3), 422),
    (body(1, [A, B[:-3] + "BA="], THREE, SIGNED_3), 422),
    (body(1, [A, B], THREE, SIGNED_3), 200),
    (body(1, [A, OF_TWO, D], FIVE, SIGNED_5), 409),
    (body(3, [B, C, OF_THREE, D], FIVE, SIGNED_5), 200),
    (body(0, [], FIVE, SIGNED_5), 409),
]


def test_the_conversation_of_litewitness(tmp_path: Path) -> None:
    witness = Witness.create(tmp_path / "w", "example.com/witness")
    statuses = [status(witness, text) for text, _ in CONVERSATION]
    assert statuses == [expected for _, expected in CONVERSATION]
    head = witness.head(ORIGIN)
    assert head is not None
    assert head.size == 5


def status(witness: Witness, text: str) -> int:
    """Answer a request as a server would, with an HTTP status."""
    request = parse_request(text)
    assert encode_request(request) == text
    try:
        cosigned = witness.cosign(request, {ORIGIN: [KEY]}, lambda: datetime(2026, 11, 23, tzinfo=UTC))
    except ConflictError:
        return 409
    except SignatureInvalidError:
        return 403
    except EvidenceInvalidError as error:
        return 422 if "not shown to continue" in error.message else 403
    except PratiqueError:
        return 500
    verify_cosigned(cosigned.checkpoint, [witness.vkey], 1)
    return 200
