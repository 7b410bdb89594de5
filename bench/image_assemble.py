"""A 150 MB service as an image: built and pushed to a local registry, beside buildah and crane.

Run: python bench/image_assemble.py [--megabytes N]. The content is made up: half text-like, half random. Two
layers: the service, and one small file that changes. The registry is Debian's docker-registry, on loopback;
buildah and crane (`PRATIQUE_CRANE`) are measured where they are. Times are the best of the rounds; ratios are
to pratique with gzip in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES = 3000
PRATIQUE = [sys.executable, "-m", "pratique", "image"]
BUILDAH = shutil.which("buildah")
CRANE = os.environ.get("PRATIQUE_CRANE")
REGISTRY = shutil.which("docker-registry")
Commands = list[list[str]]
Measured = tuple[float, float, float]


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


def measure(commands: Commands) -> Measured:
    """Run commands one after the other; give seconds, of the processor too, and the peak of memory in MB."""
    runner = (
        "import json, resource, subprocess, sys\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    done = subprocess.run(command, check=False, capture_output=True, text=True)\n"
        "    assert done.returncode == 0 or 'check' in command, (command, done.stderr)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )

    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", runner, json.dumps(commands)], check=False, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    processor, peak = done.stdout.split()
    return seconds, float(processor), int(peak) / 1024


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's registry on loopback."""
    assert REGISTRY
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/store}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n"
    )
    command = [REGISTRY, "serve", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def ours(folder: Path, host: str, number: int, compression: str = "gzip") -> Commands:
    """Build and push with pratique; a layout that is there keeps what it has."""
    layout = f"{folder}/ours-{compression}{number}"
    sources = [f"{folder}/service:/app", f"{folder}/config:/etc/app"]
    build = [*PRATIQUE, "build", *sources, "--output", layout, "--compression", compression]
    return [build, [*PRATIQUE, "push", layout, f"{host}/ours/{compression}{number}:v1"]]


def buildah(folder: Path, host: str, number: int) -> Commands:
    """Build and push with buildah, without a Dockerfile."""
    assert BUILDAH
    tool = [
        BUILDAH,
        "--root",
        f"{folder}/buildah{number}",
        "--runroot",
        f"{folder}/run{number}",
        "--storage-driver=vfs",
    ]
    name = f"service-{number}"
    return [
        [*tool, "from", "--name", name, "scratch"],
        [*tool, "copy", name, f"{folder}/service", "/app"],
        [*tool, "copy", name, f"{folder}/config", "/etc/app"],
        [*tool, "commit", "--timestamp=0", "--quiet", name, f"localhost/{name}"],
        [
            *tool,
            "push",
            "--quiet",
            "--tls-verify=false",
            f"localhost/{name}",
            f"docker://{host}/buildah/{number}:v1",
        ],
    ]


def crane(folder: Path, host: str, number: int) -> Commands:
    """Append two layers with crane, which takes archives: making them counts."""
    assert CRANE
    place = f"{host}/crane/{number}:v1"
    archives = [f"{folder}/{name}{number}.tar" for name in ("service", "config")]
    return [
        *(
            ["tar", "-C", f"{folder}/{name}", "-cf", file, "."]
            for name, file in zip(("service", "config"), archives, strict=True)
        ),
        [CRANE, "append", "--insecure", *(f"--new_layer={file}" for file in archives), "-t", place],
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if REGISTRY is None:
        sys.exit("docker-registry is not installed: apt-get install docker-registry")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "service").mkdir()
        (folder / "config").mkdir()
        make_service(folder / "service", arguments.megabytes)
        with registry(folder) as host:
            run(folder, host, arguments.megabytes, arguments.rounds)


def run(folder: Path, host: str, megabytes: int, rounds: int) -> None:
    """Measure each step, the contenders in turn within a round."""
    ways: dict[str, Callable[[int], Commands]] = {
        "pratique, gzip": lambda number: ours(folder, host, number),
        "pratique, zstd": lambda number: ours(folder, host, number, "zstd"),
    }
    if BUILDAH:
        ways["buildah"] = lambda number: buildah(folder, host, number)
    if CRANE:
        ways["crane (and tar)"] = lambda number: crane(folder, host, number)
    best: dict[str, Measured] = {}
    for number in range(rounds):
        (folder / "config" / "settings.toml").write_text(f"round = {number}\n")
        for way, commands in ways.items():
            seen = measure(commands(number))
            known = best.get(way, seen)
            best[way] = (min(known[0], seen[0]), min(known[1], seen[1]), max(known[2], seen[2]))
    (folder / "config" / "settings.toml").write_text("round = 'again'\n")
    build, push = ours(folder, host, 0)
    best["pratique, one small file changed: build"] = measure([build])
    newest = subprocess.run(build, check=True, capture_output=True, text=True).stdout.strip()
    best["pratique, one small file changed: push"] = measure([[*push[:-2], newest, push[-1]]])
    best["pratique check"] = measure([[*PRATIQUE, "check", newest]])
    print(f"| {megabytes} MB, cold, built and pushed | s | ratio | s of the processor | ratio | peak MB |")
    print("|---|---:|---:|---:|---:|---:|")
    reference = best["pratique, gzip"]
    for way, (seconds, processor, peak) in best.items():
        ratios = seconds / reference[0], processor / reference[1]
        print(f"| {way} | {seconds:.2f} | {ratios[0]:.2f} | {processor:.2f} | {ratios[1]:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
