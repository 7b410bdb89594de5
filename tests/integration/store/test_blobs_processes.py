"""Several processes on one blob store, and writers that are killed in the middle."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pratique.store.blobs import BlobStore

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from pratique.store.blobs import BlobStore
store = BlobStore(Path(sys.argv[1]))
first, last = int(sys.argv[2]), int(sys.argv[3])
for n in range(first, last):
    print(store.put(b"%d" % n * 2000).hex, flush=True)
"""


def writer(root: Path, first: int, last: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", WRITER, str(root), str(first), str(last)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, bufsize=0)


def test_writers_of_the_same_blobs_agree(tmp_path: Path) -> None:
    writers = [writer(tmp_path, 0, 40) for _ in range(3)]
    printed = [process.communicate()[0].split() for process in writers]
    assert [process.returncode for process in writers] == [0, 0, 0]
    assert printed[0] == printed[1] == printed[2]
    store = BlobStore(tmp_path)
    assert sorted(store.get(digest) for digest in store) == sorted(b"%d" % n * 2000 for n in range(40))


def test_killed_writers_lose_nothing_acknowledged_and_leave_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - test data
    acknowledged: list[bytes] = []
    for turn in range(8):
        process = writer(tmp_path, turn * 10_000, turn * 10_000 + 10_000)
        assert process.stdout
        acknowledged.append(process.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        acknowledged += process.communicate()[0].split(b"\n")[:-1]
    store = BlobStore(tmp_path)
    store.clean()
    blobs = {digest.hex: store.get(digest) for digest in store}
    assert {line.decode() for line in acknowledged} <= set(blobs)
    assert list(tmp_path.rglob(".tmp-*")) == []
