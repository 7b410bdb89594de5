"""Tools: who vouches for what the search path offers."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pratique.model.finding import Result, Severity
from pratique.runner import drift
from pratique.runner.baseline import search_path
from pratique.runner.check import Check, Outcome, Profile, judge, not_applicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.runner.probe import Probe

_DPKG = "/var/lib/dpkg/info"
_DIVERSIONS = "/var/lib/dpkg/diversions"
_APK = "/lib/apk/db/installed"
_MOST_BYTES = 64 * 1024 * 1024
_SHOWN = 8


def _unowned(probe: Probe, profile: Profile) -> Outcome:
    del profile
    found = _programs(probe)
    owned = _owned(probe, {_unmerged(path) for links in found.values() for path in links})
    if owned is None:
        return Outcome(Result.UNKNOWN, "no package database of a kind that is read here (dpkg, apk)")
    left = sorted(path for path, links in found.items() if owned.isdisjoint(map(_unmerged, links)))
    more = f", and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return judge(
        [f"{len(left)} of {len(found)} are in no package: {', '.join(left[:_SHOWN])}{more}"] if left else [],
        f"all {len(found)} programs are a package's or the baseline's",
        location="PATH",
    )


def _programs(probe: Probe) -> dict[str, tuple[str, ...]]:
    """Give each program on the search path that the baseline does not list, with what it links to."""
    known = probe.baseline.commands if probe.baseline else {}
    found: dict[str, tuple[str, ...]] = {}
    for folder in search_path(probe):
        listed = frozenset(known.get(folder, ()))
        for name, status in probe.scan(folder).items():
            path = f"{folder}/{name}"
            if name in listed:
                continue
            if stat.S_ISLNK(status.st_mode):
                found[path] = (path, probe.follow(path))
            elif stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
                found[path] = (path,)
    return found


def _unmerged(path: str) -> bytes:
    """Take /usr off: packages list /bin/x or /usr/bin/x, as both are one folder since the merge of /usr."""
    return os.fsencode(path).removeprefix(b"/usr")


def _owned(probe: Probe, wanted: set[bytes]) -> set[bytes] | None:
    """Tell which of the paths a package lists; None without a package database that can be read."""
    if not wanted:
        return set()
    if lists := [name for name in probe.list(_DPKG) if name.endswith(".list")]:
        # A diverted file is listed under the name it would have without the diversion.
        diverted = probe.read_if_there(_DIVERSIONS).encode().split(b"\n")
        owned = wanted.intersection(line.removeprefix(b"/usr") for line in diverted)
        for name in lists:
            data = probe.read_bytes(f"{_DPKG}/{name}", _MOST_BYTES)
            if b"bin/" in data:  # most packages have no program, and need not be taken apart
                owned |= wanted.intersection(line.removeprefix(b"/usr") for line in data.split(b"\n"))
        return owned
    if probe.exists(_APK):
        return wanted.intersection(_apk_files(probe.read_bytes(_APK, _MOST_BYTES)))
    return None


def _apk_files(data: bytes) -> Iterator[bytes]:
    """Read apk's database: `F:` names a folder, `R:` a file in the folder named last (apk-installed(5))."""
    folder = b""
    for line in data.split(b"\n"):
        if line.startswith(b"F:"):
            folder = line[2:]
        elif line.startswith(b"R:"):
            yield (b"/" + folder + b"/" + line[2:]).removeprefix(b"/usr")


def _drift(probe: Probe, profile: Profile) -> Outcome:
    del profile
    if probe.baseline is None:
        return not_applicable("nothing to compare with: record this machine with `pratique runner baseline`")
    changed, unread = drift.tool_changes(probe)
    problems = changed + drift.command_changes(probe)
    if unread and not problems:
        return Outcome(Result.UNKNOWN, f"cannot be read: {' '.join(unread[:_SHOWN])}", "PATH")
    count = len(probe.baseline.tools)
    return judge(problems, f"{count} tools are those of {probe.baseline.recorded_at}", location="PATH")


CHECKS = (
    Check(
        id="TOO-33",
        title="Tools nobody vouches for",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="install them as packages, or vouch for them as they are with `pratique runner baseline`",
        look=_unowned,
    ),
    Check(
        id="TOO-34",
        title="Tools that changed",
        whole=Severity.CRITICAL,
        contained=Severity.CRITICAL,
        fix="find out why; if it was meant, record the machine anew with `pratique runner baseline`",
        look=_drift,
    ),
)
