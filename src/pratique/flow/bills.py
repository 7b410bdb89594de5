"""Bills of materials in files: read whoever wrote them, and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.errors import MalformedError, UsageError
from pratique.flow.contents import Contents
from pratique.model.digest import parse_digest
from pratique.model.strict_json import MAX_BYTES
from pratique.scan.bill import merged
from pratique.scan.component import Catalog, Uninspected
from pratique.scan.cyclonedx_reader import read_cyclonedx
from pratique.scan.spdx import read_spdx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pratique.model.digest import Digest
    from pratique.scan.bill import Bill

_NO_PURL = "a part without a package URL, of which nothing can be known"


def read_bill(path: Path) -> Bill:
    """Read CycloneDX or SPDX, told apart by what is in the file.

    Raises:
        UsageError: it cannot be read.
        MalformedError: neither of the two.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    head = data[:4096]
    if b"spdxVersion" in head or (b"SPDXID" in head and b"bomFormat" not in head):
        return read_spdx(data, what=str(path))
    return read_cyclonedx(data, what=str(path))


def merge_bills(bills: Sequence[Bill], name: str) -> Contents:
    """Make one of several: the same package once, with all that is known of it.

    Raises:
        MalformedError: not one component in any of them.
    """
    components = merged(component for bill in bills for component in bill.components)
    if not components:
        raise MalformedError("none of the bills lists a component with a package URL")
    unnamed = sorted({part for bill in bills for part in bill.unnamed})
    live = tuple(component for component in components if not component.removed_by)
    return Contents(
        name=name or next((bill.about.name for bill in bills if bill.about.name), "merged"),
        digest=_digest(bills[0]) if len(bills) == 1 else None,
        kind="application",
        catalog=Catalog(
            components=live,
            removed=tuple(component for component in components if component.removed_by),
            uninspected=tuple(Uninspected(part or "(unnamed)", _NO_PURL) for part in unnamed),
        ),
    )


def _digest(bill: Bill) -> Digest | None:
    try:
        return parse_digest(f"sha256:{bill.about.digest}")
    except MalformedError:
        return None
