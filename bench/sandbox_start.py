"""How long a sandbox takes to start: `true` bare, and in our sandbox. Median of many runs, in milliseconds.

Run: python bench/sandbox_start.py
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pratique.sandbox.bubblewrap import Bubblewrap
from pratique.sandbox.job import Job, Workdir

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 100


def median(action: Callable[[], object]) -> float:
    """Time an action over and over."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    sandbox = Bubblewrap.find()
    start = time.perf_counter()
    isolation = sandbox.preflight()
    preflight = (time.perf_counter() - start) * 1000
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "work")
        work.mkdir()
        job = Job(argv=("/bin/true",), workdir=Workdir(work, "/build"))
        assert sandbox.run(job).ok
        bare = median(lambda: subprocess.run(["/bin/true"], check=True))
        inside = median(lambda: sandbox.run(job))
    print(f"bubblewrap {sandbox.version} ({sandbox.origin}), {isolation.host_user}, {RUNS} runs")
    print(f"bare       {bare:6.1f} ms")
    print(f"sandbox    {inside:6.1f} ms")
    print(f"preflight  {preflight:6.1f} ms, once in a process")


if __name__ == "__main__":
    main()
