"""Limits for a whole job at once, where this machine lets us make a control group.

An ordinary user without a delegated hierarchy has none; the limits of each process (rlimits) then stand
alone, and `Isolation.resource_limits` says so.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.sandbox.job import Limits

_ROOT = Path("/sys/fs/cgroup")


class Group:
    """The control groups of one job: a directory in each hierarchy that could be had."""

    def __init__(self, paths: dict[str, Path], enforced_by: dict[str, str]) -> None:
        self.enforced_by = enforced_by
        self._paths = paths

    def add(self, pid: int) -> None:
        """Move a process, and with it all that it will start, into the group.

        Raises:
            OSError: the kernel refuses.
        """
        for path in set(self._paths.values()):
            (path / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def control_group(limits: Limits, root: Path = _ROOT) -> Iterator[Group]:
    """Make a group with these limits in every hierarchy that allows it, and remove it afterwards."""
    name = f"pratique-{secrets.token_hex(6)}"
    group = _unified(root, name, limits) or _legacy(root, name, limits)
    try:
        yield group
    finally:
        for path in set(group._paths.values()):  # noqa: SLF001 - the two are one thing
            _remove(path)


def _unified(root: Path, name: str, limits: Limits) -> Group | None:
    """Version 2: a group below our own, if it was delegated to us with both controllers on."""
    own = _own_groups().get("")
    if own is None or not (root / "cgroup.controllers").exists():
        return None
    # A group with processes of its own cannot hand controllers down, so the new one is its sibling.
    parent = (root / own.lstrip("/")).parent if own != "/" else root
    with contextlib.suppress(OSError):
        if {"memory", "pids"} <= set((parent / "cgroup.subtree_control").read_text().split()):
            path = parent / name
            path.mkdir()
            settings = {"pids.max": limits.processes, "memory.max": limits.memory_bytes, "memory.swap.max": 0}
            if _write(path, settings):
                kinds = {"processes": "cgroup-v2", "memory": "cgroup-v2"}
                return Group({"processes": path, "memory": path}, kinds)
            _remove(path)
    return None


def _legacy(root: Path, name: str, limits: Limits) -> Group:
    """Version 1: one hierarchy for each controller."""
    paths, own = {}, _own_groups()
    wanted = {
        "pids": ("processes", {"pids.max": limits.processes}),
        "memory": ("memory", {"memory.limit_in_bytes": limits.memory_bytes}),
    }
    for controller, (what, settings) in wanted.items():
        path = root / controller / own.get(controller, "/").lstrip("/") / name
        with contextlib.suppress(OSError):
            path.mkdir()
            if _write(path, settings):
                paths[what] = path
            else:
                _remove(path)
    return Group(
        paths, {what: "cgroup-v1" if what in paths else "rlimit" for what in ("processes", "memory")}
    )


def _own_groups() -> dict[str, str]:
    """Our own group in each hierarchy, by controller; version 2 is the empty name (cgroups(7))."""
    groups = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _write(path: Path, settings: dict[str, int]) -> bool:
    with contextlib.suppress(OSError):
        for name, value in settings.items():
            if name != "memory.swap.max" or (path / name).exists():
                (path / name).write_text(str(value))
        return True
    return False


def _remove(path: Path) -> None:
    """Remove a group; it stays busy for a moment until the kernel has reaped its last process."""
    for _ in range(50):
        try:
            os.rmdir(path)  # noqa: PTH106 - a group is not a directory of files
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return
