"""Kill a rotation after every single step it takes on disk: one root or the other is in force, never half."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from pratique.flow.rotate import Plan, rotate
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.digest import sha256_bytes
from pratique.report.audit.former import former_links
from pratique.testing.authority import START, SettableClock
from pratique.trust.note import verify_checkpoint
from pratique.trust.statement import Subject
from pratique.trust.succession import follow

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.model.digest import Digest

SUBJECT = Subject("app-1.whl", sha256_bytes(b"an artifact").digest_set)

# Kills itself with SIGKILL right before the n-th call that changes the disk.
CHILD = """
import datetime as dt, os, signal, sys
from pathlib import Path
from pratique.flow.rotate import Plan, rotate
from pratique.flow.workspace import Workspace
from pratique.testing.authority import START, SettableClock

clock = SettableClock(START + dt.timedelta(hours=1))
workspace = Workspace.open(Path(sys.argv[1]), clock=clock)
left = int(sys.argv[2])
def fatal(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

for name in ("mkdir", "fsync", "rename", "replace", "unlink", "rmdir", "link"):
    setattr(os, name, fatal(getattr(os, name)))
rotate(workspace, Plan())
Workspace.open(Path(sys.argv[1]), clock=clock)
"""


def claim(workspace: Workspace) -> None:
    recorded = workspace.record("builder", predicate.PROVENANCE, {"by": "a test"}, [SUBJECT])
    workspace.verify(recorded.digest)


def test_either_root_at_every_step(tmp_path: Path) -> None:
    clock = SettableClock()
    origin = tmp_path / "origin"
    old = init_trust(origin, trust_domain="pratique.local", clock=clock).fingerprint
    claim(Workspace.open(origin, clock=clock))
    outcomes: list[int] = []
    rotated: list[bool] = []
    for step in range(200):
        home = tmp_path / str(step)
        shutil.copytree(origin, home)
        command = [sys.executable, "-c", CHILD, str(home), str(step)]
        outcomes.append(subprocess.run(command, check=False).returncode)
        rotated.append(check(home, old))
        shutil.rmtree(home)
        if outcomes[-1] == 0:
            break
    assert outcomes.count(-9) == len(outcomes) - 1
    assert outcomes[-1] == 0
    assert len(outcomes) > 30
    assert sorted(rotated) == rotated  # there is one moment from which on the new root is in force
    assert {rotated[0], rotated[-1]} == {False, True}


def check(home: Path, old: Digest) -> bool:
    """See that everything works as if nothing had been cut off, and say whether the new root is in force."""
    clock = SettableClock(START + dt.timedelta(hours=2))
    workspace = Workspace.open(home, clock=clock)
    claim(workspace)
    was_rotated = workspace.root.fingerprint != old
    for found in workspace.journal.find():
        workspace.verify(found.digest)
    workspace.journal.verify()
    assert {path.name for path in (home / "trust").iterdir()} == {"keys", "trusted_root.json"}
    assert len(list((home / "trust" / "keys").iterdir())) == 4
    key = workspace.authority.log_key.public_key()
    verify_checkpoint(workspace.journal.checkpoint(), "pratique.local", key)

    clock.advance(hours=1)
    rotate(workspace, Plan(("ca", "log")))  # the same command again
    again = Workspace.open(home, clock=clock)
    links = former_links(again.root, journal=again.journal, blobs=again.blobs)
    assert len(follow(old, again.root.data, links)) == 1 + was_rotated
    return was_rotated
