"""kill -9 between remembering a head and signing it: nothing is lost, and no second head can be signed."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import EvidenceInvalidError
from pratique.journal.addcheckpoint import Request
from pratique.journal.witness import Witness
from pratique.trust.cosignature import verify_cosigned
from pratique.trust.note import Checkpoint, sign_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.from_private_bytes(b"\5" * 32)
LOGS = {"log.example": [KEY.public_key()]}
NOTE = sign_checkpoint(Checkpoint("log.example", 1, b"\1" * 32), KEY)
FORK = sign_checkpoint(Checkpoint("log.example", 1, b"\2" * 32), KEY)

# Kills itself at the n-th call of one function: cosign comes between the two calls of write_atomic.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pratique.journal import witness as module
from pratique.journal.addcheckpoint import Request
folder, note, name, calls = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
real, left = getattr(module, name), [calls]
def dies(*given):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
setattr(module, name, dies)
key = Ed25519PrivateKey.from_private_bytes(b"\\5" * 32)
logs = {"log.example": [key.public_key()]}
module.Witness.open(folder).cosign(Request(0, (), note), logs, lambda: datetime(2026, 1, 1, tzinfo=UTC))
"""


def ask(witness: Witness, note: str) -> str:
    return witness.cosign(Request(None, (), note), LOGS, lambda: datetime(2026, 1, 2, tzinfo=UTC)).checkpoint


@pytest.mark.parametrize(("name", "calls"), [("cosign", 1), ("write_atomic", 1), ("write_atomic", 2)])
def test_killed_before_it_answered(tmp_path: Path, name: str, calls: int) -> None:
    witness = Witness.create(tmp_path / "w", "w.example")
    command = [sys.executable, "-c", KILLED, str(witness.folder), NOTE, name, str(calls)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert not (witness.folder / "checkpoints").exists()
    again = Witness.open(witness.folder)
    if (name, calls) != ("write_atomic", 1):  # the head was remembered
        with pytest.raises(EvidenceInvalidError, match="FORK"):
            ask(again, FORK)
    verify_cosigned(ask(again, NOTE), [witness.vkey], 1)
    with pytest.raises(EvidenceInvalidError, match="FORK"):
        ask(again, FORK)
