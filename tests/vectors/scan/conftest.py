"""The public advisory databases, imported once for all tests of this folder."""

from __future__ import annotations

import json
import tarfile
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import yaml

from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.signals import read_exploited
from pratique.scan.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TimesAsText(yaml.CSafeLoader):
    """OSV in YAML writes times without quotes; they stay text, as in the JSON form."""


TimesAsText.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def pypa_as_json(archive: Path, target: Path) -> Path:
    """Convert pypa/advisory-database's YAML records to the JSON form that users import."""
    with tarfile.open(archive) as tar, zipfile.ZipFile(target, "w") as converted:
        for member in tar:
            if member.isreg() and member.name.endswith(".yaml"):
                stream = tar.extractfile(member)
                assert stream is not None
                record = yaml.load(stream, TimesAsText)  # noqa: S506 - a safe loader, without its timestamps
                converted.writestr(f"{record['id']}.json", json.dumps(record))
    return target


@pytest.fixture(scope="session")
def advisories(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    import lzma  # noqa: PLC0415 - not on every Python build

    folder = tmp_path_factory.mktemp("advisories")
    kev = lzma.decompress((test_data / "advisories" / "kev.json.xz").read_bytes())
    sources = [
        Source(
            path=pypa_as_json(test_data / "advisories" / "pypa.tar.xz", folder / "pypa.zip"),
            name="pypa/advisory-database",
            date=datetime(2024, 10, 10, tzinfo=UTC),
            licence="CC-BY-4.0",
            attribution="Python Packaging Authority",
        ),
        Source(
            path=test_data / "advisories" / "go.tar.xz",
            name="golang/vulndb",
            date=datetime(2026, 8, 21, tzinfo=UTC),
            licence="CC-BY-4.0",
            attribution="The Go Authors",
        ),
    ]
    exploited = read_exploited(kev, what="kev.json")
    import_advisories(sources, folder / "advisories.sqlite", exploited=exploited)
    with Database.open(folder / "advisories.sqlite") as database:
        yield database
