"""Others' VEX documents as one OpenVEX document, ready to be signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import MAX_BYTES, canonical_json
from pratique.scan.openvex import openvex_document
from pratique.scan.vex import read_vex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pratique.scan.openvex import Statement


class Converted(msgspec.Struct, frozen=True):
    """The document, and what could not be taken over."""

    document: dict[str, Any]
    statements: int
    skipped: tuple[str, ...]


def convert_vex(
    files: Sequence[Path], *, author: str, created: datetime, products: Mapping[str, str]
) -> Converted:
    """Read VEX documents and write their statements as one; `products` as `read_vex` takes them.

    Raises:
        UsageError: a file that cannot be read.
        MalformedError: a file that is no VEX document, or not one statement in all of them.
    """
    statements: list[Statement] = []
    skipped: list[str] = []
    for file in files:
        try:
            with file.open("rb") as stream:
                found = read_vex(stream.read(MAX_BYTES + 1), what=str(file), products=products)
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
        statements += found.statements
        skipped += [f"{file}: {reason}" for reason in found.skipped]
    if not statements:
        raise MalformedError("not one statement could be used" + "".join(f"; {line}" for line in skipped[:3]))
    identity = sha256_bytes(canonical_json([msgspec.to_builtins(item) for item in statements]))
    document = openvex_document(
        statements, identifier=f"https://pratique.dev/vex/{identity.hex}", author=author, created=created
    )
    return Converted(document, len(statements), tuple(skipped))
