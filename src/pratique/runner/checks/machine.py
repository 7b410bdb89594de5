"""The machine as a whole: ways to root, how it started, how old it is, and who watches it."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pratique.model.finding import Result, Severity
from pratique.model.support import end_of_support
from pratique.runner import drift
from pratique.runner.baseline import search_path
from pratique.runner.check import Check, Outcome, Profile, judge, not_applicable
from pratique.runner.context import os_release
from pratique.runner.probe import UnreadableError
from pratique.runner.processes import processes
from pratique.runner.sudo import rules_without_password

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_EFI = "/sys/firmware/efi"
_SECURE_BOOT = f"{_EFI}/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_LOCKDOWN = "/sys/kernel/security/lockdown"
_ROOTS_OF_TRUST = ("/dev/tpmrm0", "/dev/sev-guest", "/dev/tdx_guest")
_PACKAGE_STATE = (
    "/var/lib/dpkg/status",
    "/lib/apk/db/installed",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/var/lib/pacman/local",
)
_MOST_AGE = timedelta(days=90)
_MONITORS = (
    "auditd cicd-sensor falco falcon-sensor harden-runner kubearmor osqueryd ossec-agentd sysdig tetragon "
    "tracee tracee-ebpf wazuh-agentd wdavdaemon"
)


def _ways_to_root(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = [
        f"{folder}/{name} is setuid, and others can write it"
        for folder in search_path(probe)
        for name, status in probe.scan(folder).items()
        if stat.S_ISREG(status.st_mode) and status.st_mode & stat.S_ISUID and status.st_mode & _OTHERS_WRITE
    ]
    problems += drift.setuid_changes(probe)
    if int(probe.status_field("Uid").split()[1]) == 0:
        return judge(problems, "runs as root already; setuid programs are in order")
    try:
        problems += [f"sudo without a password: {rule}" for rule in rules_without_password(probe)]
    except UnreadableError:
        if not problems:
            raise
    return judge(problems, "no sudo without a password")


def _boot(probe: Probe, profile: Profile) -> Outcome:
    if profile.contained:
        return not_applicable("a container does not boot: ask the host")
    devices = [path for path in _ROOTS_OF_TRUST if probe.exists(path)]
    there = f"; {' '.join(devices)} there, its word not verified here" if devices else ""
    if not probe.exists(_EFI):
        return judge(
            [] if devices else ["no UEFI, TPM or confidential-computing device: nothing measures the boot"],
            f"no UEFI{there}",
        )
    if not probe.read_bytes(_SECURE_BOOT).endswith(b"\1"):
        return judge([f"Secure Boot is off{there}"], "", location=_SECURE_BOOT)
    locked = re.search(r"\[(\w+)\]", probe.read(_LOCKDOWN))
    if locked is None:
        raise ValueError(f"no mode chosen in {_LOCKDOWN}")
    return judge(
        ["the kernel is not locked down: root can replace it while it runs"] if locked[1] == "none" else [],
        f"Secure Boot is on, lockdown {locked[1]}{there}",
    )


def _age(probe: Probe, profile: Profile) -> Outcome:
    del profile
    release = os_release(probe)
    name = release.get("PRETTY_NAME") or "the operating system"
    today = probe.clock()
    problems, unknown = [], []
    end = end_of_support(release)
    if end is None:
        unknown.append(f"until when {name} is supported is not known here")
    elif end < today.date():
        problems.append(f"{name} gets no updates since {end}")
    changed = [status.st_mtime for path in _PACKAGE_STATE if (status := probe.stat(path))]
    if not changed:
        unknown.append("no package database of a known kind")
    elif (age := today - datetime.fromtimestamp(max(changed), UTC)) > _MOST_AGE:
        problems.append(f"no package was updated for {age.days} days")
    if unknown and not problems:
        return Outcome(Result.UNKNOWN, "; ".join(unknown))
    return judge(problems, f"{name} is supported until {end}, its packages are recent")


def _monitor(probe: Probe, profile: Profile) -> Outcome:
    names = {process.name for process in processes(probe).values()}
    # The kernel cuts names off after 15 bytes.
    found = sorted(name for name in _MONITORS.split() if name[:15] in names)
    if found:
        return Outcome(Result.PASS, f"{' '.join(found)} runs")
    if profile.contained:
        return Outcome(Result.UNKNOWN, "none in this container; one on the host cannot be seen from here")
    return judge(["none of the usual monitors runs"], "")


CHECKS = (
    Check(
        id="HST-25",
        title="Ways to root",
        whole=Severity.HIGH,
        contained=Severity.HIGH,
        fix="build as a user without sudo rules; remove setuid programs that are not needed",
        look=_ways_to_root,
    ),
    Check(
        id="HST-27",
        title="Measured start",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="turn Secure Boot and kernel lockdown on, or use machines with a TPM or confidential computing",
        look=_boot,
    ),
    Check(
        id="HST-29",
        title="Age and support",
        whole=Severity.MEDIUM,
        contained=Severity.MEDIUM,
        fix="update the packages, and move to a supported release",
        look=_age,
    ),
    Check(
        id="MON-38",
        title="A run-time monitor",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="run one on the host, for example auditd, Falco or Tetragon",
        look=_monitor,
    ),
)
