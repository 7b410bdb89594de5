"""How long `pratique --help` takes, in CPU time, beside bare Python and beside a peer's command line.

Run: python bench/startup.py   (peer: $PRATIQUE_SIGSTORE_PYTHON, a Python that has sigstore)
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

RUNS = 15


def cpu_milliseconds(command: list[str]) -> float:
    """Median user+system time of a command, in milliseconds."""
    taken = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Print the table."""
    rows = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "pratique --help": [sys.executable, "-m", "pratique", "--help"],
        "pratique ship --help": [sys.executable, "-m", "pratique", "ship", "--help"],
    }
    if peer := os.environ.get("PRATIQUE_SIGSTORE_PYTHON"):
        rows["sigstore --help"] = [peer, "-m", "sigstore", "--help"]
    figures = {name: cpu_milliseconds(command) for name, command in rows.items()}
    ours = figures["pratique --help"]
    for name, figure in figures.items():
        print(f"{name:<24}{figure:7.0f} ms CPU   {figure / ours:5.2f} × pratique --help")


if __name__ == "__main__":
    main()
