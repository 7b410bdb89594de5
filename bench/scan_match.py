"""Match 1,000 package URLs against the PyPA and Go advisories, cold and warm.

    python bench/scan_match.py PYPA_JSON_FOLDER GO_TAR_XZ

Prints medians of CPU and wall time in milliseconds: import, opening (with and without checking the digest),
the first match after opening, and further matches.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pratique.scan.component import Component
from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.match import match
from pratique.scan.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 1_000
ROUNDS = 15
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def measure(what: str, work: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Print the medians of some rounds of work."""
    wall, cpu = [], []
    for _ in range(rounds):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        work()
        wall.append(1000 * (time.perf_counter() - wall_start))
        cpu.append(1000 * (time.process_time() - cpu_start))
    medians = f"wall {statistics.median(wall):8.2f} ms   cpu {statistics.median(cpu):8.2f} ms"
    print(f"{what:34} {medians}   n={rounds}")


def main() -> None:
    """Build the database in a scratch folder and measure."""
    pypa, go = Path(sys.argv[1]), Path(sys.argv[2])
    sources = [
        Source(path=pypa, name="pypa", date=NOW, licence="CC-BY-4.0"),
        Source(path=go, name="go", date=NOW, licence="CC-BY-4.0"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "advisories.sqlite"
        measure("import", lambda: import_advisories(sources, path), rounds=3)
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
        print(f"{len(report.findings)} findings, {len(report.unknown)} unknown")


if __name__ == "__main__":
    main()
