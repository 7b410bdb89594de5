"""CycloneDX's own example documents: every JSON one of them is read, and nothing in it goes unaccounted."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

from pratique.scan.cyclonedx_reader import read_cyclonedx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def flat(holder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in holder.get("components", []):
        yield item
        yield from flat(item)


def test_every_example_is_read(test_data: Path) -> None:
    documents = components = statements = 0
    with tarfile.open(test_data / "specs" / "cyclonedx-examples.tar.xz") as tar:
        for member in tar:
            if not member.name.endswith(".json") or (stream := tar.extractfile(member)) is None:
                continue
            data = stream.read()
            bill = read_cyclonedx(data, what=member.name)
            plain = json.loads(data)
            listed = [item["purl"] for item in flat(plain)]
            assert len(bill.components) == len(set(listed)), member.name
            assert bill.statements == len(plain.get("vulnerabilities", []))
            documents, components = documents + 1, components + len(bill.components)
            statements += bill.statements
    assert (documents, components, statements) == (55, 9295, 112)
