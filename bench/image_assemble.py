"""How long an image of a 150 MB service takes cold, how long a check of it, and the peak memory of each.

Run: python bench/image_assemble.py [--megabytes N]. The content is made up: half text-like, half random.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = 3000
PRATIQUE = [sys.executable, "-m", "pratique", "image"]


def make_service(folder: Path, megabytes: int) -> None:
    """Write files as large as `megabytes` together, the same every time."""
    source = random.Random(1)  # noqa: S311 - content, not a secret
    size = megabytes * 1_000_000 // FILES
    text = b"".join(
        b"def handler_%d(request): return respond(request, %d)\n" % (n, n * n) for n in range(2000)
    )
    for number in range(FILES):
        path = folder / f"package{number % 60}" / f"module{number}.py"
        path.parent.mkdir(exist_ok=True)
        body = (
            source.randbytes(size) if number % 2 else (text[number % 999 :] * (size // len(text) + 1))[:size]
        )
        path.write_bytes(body)


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command; give its seconds and the peak of its memory in MB, as the kernel counts it."""
    runner = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=False, capture_output=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", runner, *command], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - start, int(done.stdout) / 1024


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=150)
    arguments = parser.parse_args()
    print("| step | s | peak MB |")
    print("|---|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "service").mkdir()
        make_service(folder / "service", arguments.megabytes)
        service = str(folder / "service")
        rows = {
            "build, gzip": [*PRATIQUE, "build", service, "--output", str(folder / "image")],
            "build, no compression": [
                *PRATIQUE, "build", service, "--compression", "none", "--output", str(folder / "plain")
            ],
            "check": [*PRATIQUE, "check", str(folder / "image")],
        }  # fmt: skip
        for step, command in rows.items():
            seconds, peak = measure(command)
            print(f"| {step}, {arguments.megabytes} MB | {seconds:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
