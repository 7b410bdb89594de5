"""Bills of materials that a package brings along of what it has in it (PEP 770, `*.dist-info/sboms/`)."""

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
    if bill.unnamed:
        shown = ", ".join(part or "(unnamed)" for part in bill.unnamed[:5])
        raise UnreadableError(f"{len(bill.unnamed)} parts without a package URL: {shown}", found)
    return found
