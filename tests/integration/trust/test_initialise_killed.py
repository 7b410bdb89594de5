"""Kill the making of an authority after every single step it takes on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from pratique.testing.authority import SettableClock
from pratique.trust.authority.init import Authority, initialise

if TYPE_CHECKING:
    from pathlib import Path

# Kills itself with SIGKILL right before the n-th call that changes the disk.
CHILD = """
import os, signal, sys
from pathlib import Path
from pratique.testing.authority import SettableClock
from pratique.trust.authority.init import initialise

left = int(sys.argv[2])
def fatal(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

for name in ("mkdir", "fsync", "rename"):
    setattr(os, name, fatal(getattr(os, name)))
initialise(Path(sys.argv[1]), trust_domain="pratique.local", clock=SettableClock())
"""


def test_all_or_nothing_at_every_step(tmp_path: Path) -> None:
    outcomes = []
    for step in range(40):
        trust = tmp_path / str(step) / "trust"
        trust.parent.mkdir()
        code = subprocess.run([sys.executable, "-c", CHILD, str(trust), str(step)], check=False).returncode
        outcomes.append(code)
        if trust.exists():
            Authority.load(trust, SettableClock()).signer("builder")
        else:
            initialise(trust, trust_domain="pratique.local", clock=SettableClock())
            Authority.load(trust, SettableClock())
        assert os.listdir(trust.parent) == ["trust"]  # noqa: PTH208 - hidden leftovers count too
        if code == 0:
            break
    assert outcomes.count(-9) == len(outcomes) - 1
    assert outcomes[-1] == 0
    assert len(outcomes) > 10
