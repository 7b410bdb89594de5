"""The processes that can be seen, and which of them belong to the job that measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.runner.probe import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.runner.probe import Probe

_INIT = 1


class Process(msgspec.Struct, frozen=True):
    """One process, by /proc/PID/status; `uid` is the effective one."""

    pid: int
    parent: int
    uid: int
    name: str


def processes(probe: Probe) -> dict[int, Process]:
    """Give every process that can be seen, by number.

    Raises:
        UnreadableError: /proc cannot be listed, or shows none.
    """
    found = {}
    for entry in probe.list("/proc"):
        if not entry.isdecimal():
            continue
        try:
            text = probe.read(f"/proc/{entry}/status")
        except UnreadableError:
            continue  # ended since it was listed
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        found[int(entry)] = Process(
            int(entry), int(fields["PPid"]), int(fields["Uid"].split()[1]), fields["Name"].strip()
        )
    if not found:
        raise UnreadableError("/proc", "shows no process")
    return found


def job_of(table: Mapping[int, Process], pid: int) -> set[int]:
    """Give a process's job: its ancestors, and all that descends from its topmost one of the same user.

    Process 1 adopts what others leave behind, so descent from it proves nothing.
    """
    ancestors = [pid]
    while (parent := table.get(table[ancestors[-1]].parent)) and parent.pid not in ancestors:
        ancestors.append(parent.pid)
    own = [number for number in ancestors if table[number].uid == table[pid].uid and number != _INIT]
    job = {own[-1] if own else pid}
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    pending = list(job)
    while pending:
        new = [child for child in children.get(pending.pop(), ()) if child not in job]
        job.update(new)
        pending.extend(new)
    return job.union(ancestors)
