"""Match 1,000 package URLs against many advisories, cold and warm.

Run: python bench/scan_match.py [RECORDS]   (advisories: $PRATIQUE_TEST_DATA, else ../shared/data)

The advisories are as many as told (200,000) in the form in which OSV publishes npm's: the records of Go's
database again and again, each time with other ids and package names. Prints import (seconds, rate, memory),
medians of CPU and wall time in milliseconds of opening, the first match after it, further matches and a
process that does it all, and 5,000 components written as CycloneDX and SPDX and read back.
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
from typing import TYPE_CHECKING, Any

from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.scan.component import Catalog, Component
from pratique.scan.cyclonedx import sbom
from pratique.scan.cyclonedx_reader import read_cyclonedx
from pratique.scan.database import Database
from pratique.scan.match import match
from pratique.scan.spdx import read_spdx, spdx_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.scan.match import MatchReport

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COUNT = 1_000
RECORDS = 200_000
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
    """Match in a new process, interpreter start and imports included, as a scan does."""
    code = (
        "import sys; from datetime import UTC, datetime, timedelta; from pathlib import Path;"
        "from pratique.scan.component import Component; from pratique.scan.database import Database;"
        "from pratique.scan.match import match; database = Database.open(Path(sys.argv[1]));"
        "match([Component(purl=line.strip(), name='', version='') for line in sys.stdin], database,"
        "now=datetime(2026, 11, 23, tzinfo=UTC), max_age=timedelta(days=1))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], input="\n".join(purls), text=True, check=True)


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


def published(archive: Path, target: Path, count: int) -> None:
    """Write `count` records as OSV publishes an ecosystem's: one zip, every second record indented."""
    with tarfile.open(archive) as tar:
        records = [
            record
            for member in tar
            if member.isfile() and member.name.endswith(".json")
            if "affected" in (record := json.load(tar.extractfile(member)))
        ]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(count):
            record = dict(records[number % len(records)])
            record["id"] = f"SYN-2026-{number}"
            record["aliases"] = [f"CVE-{2000 + number % 26}-{10_000 + number}", f"GHSA-{number:012x}"]
            record["affected"] = [entry | {"package": renamed(entry, number)} for entry in record["affected"]]
            out.writestr(f"{record['id']}.json", json.dumps(record, indent=2 if number % 2 else None))


def renamed(entry: dict[str, Any], number: int) -> dict[str, str]:
    """Give a package of npm, three of four of them with one advisory."""
    name = f"{entry['package']['name'].rpartition('/')[2].lower()}-{number % 150_000}"
    return {"ecosystem": "npm", "name": name, "purl": f"pkg:npm/{name}"}


def import_apart(archive: Path, path: Path) -> None:
    """Import in a process of its own, so that its memory is its own too."""
    code = (
        "import resource, sys; from datetime import UTC, datetime; from pathlib import Path;"
        "from pratique.scan.importer import import_advisories; from pratique.scan.sources import Source\n"
        "if __name__ == '__main__':\n"
        "    import_advisories([Source(path=Path(sys.argv[1]), name='npm', licence='CC-BY-4.0',"
        "date=datetime(2026, 11, 23, tzinfo=UTC))], Path(sys.argv[2]))\n"
        "    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):\n"
        "        used = resource.getrusage(who)\n"
        "        print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)\n"
    )
    script = path.with_name("importing.py")
    script.write_text(code)
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, str(script), str(archive), str(path)], stdout=subprocess.PIPE, text=True, check=True
    )
    wall = time.perf_counter() - start
    own, others = (tuple(map(float, line.split())) for line in run.stdout.splitlines())
    print(f"import: wall {wall:.1f} s, cpu {own[0]:.1f} + {others[0]:.1f} s in {os.cpu_count()} processes")
    print(f"import: at most {own[1]:.0f} MB, and {others[1]:.0f} MB in each process that parses")
    print(f"database: {path.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Build the database in a scratch folder and measure."""
    data = Path(os.environ.get("PRATIQUE_TEST_DATA", DATA)) / "advisories"
    if not data.is_dir():
        sys.exit(f"{data}: no advisories there; set PRATIQUE_TEST_DATA to the folder of public test data")
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    measure_bills()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "advisories.sqlite"
        published(data / "go.tar.xz", path.with_name("all.zip"), records)
        import_apart(path.with_name("all.zip"), path)
        with Database.open(path) as database:
            held = [package for _, package, _ in database.packages()]
        # Half of them have advisories, half do not: real lists have far fewer.
        purls = [f"pkg:npm/{name}@1.0.0" for name in held[:: max(1, 2 * len(held) // COUNT)][: COUNT // 2]]
        purls += [f"pkg:npm/quiet-{number}@1.0.0" for number in range(COUNT - len(purls))]
        components = [Component(purl=purl, name="", version="") for purl in purls]

        def matched(database: Database) -> MatchReport:
            return match(components, database, now=NOW, max_age=timedelta(days=1))

        def cold() -> None:
            with Database.open(path) as database:
                matched(database)

        measure("open", lambda: Database.open(path).close())
        measure("open, match 1,000", cold)
        with Database.open(path) as database:
            report = matched(database)
            measure("warm: match 1,000", lambda: matched(database))
            measure("cold process: start, match 1,000", lambda: process(path, purls), rounds=7)
        print(f"{len(report.findings)} findings, {len(report.unknown)} unknown")


if __name__ == "__main__":
    main()
