"""Bills that a package brings along: PEP 770 (`*.dist-info/sboms/`), `*.cdx.json`, `*.spdx.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError
from pratique.scan.catalogers.base import File, UnreadableError
from pratique.scan.cyclonedx_reader import read_cyclonedx
from pratique.scan.spdx import read_spdx

if TYPE_CHECKING:
    from pratique.scan.component import Component


def read_embedded(file: File) -> list[Component]:
    """Read what the package says it has vendored or linked in, which is shipped with it.

    Raises:
        UnreadableError: neither CycloneDX nor SPDX in JSON, or with parts that have no package URL.
    """
    read = read_spdx if ".spdx." in file.name.rpartition("/")[2] else read_cyclonedx
    try:
        bill = read(file.data, what=file.name)
    except MalformedError as error:
        raise UnreadableError(error.message) from error
    found = [msgspec.structs.replace(item, locations=(file.name,)) for item in bill.components]
    # Some list themselves among their parts, without a package URL: the package is there anyway.
    unnamed = [part for part in bill.unnamed if not part or part.partition(" ")[0] != bill.about.name]
    if unnamed:
        shown = ", ".join(part or "(unnamed)" for part in unnamed[:5])
        raise UnreadableError(f"{len(unnamed)} of its parts have no package URL: {shown}", found)
    return found
