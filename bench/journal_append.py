"""Durable appends a second by batch size, beside Tessera's POSIX storage, and the time of an inclusion proof.

Run: `python bench/journal_append.py [--folder DIR] [--large N]`. The folder's disk is what is measured; the
default is a temporary folder. Statements are small, of one subject, and not really signed. Tessera (the
program that PRATIQUE_TESSERA names, see .ci/peers.d) appends as many entries of our leaves' size and keeps
nothing else: no statement, no proof, no index. Its rate is until a published checkpoint covers the last one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.journal.journal import Journal
from pratique.journal.tiles import Tiles
from pratique.journal.tree import Frontier, HashTile, partial_tiles
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed
from pratique.trust.entry import leaf_of
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.statement import Statement, Subject

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
BATCHES = {1: 30, 100: 20, 1000: 8, 8192: 4}
PROOFS = 500
PORTION = 256 * 256


def statement(number: int) -> Signed:
    """Make a signed statement as large as a small one is: a certificate of 900 bytes, a token of 1,500."""
    subject = Subject(f"artifact-{number}", {"sha256": hashlib.sha256(b"%d" % number).hexdigest()})
    payload = Statement((subject,), "https://example.com/bench/v1", {"number": number}).encode()
    return Signed(payload, PAYLOAD_TYPE, b"s%071d" % number, bytes(900), None, bytes(1500))


def appends(folder: Path, batch: int, rounds: int) -> float:
    """Give durable appends a second, the journal warmed up with one append."""
    blobs = BlobStore(folder / "blobs")
    with Journal.open(folder, log_key=KEY, origin="log.example.com", blobs=blobs) as journal:
        journal.append([statement(0)])
        batches = [[statement(1 + turn * batch + n) for n in range(batch)] for turn in range(rounds)]
        start = time.perf_counter()
        for signed in batches:
            journal.append(signed)
        return batch * rounds / (time.perf_counter() - start)


def tessera(folder: Path, batch: int, rounds: int) -> float | None:
    """Give Tessera's appends a second, of as many entries in as large batches; None where it is not here."""
    program = os.environ.get("PRATIQUE_TESSERA")
    if program is None:
        return None
    leaf = len(leaf_of(statement(0)))
    command = [program, str(folder / "tessera"), str(batch), str(batch * rounds), str(leaf)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return batch * rounds / float(done.stdout)


def made_up_log(folder: Path, size: int) -> Frontier:
    """Write the hash tiles of `size` made-up leaves, some full tiles at a time; give the tree's edge."""
    frontier = Frontier()
    for start in range(0, size, PORTION):
        leaves = [leaf_hash(b"%d" % n) for n in range(start, min(size, start + PORTION))]
        frontier, full = frontier.extended(leaves)
        Tiles(folder).write(full, [])
    edge = [HashTile(t, frontier.levels[t.level]) for t in partial_tiles(size) if t.level is not None]
    Tiles(folder).write(edge, [])
    return frontier


def proof_times(folder: Path, size: int) -> tuple[list[float], list[float]]:
    """Give the seconds that inclusion proofs took first and repeated, in order, over such tiles."""
    frontier = made_up_log(folder, size)
    cold, warm = [], []
    for index in random.Random(1).sample(range(size), PROOFS):  # noqa: S311 - which entries are proven
        tiles = Tiles(folder)
        start = time.perf_counter()
        proof = tiles.prove_inclusion(index, size, published=size)
        middle = time.perf_counter()
        tiles.prove_inclusion(index, size, published=size)
        warm.append(time.perf_counter() - middle)
        cold.append(middle - start)
        verify_inclusion(leaf_hash(b"%d" % index), index, size, proof, frontier.root)
    return sorted(cold), sorted(warm)


def _row(what: str, taken: list[float]) -> str:
    median, most = taken[len(taken) // 2] * 1000, taken[len(taken) * 99 // 100] * 1000
    return f"| {what} | {median:.3f} | {most:.3f} |"


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to write; default a temporary folder")
    parser.add_argument("--large", type=int, default=1_000_000, help="entries of the log for proofs")
    arguments = parser.parse_args()
    print("| batch | durable appends/s | Tessera | ratio |")
    print("|---:|---:|---:|---:|")
    for batch, rounds in BATCHES.items():
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            ours, theirs = appends(Path(folder), batch, rounds), tessera(Path(folder), batch, rounds)
            peer = "| not here | |" if theirs is None else f"| {theirs:,.0f} | {ours / theirs:.2f} |"
            print(f"| {batch} | {ours:,.0f} {peer}", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        start = time.perf_counter()
        cold, warm = proof_times(Path(folder), arguments.large)
        taken = time.perf_counter() - start
    print()
    print(f"| inclusion proof, {arguments.large:,} entries; made in {taken:.0f} s | p50 ms | p99 ms |")
    print("|---|---:|---:|")
    print(_row("tiles read from files", cold))
    print(_row("tiles in the cache", warm))


if __name__ == "__main__":
    main()
