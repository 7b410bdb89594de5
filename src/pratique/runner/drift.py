"""What changed since the baseline, named (pure but for reading the machine through its probe)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.runner import baseline as now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.runner.probe import Probe

_SHOWN = 8


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Name what is new, gone or changed between two maps."""
    found = [f"new: {key} ({after[key]})" for key in sorted(after.keys() - before.keys())]
    found += [f"gone: {key}" for key in sorted(before.keys() - after.keys())]
    found += [
        f"changed: {key} ({before[key]} → {after[key]})"
        for key in sorted(before.keys() & after.keys())
        if before[key] != after[key]
    ]
    return since_baseline(found)


def tool_changes(probe: Probe) -> tuple[list[str], list[str]]:
    """Name the tools that are others than recorded, and those that could not be compared."""
    baseline = probe.baseline
    if baseline is None:
        return [], []
    found, unread = [], []
    current = now.tools(probe, now.search_path(probe))
    for name in sorted(baseline.tools.keys() | current.keys()):
        old, new = baseline.tools.get(name), current.get(name)
        if old is None or new is None:
            found.append(f"new: {new.path}" if new else f"gone: {name}")
        elif old.sha256 is None or new.sha256 is None:
            unread.append(new.path)
        elif old.sha256 != new.sha256:
            found.append(f"changed: {new.path} (sha256 {old.sha256[:12]} → {new.sha256[:12]})")
        elif old.path != new.path:
            found.append(f"moved: {old.path} → {new.path}")
    return since_baseline(found), unread


def command_changes(probe: Probe) -> list[str]:
    """Name the commands that came or went, in folders that are on the search path then and now."""
    baseline = probe.baseline
    if baseline is None:
        return []
    shared = tuple(folder for folder in now.search_path(probe) if folder in baseline.commands)
    found = []
    for folder, names in now.commands(probe, shared).items():
        before = set(baseline.commands[folder])
        found += [f"new: {folder}/{name}" for name in sorted(set(names) - before)]
        found += [f"gone: {folder}/{name}" for name in sorted(before - set(names))]
    return since_baseline(found)


def setuid_changes(probe: Probe) -> list[str]:
    """Name the setuid programs that are new, gone or changed."""
    if probe.baseline is None:
        return []
    return changes(probe.baseline.setuid, now.setuid(probe, now.search_path(probe)))


def sysctl_changes(probe: Probe) -> list[str]:
    """Name the kernel settings that differ; one that only one side could read is none of them."""
    if probe.baseline is None:
        return []
    before, after = probe.baseline.sysctls, now.sysctls(probe)
    return changes(
        {key: before[key] for key in before.keys() & after.keys()},
        {key: after[key] for key in before.keys() & after.keys()},
    )


def account_changes(probe: Probe) -> list[str]:
    """Name the accounts that are new, gone or changed."""
    return [] if probe.baseline is None else changes(probe.baseline.accounts, now.accounts(probe))


def path_changes(probe: Probe) -> list[str]:
    """Say whether the search path has other folders, or another order."""
    if probe.baseline is None:
        return []
    before, after = probe.baseline.path, now.search_path(probe)
    if before == after:
        return []
    named = changes(dict.fromkeys(before, "on PATH"), dict.fromkeys(after, "on PATH"))
    return named or ["since the baseline: the order of the folders changed"]


def since_baseline(found: list[str]) -> list[str]:
    """Put changes into one problem, the rest counted where there are many."""
    if not found:
        return []
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"since the baseline: {', '.join(found[:_SHOWN])}{more}"]
