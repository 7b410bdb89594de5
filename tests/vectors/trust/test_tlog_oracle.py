"""Our proofs, checkpoints and their verification, beside golang.org/x/mod/sumdb and transparency-dev/merkle.

aics-tlog, another implementation in Python, needs Python 3.12 and so is not compared here.
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import EvidenceInvalidError
from pratique.testing.authority import consistency_path, inclusion_path, tree_root
from pratique.trust.merkle import leaf_hash, verify_consistency, verify_inclusion
from pratique.trust.note import Checkpoint, sign_checkpoint, verify_checkpoint

ORACLE = os.environ.get("PRATIQUE_TLOG_ORACLE", "")
needs_oracle = pytest.mark.skipif(
    not ORACLE, reason="set PRATIQUE_TLOG_ORACLE to requirements/go/tlogoracle's program"
)
pytestmark = [pytest.mark.interop, needs_oracle]

LEAVES = [leaf_hash(str(number).encode()) for number in range(130)]
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"a log's key").digest())


def _oracle(claims: list[dict[str, Any]]) -> list[tuple[bool, bool]]:
    lines = "".join(
        json.dumps(claim, default=lambda raw: base64.b64encode(raw).decode()) + "\n" for claim in claims
    )
    done = subprocess.run([ORACLE], input=lines, check=True, capture_output=True, text=True)
    answers = [tuple(word == "true" for word in line.split()) for line in done.stdout.splitlines()]
    assert len(answers) == len(claims)
    return answers  # type: ignore[return-value] # two words a line, by the program's own words


def _ours(claim: dict[str, Any]) -> bool:
    try:
        if claim["kind"] == "inclusion":
            verify_inclusion(claim["leaf"], claim["index"], claim["size"], claim["hashes"], claim["root"])
        elif claim["kind"] == "consistency":
            verify_consistency(claim["first"], claim["old"], claim["size"], claim["root"], claim["hashes"])
        else:
            verify_checkpoint(claim["note"], "log.example", KEY.public_key())
    except EvidenceInvalidError:
        return False
    return True


def _spoiled(claim: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Change one thing: a hash, its place, the size, the index or a root."""
    changed = {**claim, "hashes": list(claim["hashes"])}
    what = chance.choice(["hash", "drop", "add", "size", "root", "index"])
    if what == "hash" and changed["hashes"]:
        at = chance.randrange(len(changed["hashes"]))
        changed["hashes"][at] = sha256(changed["hashes"][at]).digest()
    elif what == "drop" and changed["hashes"]:
        changed["hashes"].pop(chance.randrange(len(changed["hashes"])))
    elif what == "size":
        changed["size"] += chance.choice([-1, 1])
    elif what == "index" and claim["kind"] == "inclusion":
        changed["index"] = (changed["index"] + 1) % changed["size"]
    elif what == "root":
        changed["root"] = sha256(changed["root"]).digest()
    else:
        changed["hashes"].append(bytes(32))
    return changed


def test_inclusion_and_consistency() -> None:
    chance = random.Random(20261126)  # noqa: S311 - repeatable cases, no secret
    claims: list[dict[str, Any]] = []
    for _ in range(300):
        size = chance.randrange(1, len(LEAVES) + 1)
        tree, index, first = LEAVES[:size], chance.randrange(size), chance.randrange(1, size + 1)
        root = tree_root(tree)
        sound: list[dict[str, Any]] = [
            {"kind": "inclusion", "leaf": tree[index], "index": index, "size": size, "root": root}
            | {"hashes": inclusion_path(tree, index)},
            {
                "kind": "consistency",
                "first": first,
                "old": tree_root(tree[:first]),
                "size": size,
                "root": root,
            }
            | {"hashes": consistency_path(tree, first)},
        ]
        claims += [*sound, *(_spoiled(claim, chance) for claim in sound)]
    answers = _oracle(claims)
    assert sum(all(answer) for answer in answers) >= 600
    assert sum(not any(answer) for answer in answers) > 500
    for claim, answer in zip(claims, answers, strict=True):
        assert answer == (_ours(claim),) * 2, claim


def test_checkpoints() -> None:
    public = KEY.public_key().public_bytes_raw()
    name_hash = sha256(b"log.example\n\x01" + public).digest()[:4].hex()
    vkey = f"log.example+{name_hash}+{base64.b64encode(bytes([1]) + public).decode()}"
    note = sign_checkpoint(Checkpoint("log.example", 7, bytes(32)), KEY)
    notes = [note, note.replace("\n7\n", "\n8\n"), note[:-4] + note[-3:], note.replace("—", "-"), note + "\n"]
    claims: list[dict[str, Any]] = [{"kind": "note", "note": one, "key": vkey} for one in notes]
    assert (
        _oracle(claims) == [(_ours(claim),) * 2 for claim in claims] == [(True, True)] + [(False, False)] * 4
    )
