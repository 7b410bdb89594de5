"""The numbered steps of verifying a package, and errors that name the step."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pratique.errors import EvidenceInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS: Final = (
    "size",
    "SHA256",
    "archive",
    "manifest",
    "trust root",
    "log",
    "seal",
    "evidence",
    "signers",
    "references",
)


@contextmanager
def step(number: int, member: str = "") -> Iterator[None]:
    """Put the step, and the member it is about, in front of an error's message."""
    try:
        yield
    except EvidenceInvalidError as error:
        place = f"audit package: step {number} ({STEPS[number - 1]})"
        about = f"{place}: {member}: " if member else f"{place}: "
        raise type(error)(about + error.message, hint=error.hint) from error
