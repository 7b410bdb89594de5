"""kill -9, at random moments and at every system call that matters: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pratique.journal.journal import Journal
from pratique.trust.bundle import parse_bundle
from pratique.trust.statement import parse_statement

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[[], Journal]

# Appends batches of 1 to 9 statements, and some of 70, until killed; prints "number index digest" of each.
# With a fourth argument it ends itself, as if killed, at the n-th call that changes the disk.
APPENDER = """
import hashlib, os, random, sqlite3, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pratique.journal.journal import Journal
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed
from pratique.trust.statement import Statement, Subject

home, first, count, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
calls = 0

def counted(original):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls == limit:
            os._exit(9)
        return original(*arguments, **named)
    return call

def signed(number):
    subject = Subject(f"artifact-{number}", {"sha256": hashlib.sha256(b"%d" % number).hexdigest()})
    payload = Statement((subject,), "https://example.com/a/v1", {"number": number}).encode()
    return Signed(payload, PAYLOAD_TYPE, b"signature %d" % number, None, b"key", b"timestamp")

key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
if limit:
    class Connection(sqlite3.Connection):
        execute = counted(sqlite3.Connection.execute)
        executemany = counted(sqlite3.Connection.executemany)
    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, factory=Connection, **k)
    for name in ("fsync", "open", "mkdir", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    Path.replace, Path.unlink, Path.mkdir = map(counted, (Path.replace, Path.unlink, Path.mkdir))
journal = Journal.open(home, log_key=key, origin="log.example.com", blobs=BlobStore(home / "blobs"))
chance = random.Random(first)
number = first
while number < first + count:
    batch = list(range(number, number + chance.choice([1, 2, 3, 5, 8, 9, 70])))
    for item, recorded in zip(batch, journal.append([signed(n) for n in batch])):
        print(item, recorded.index, recorded.digest.hex, flush=True)
    number += len(batch)
print("done", calls, flush=True)
"""


def appender(home: Path, first: int, count: int, limit: int = 0) -> subprocess.Popen[bytes]:
    """Start it; unbuffered, so that reading one line takes nothing from the rest."""
    arguments = [sys.executable, "-c", APPENDER, str(home), str(first), str(count), str(limit)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)


def check(journal: Journal, acknowledged: dict[int, tuple[int, str]], home: Path) -> None:
    """See that all acknowledged entries are where they were said to be, and that the whole log holds."""
    size = journal.verify().size
    references = {ref.index: ref for ref in journal.find()}
    assert sorted(references) == list(range(size))
    for number, (index, digest) in acknowledged.items():
        assert references[index].digest.hex == digest
        statement = parse_statement(parse_bundle(journal.get(references[index].digest)).payload)
        assert statement.predicate == {"number": number}
    before = journal.index.dump()
    journal.rebuild_index()
    assert journal.index.dump() == before
    assert list(home.rglob(".tmp-*")) == []


def collect(output: bytes, acknowledged: dict[int, tuple[int, str]]) -> None:
    for line in output.decode().split("\n")[:-1]:  # a line cut off by the kill was not acknowledged
        if not line.startswith("done"):
            number, index, digest = line.split()
            acknowledged[int(number)] = (int(index), digest)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path, opener: Open) -> None:
    chance = random.Random(2026)  # noqa: S311 - test data
    acknowledged: dict[int, tuple[int, str]] = {}
    for turn in range(60):
        process = appender(tmp_path, turn * 1_000_000, 1_000_000)
        assert process.stdout
        first = process.stdout.readline() if turn % 3 else b""  # a third is killed while opening
        time.sleep(chance.uniform(0, 0.06))
        process.kill()
        rest, errors = process.communicate()
        assert process.returncode == -9, errors
        collect(first + rest, acknowledged)
        if turn % 15 == 14:
            journal = opener()
            check(journal, acknowledged, tmp_path)
            journal.close()
    assert len(acknowledged) > 60


@pytest.mark.slow
def test_killed_at_every_step_of_opening_and_appending(tmp_path: Path, opener: Open) -> None:
    """Each run dies at a later step than the one before, on the home that the dead ones left behind."""
    acknowledged: dict[int, tuple[int, str]] = {}
    limit, died = 1, 0
    while True:
        process = appender(tmp_path, limit * 1000, 80, limit)
        output, errors = process.communicate()
        collect(output, acknowledged)
        if process.returncode == 0:
            break
        assert process.returncode == 9, errors
        died += 1
        limit += 7
    assert died >= 10
    check(opener(), acknowledged, tmp_path)


def test_two_processes_append_at_once(tmp_path: Path, opener: Open) -> None:
    processes = [appender(tmp_path, start, 60) for start in (0, 1000, 2000)]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    acknowledged: dict[int, tuple[int, str]] = {}
    for output, _ in outputs:
        collect(output, acknowledged)
    journal = opener()
    indexes = [index for index, _ in acknowledged.values()]
    assert sorted(indexes) == list(range(journal.head().size))
    check(journal, acknowledged, tmp_path)


def test_reader_is_never_disturbed_by_a_writer(tmp_path: Path, opener: Open) -> None:
    writer = appender(tmp_path, 0, 400)
    assert writer.stdout
    writer.stdout.readline()
    seen = 0
    while writer.poll() is None:
        reader = opener()
        size = reader.head().size
        assert size >= seen
        assert len(list(reader.entries(0, size))) == size
        assert len(reader.prove_inclusion(size - 1, size)) < 10
        reader.find()
        reader.close()
        seen = size
    writer.communicate()
    assert os.WEXITSTATUS(writer.returncode << 8) == 0
