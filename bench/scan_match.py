"""Match 1,000 package URLs against the PyPA and Go advisories, cold and warm.

Run: python bench/scan_match.py   (advisories: $PRATIQUE_TEST_DATA, else ../shared/data)

Prints medians of CPU and wall time in milliseconds: import (with its rate), opening (with and without
checking the digest), the first match after opening, further matches, a process that does it all, and
5,000 components written as CycloneDX and SPDX and read back.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.scan.component import Catalog, Component
from pratique.scan.cyclonedx import sbom
from pratique.scan.cyclonedx_reader import read_cyclonedx
from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.match import match
from pratique.scan.sources import Source
from pratique.scan.spdx import read_spdx, spdx_document

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COUNT = 1_000
ROUNDS = 15
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def measure(what: str, work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Print the medians of some rounds of work, and give that of wall time in milliseconds."""
    wall, cpu = [], []
    for _ in range(rounds):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        work()
        wall.append(1000 * (time.perf_counter() - wall_start))
        cpu.append(1000 * (time.process_time() - cpu_start))
    medians = f"wall {statistics.median(wall):8.2f} ms   cpu {statistics.median(cpu):8.2f} ms"
    print(f"{what:34} {medians}   n={rounds}")
    return statistics.median(wall)


def process(path: Path, purls: list[str]) -> None:
    """Match in a new process, interpreter start and imports included."""
    subprocess.run(
        [sys.executable, __file__, "--child", str(path)], input="\n".join(purls), text=True, check=True
    )


def child(path: Path) -> None:
    """Match the package URLs on standard input."""
    components = [Component(purl=line.strip(), name="", version="") for line in sys.stdin]
    with Database.open(path, verify=False) as database:
        match(components, database, now=NOW, max_age=timedelta(days=1))


def measure_bills() -> None:
    """Write and read 5,000 components, each with a digest, a licence, a place and three edges."""
    purls = [f"pkg:npm/package-{number:04}@1.{number}.0" for number in range(5_000)]
    catalog = Catalog(
        components=tuple(
            Component(
                purl=purl,
                name=purl[8:20],
                version=purl.rpartition("@")[2],
                licence="MIT",
                licence_is_spdx=True,
                locations=(f"node_modules/{number}/package.json",),
                hashes=("ab" * 64,),
                requires=tuple(purls[number + 1 : number + 4]),
            )
            for number, purl in enumerate(purls)
        )
    )
    digest = sha256_bytes(b"artifact")

    def cyclonedx() -> bytes:
        return canonical_json(sbom(catalog, name="a", digest=digest, created=NOW))

    def spdx() -> bytes:
        return canonical_json(spdx_document(catalog, name="a", digest=digest, created=NOW))

    for name, write, read in (("CycloneDX", cyclonedx, read_cyclonedx), ("SPDX", spdx, read_spdx)):
        data = write()
        assert read(data, what=name).components == catalog.components
        measure(f"5,000 components: write {name}", write, rounds=5)
        measure(f"5,000 components: read {name}", lambda read=read, data=data: read(data, what=""), rounds=5)


def as_json(archive: Path, folder: str) -> Path:
    """Convert the YAML records of PyPA's database into the JSON that OSV publishes."""
    converted = Path(folder) / "pypa.zip"
    with tarfile.open(archive) as records, zipfile.ZipFile(converted, "w") as out:
        for member in records:
            if member.isfile() and member.name.endswith(".yaml"):
                record = yaml.load(
                    records.extractfile(member), Loader=yaml.CSafeLoader
                )  # the safe loader, in C
                out.writestr(f"{member.name}.json", json.dumps(record, default=str))
    return converted


def main() -> None:
    """Build the database in a scratch folder and measure."""
    data = Path(os.environ.get("PRATIQUE_TEST_DATA", DATA)) / "advisories"
    if not data.is_dir():
        sys.exit(f"{data}: no advisories there; set PRATIQUE_TEST_DATA to the folder of public test data")
    with tempfile.TemporaryDirectory() as folder:
        sources = [
            Source(path=as_json(data / "pypa.tar.xz", folder), name="pypa", date=NOW, licence="CC-BY-4.0"),
            Source(path=data / "go.tar.xz", name="go", date=NOW, licence="CC-BY-4.0"),
        ]
        path = Path(folder) / "advisories.sqlite"
        seconds = measure("import", lambda: import_advisories(sources, path), rounds=3) / 1000
        with Database.open(path) as database:
            print(f"import rate: {database.info.records / seconds:.0f} records a second")
        print(f"database: {path.stat().st_size / 1e6:.1f} MB")
        with Database.open(path) as database:
            rows = database._connection.execute("SELECT DISTINCT ecosystem, package FROM affected").fetchall()  # noqa: SLF001 - sampling real names
        named = [
            f"pkg:{'pypi' if eco == 'PyPI' else 'golang'}/{name}@1.0.0"
            for eco, name in rows
            if eco in {"PyPI", "Go"}
        ]
        # Half of them have advisories, half do not: real lists have far fewer.
        purls = named[:: max(1, 2 * len(named) // COUNT)][: COUNT // 2]
        purls += [f"pkg:pypi/quiet-{number}@1.0.0" for number in range(COUNT - len(purls))]
        components = [Component(purl=purl, name="", version="") for purl in purls]

        def cold(*, verify: bool) -> None:
            with Database.open(path, verify=verify) as database:
                match(components, database, now=NOW, max_age=timedelta(days=1))

        measure("open, digest checked", lambda: Database.open(path).close())
        measure("open, digest not checked", lambda: Database.open(path, verify=False).close())
        measure("cold: open, check, match 1,000", lambda: cold(verify=True))
        measure("cold: open, match 1,000", lambda: cold(verify=False))
        with Database.open(path) as database:
            report = match(components, database, now=NOW, max_age=timedelta(days=1))
            measure(
                "warm: match 1,000", lambda: match(components, database, now=NOW, max_age=timedelta(days=1))
            )
            measure("cold process: start, match 1,000", lambda: process(path, purls), rounds=5)
        print(f"{len(report.findings)} findings, {len(report.unknown)} unknown")
    measure_bills()


if __name__ == "__main__":
    child(Path(sys.argv[2])) if sys.argv[1:2] == ["--child"] else main()
