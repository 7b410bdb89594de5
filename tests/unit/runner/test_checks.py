"""Each check on a pretended machine: what passes, what fails, what is unknown, what does not apply."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pratique.model.finding import Finding, Result, Severity
from pratique.runner.check import Profile
from pratique.runner.help import help_of
from pratique.runner.table import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable

    Machine = Any  # the class in conftest.py, which cannot be imported

ME = os.getuid() or 1000  # as in conftest.py
BY_ID = {check.id: check for check in CHECKS}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkw.c2lnbmF0dXJlLXRleHQ"
WHOLE_ONLY_NA = ("ISO-01", "ISO-02", "ISO-03", "ISO-04", "ISO-06", "ISO-07", "ISO-08", "ISO-09", "HST-31")


def look(machine: Machine, identifier: str, profile: Profile = Profile.CONTAINER) -> Finding:
    return BY_ID[identifier].run(machine.probe(), profile)


def env(**variables: str) -> Callable[[Machine], None]:
    return lambda machine: machine.environ.update(variables)


def write(path: str, text: str) -> Callable[[Machine], None]:
    return lambda machine: machine.write(path, text)


def status(old: str, new: str) -> Callable[[Machine], None]:
    return lambda machine: machine.replace("/proc/self/status", old, new)


def mount(line: str) -> Callable[[Machine], None]:
    return lambda machine: machine.write(
        "/proc/self/mountinfo", f"1 0 0:5 / / rw - overlay overlay rw\n{line}\n"
    )


def allow(*paths: str) -> Callable[[Machine], None]:
    def change(machine: Machine) -> None:
        for path in paths:
            if not machine.at(path).exists():
                machine.write(path, "")
            machine.accessible.add(path)

    return change


def engine_socket(machine: Machine) -> None:
    machine.socket("/var/run/docker.sock")
    machine.accessible.add("/var/run/docker.sock")


def process(name: str, parent: int, uid: int) -> str:
    return f"Name:\t{name}\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"


def many(*changes: Callable[[Machine], None]) -> Callable[[Machine], None]:
    def change(machine: Machine) -> None:
        for each in changes:
            each(machine)

    return change


def program(path: str, mode: int = 0o755) -> Callable[[Machine], None]:
    return lambda machine: machine.program(path, "#!\n", mode)


def age(path: str, days: int) -> Callable[[Machine], None]:
    return lambda machine: machine.age(path, days)


def route(*lines: str) -> Callable[[Machine], None]:
    return write("/proc/net/route", "".join(f"{line}\n" for line in ("header", *lines)))


def remove(path: str) -> Callable[[Machine], None]:
    return lambda machine: machine.remove(path)


def deny(path: str) -> Callable[[Machine], None]:
    return lambda machine: machine.deny(path)


def folder(path: str, mode: int) -> Callable[[Machine], None]:
    return lambda machine: machine.folder(path, mode)


def clock(value: int | OSError) -> Callable[[Machine], None]:
    return lambda machine: setattr(machine, "clock", value)


def host_root(machine: Machine) -> None:
    mount("9 1 8:1 / /host rw - ext4 /dev/sda1 rw")(machine)
    machine.write("/host/etc/passwd", "")


VENDOR = "/sys/class/dmi/id/sys_vendor"
DEFAULT_ROUTE = "eth0 00000000 010200C0 0003 0 0 0 00000000 0"
LINK_LOCAL_ROUTE = "eth1 0000FEA9 00000000 0001 0 0 0 0000FFFF 0"
UNREACHABLE = "* FEA9FEA9 00000000 0205 0 0 0 FFFFFFFF 0"
EFI = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
SECURE_BOOT_ON = write(EFI, "\6\0\0\0\1")
LOCKDOWN = "/sys/kernel/security/lockdown"
LOCKED = write(LOCKDOWN, "none [integrity] confidentiality\n")
SUDOERS = "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n# build ALL=NOPASSWD: ALL\n"
NO_SUPPORT_END = write("/etc/os-release", 'ID=debian\nVERSION_ID="13"\n')
WHOLE_JUDGED = {"HST-27", "MON-38"}

FAILS = [
    ("SEC-14", write("/proc/60/environ", "TOKEN=x"), "auditd (pid 60, uid 0)"),
    ("NET-17", env(ECS_CONTAINER_METADATA_URI_V4="http://169.254.170.2/v4/x"), "METADATA_URI_V4 set"),
    ("NET-17", many(write(VENDOR, "Amazon EC2\n"), route(DEFAULT_ROUTE)), "by Amazon EC2, with a route"),
    ("NET-17", many(write(VENDOR, "Google\n"), route(LINK_LOCAL_ROUTE, DEFAULT_ROUTE)), "by eth1"),
    ("EPH-21", lambda machine: setattr(machine, "earlier_build", "b0"), "build b0 ran here"),
    ("EPH-21", write("/proc/stat", "btime 99999999999\n"), "older than the machine's start"),
    (
        "EPH-21",
        many(
            env(RUNNER_WORKSPACE="/r/_work/app"),
            write("/r/_diag/Worker_1.log", ""),
            write("/r/_diag/Worker_2.log", ""),
            write("/r/_work/x", ""),
        ),
        "logs tell of 2 jobs",
    ),
    ("EPH-22", write("/proc/70/status", process("miner", 1, ME)), "miner (pid 70)"),
    ("EPH-22", write("/proc/70/status", process("miner", 60, ME)), "miner (pid 70)"),
    (
        "EPH-24",
        folder("/home/build/.cache/pip", 0o777),
        "/home/build/.cache/pip can be written by others",
    ),
    ("EPH-24", many(folder("/c", 0o775), env(GOCACHE="/c/")), "/c can be written"),
    (
        "EPH-24",
        many(folder("/home/build/.m2", 0o755), lambda machine: machine.give_away("/home/build/.m2")),
        "/home/build/.m2 belongs to uid ",
    ),
    (
        "EPH-24",
        many(folder("/home/build/.m2", 0o755), mount("9 1 8:1 /m2 /home/build/.m2 rw - ext4 /dev/sdb rw")),
        "/home/build/.m2 is a volume (ext4)",
    ),
    (
        "HST-25",
        write("/etc/sudoers", SUDOERS + "build ALL=(ALL) NOPASSWD: ALL\n"),
        "build ALL=(ALL) NOPASSWD",
    ),
    ("HST-25", write("/etc/sudoers", SUDOERS + "build , other ALL = \\\n NOPASSWD: /bin/x\n"), "build,other"),
    (
        "HST-25",
        many(write("/etc/sudoers", ""), write("/etc/sudoers.d/a", "%#1000 ALL=NOPASSWD:ALL")),
        "%#1000",
    ),
    ("HST-25", write("/etc/sudoers", "ADMINS ALL=NOPASSWD:ALL"), "ADMINS"),
    ("HST-25", write("/etc/sudoers", "Defaults:build !authenticate"), "!authenticate"),
    ("HST-25", program("/usr/bin/x", 0o4777), "/usr/bin/x is setuid, and others can write it"),
    ("HST-27", many(), "nothing measures the boot"),
    ("HST-27", many(write(EFI, "\6\0\0\0\0"), write("/dev/tpmrm0", "")), "Secure Boot is off; /dev/tpmrm0"),
    ("HST-27", many(SECURE_BOOT_ON, write(LOCKDOWN, "[none] integrity")), "not locked down"),
    ("HST-29", write("/etc/os-release", "PRETTY_NAME=Old\nSUPPORT_END=2026-11-22\n"), "Old gets no updates"),
    ("HST-29", write("/etc/os-release", "ID=debian\nVERSION_ID=11\n"), "no updates since 2026-08-31"),
    ("HST-29", write("/etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n"), "no updates since 2026-04-01"),
    ("HST-29", age("/var/lib/dpkg/status", 91), "no package was updated for 91 days"),
    ("TOO-33", program("/usr/bin/curl"), "1 of 2 are in no package: /usr/bin/curl"),
    ("TOO-33", lambda machine: machine.link("/usr/bin/cc", "/opt/cc"), "/usr/bin/cc"),
    ("MON-38", remove("/proc/60/status"), "none of the usual monitors"),
    ("ISO-01", status("CapEff:\t0000000000000000", "CapEff:\t0000000000200000"), "SYS_ADMIN"),
    ("ISO-01", status("CapBnd:\t00000000000004fb", "CapBnd:\t000001ffffffffff"), "DAC_READ_SEARCH NET_ADMIN"),
    (
        "ISO-02",
        lambda machine: (
            machine.replace("/proc/self/status", f"Uid:\t{ME}\t{ME}", "Uid:\t0\t0"),
            machine.write("/proc/self/uid_map", "0 0 4294967295\n"),
        ),
        "no user namespace",
    ),
    ("ISO-03", status("NoNewPrivs:\t1\nSeccomp:\t2", "NoNewPrivs:\t0\nSeccomp:\t0"), "neither"),
    ("ISO-04", write("/proc/self/attr/current", "unconfined\n"), "unconfined"),
    ("ISO-05", engine_socket, "docker.sock can be written"),
    ("ISO-05", env(DOCKER_HOST="tcp://10.0.0.1:2375"), "without TLS"),
    ("ISO-05", status("Groups:\t1000", "Groups:\t1000 999"), "group docker"),
    ("ISO-06", mount("9 1 8:1 /etc /host-etc rw - ext4 /dev/sda1 rw"), "the host's /etc at /host-etc"),
    ("ISO-06", mount("9 1 8:1 /home/me/x /x rw - ext4 /dev/sda1 rw"), "/home/me/x"),
    ("ISO-06", mount("9 1 0:5 / /host/proc rw - proc proc rw"), "a second proc at /host/proc"),
    ("ISO-06", host_root, "a whole root file system at /host"),
    ("ISO-07", write("/proc/2/comm", "kthreadd\n"), "host's process table"),
    ("ISO-07", write("/proc/net/dev", "x\ny\n lo: 0\n docker0: 0\n veth12: 0\n"), "docker0 veth12"),
    ("ISO-08", allow("/dev/sda", "/dev/null", "/dev/kmsg"), "kmsg sda can be read"),
    ("ISO-09", allow("/proc/sys/kernel/core_pattern"), "core_pattern can be written"),
    ("ISO-09", allow("/sys/fs/cgroup/memory/release_agent"), "release_agent can be written"),
    ("ISO-10", write(TOKEN, "x"), "service account token"),
    ("SEC-11", env(NPM_TOKEN="abcdefgh"), "NPM_TOKEN (keyed hash "),
    ("SEC-11", env(AWS_SECRET_ACCESS_KEY="abcdefgh"), "AWS_SECRET_ACCESS_KEY"),
    ("SEC-11", env(AWS_ACCESS_KEY_ID="abcdefgh"), "AWS_ACCESS_KEY_ID"),
    ("SEC-11", env(HARMLESS=f"bearer {JWT}"), "HARMLESS"),
    ("SEC-11", env(NOTE="-----BEGIN EC PRIVATE KEY-----\nxx"), "NOTE"),
    ("SEC-11", env(NOTE="ghp_" + "a" * 36), "NOTE"),
    ("SEC-12", write("/home/build/.aws/credentials", ""), "~/.aws/credentials"),
    ("SEC-12", write("/home/build/.docker/config.json", '{"auths": {"r": {"auth": "eA=="}}}'), ".docker"),
    ("SEC-12", write("/home/build/.ssh/id_ed25519", ""), "~/.ssh/id_ed25519"),
    (
        "SEC-13",
        write("/work/.git/config", '[http "x"]\n\textraheader = AUTHORIZATION: basic eA==\n'),
        "keeps a",
    ),
    (
        "SEC-13",
        write("/work/.git/config", "[remote]\n\turl = https://me:pw@example.org/x\n"),
        "keeps a credential",
    ),
    ("SEC-15", write("/proc/sys/fs/suid_dumpable", "2"), "privileged programs"),
    (
        "SEC-15",
        lambda machine: (
            machine.write("/proc/self/limits", "Max core file size        unlimited   unlimited   bytes\n"),
            machine.write("/proc/sys/kernel/core_pattern", "/var/tmp/core.%p"),  # noqa: S108 - in the tree
        ),
        "shared folder",
    ),
    ("SEC-16", env(SSH_AUTH_SOCK="/run/agent"), "SSH_AUTH_SOCK"),
    ("SEC-16", env(COSIGN_PASSWORD="x"), "COSIGN_PASSWORD"),
    ("SEC-16", write("/home/build/.gnupg/private-keys-v1.d/A.key", ""), "~/.gnupg"),
    (
        "NET-18",
        write("/proc/net/route", "h\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n"),
        "IPv4 by eth0",
    ),
    (
        "NET-18",
        write("/proc/net/ipv6_route", f"{'0' * 32} 00 {'0' * 32} 00 {'f' * 32} 0 0 0 00000003 eth0\n"),
        "IPv6",
    ),
    ("NET-19", write("/proc/net/tcp", "h\n 0: 00000000:0016 00000000:0000 0A 0\n"), "port 22"),
    ("NET-19", write("/proc/net/tcp6", f"h\n 0: {'0' * 32}:1F90 {'0' * 32}:0000 0A 0\n"), "port 8080"),
    ("NET-20", env(https_proxy="http://u:p@proxy"), "https_proxy set"),
    ("NET-20", env(PIP_INDEX_URL="https://x"), "PIP_INDEX_URL"),
    ("NET-20", env(NODE_TLS_REJECT_UNAUTHORIZED="0"), "NODE_TLS_REJECT_UNAUTHORIZED=0"),
    ("EPH-23", env(LD_PRELOAD="/x.so"), "LD_PRELOAD"),
    ("EPH-23", write("/etc/ld.so.preload", "/x.so\n"), "/etc/ld.so.preload"),
    ("EPH-23", write("/home/build/.gitconfig", "[core]\n\thooksPath = /x\n"), "hooksPath"),
    ("HST-26", write("/proc/sys/kernel/kptr_restrict", "0"), "kernel.kptr_restrict=0, at least 1"),
    ("HST-28", write("/sys/devices/system/cpu/vulnerabilities/mds", "Vulnerable: no microcode"), "mds"),
    (
        "HST-30",
        write("/etc/passwd", "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n"),
        "toor is a second root",
    ),
    (
        "HST-30",
        write("/etc/passwd", "root:x:0:0::/:/bin/sh\nguest::5:5::/:/bin/sh\n"),
        "guest has no password",
    ),
    ("HST-31", write("/sys/fs/cgroup/pids.max", "max"), "no limit: pids"),
    (
        "HST-31",
        lambda machine: (
            machine.write("/proc/self/cgroup", "5:memory:/a\n4:pids:/a\n"),
            machine.write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712"),
            machine.write("/sys/fs/cgroup/pids/a/pids.max", "10"),
        ),
        "no limit: memory",
    ),
    ("TOO-32", env(PATH="/usr/bin:"), "relative entry ''"),
    ("TOO-32", env(PATH="bin:/usr/bin"), "relative entry 'bin'"),
    ("TOO-32", folder("/usr/bin", 0o777), "/usr/bin can be written by others"),
    ("TOO-35", status("Umask:\t0022", "Umask:\t0002"), "umask 0002 lets others write"),
    ("TOO-35", folder("/dev/shm", 0o777), "not sticky"),  # noqa: S108 - in the tree
    ("TOO-35", folder("/home/build", 0o777), "home directory"),
    ("TIM-36", clock(0x40), "not synchronised"),
    ("CI-37", env(CI="true", CI_DEBUG_TRACE="true"), "CI_DEBUG_TRACE is on"),
    (
        "CI-37",
        env(GITHUB_ACTIONS="true", RUNNER_ENVIRONMENT="self-hosted", GITHUB_EVENT_NAME="pull_request_target"),
        "pull_request_target",
    ),
]

UNKNOWNS = [
    ("SEC-14", status("Uid:", "Gone:")),
    ("NET-17", route(DEFAULT_ROUTE)),
    ("NET-17", remove("/proc/net/route")),
    ("NET-17", many(route(DEFAULT_ROUTE), deny(VENDOR))),
    ("EPH-21", remove("/proc/stat")),
    ("EPH-21", write("/proc/stat", "cpu 1\n")),
    ("EPH-22", status("Pid:\t100", "Pid:\t101")),
    ("EPH-22", write("/proc/60/status", "Name:\tx\n")),
    ("EPH-24", env(HOME="")),
    ("EPH-24", deny("/home/build/.npm")),
    ("HST-25", deny("/etc/sudoers")),
    ("HST-25", many(write("/etc/sudoers", ""), deny("/etc/sudoers.d/a"))),
    ("HST-25", many(write("/etc/sudoers", ""), write("/etc/passwd", ""), write("/etc/group", ""))),
    ("HST-27", write("/sys/firmware/efi/x", "")),
    ("HST-27", SECURE_BOOT_ON),
    ("HST-27", many(SECURE_BOOT_ON, write(LOCKDOWN, "?"))),
    ("HST-29", write("/etc/os-release", "ID=other\n")),
    ("HST-29", write("/etc/os-release", "SUPPORT_END=soon\n")),
    ("HST-29", remove("/etc/os-release")),
    ("HST-29", remove("/var/lib/dpkg/status")),
    ("TOO-33", remove("/var/lib/dpkg/info/make.list")),
    ("TOO-33", deny("/var/lib/dpkg/info/make.list")),
    ("MON-38", remove("/proc/60/status")),
    ("ISO-01", remove("/proc/self/status")),
    ("ISO-01", status("CapEff:\t0000000000000000", "CapEff:\tnonsense")),
    ("ISO-02", deny("/proc/self/uid_map")),
    ("ISO-03", status("Seccomp:\t2\n", "")),
    ("ISO-04", remove("/proc/self/attr/current")),
    ("ISO-04", write("/proc/self/attr/current", "\n")),
    ("ISO-05", deny("/etc/group")),
    ("ISO-05", deny("/run/docker.sock")),
    ("ISO-06", remove("/proc/self/mountinfo")),
    ("ISO-06", write("/proc/self/mountinfo", "1 2 3\n")),
    ("ISO-07", deny("/proc/2/comm")),
    ("ISO-07", remove("/proc/net/dev")),
    ("ISO-08", remove("/dev/null")),
    ("ISO-09", deny("/proc/sysrq-trigger")),
    ("ISO-10", deny(TOKEN)),
    ("SEC-12", env(HOME="")),
    ("SEC-12", deny("/home/build/.netrc")),
    ("SEC-13", deny("/work/.git/config")),
    ("SEC-15", remove("/proc/sys/fs/suid_dumpable")),
    ("SEC-15", write("/proc/self/limits", "")),
    ("SEC-16", env(HOME="relative")),
    ("NET-18", remove("/proc/net/route")),
    ("NET-18", deny("/proc/net/ipv6_route")),
    ("NET-18", write("/proc/net/route", "h\nbroken\n")),
    ("NET-19", remove("/proc/net/tcp")),
    ("NET-19", write("/proc/net/tcp", "h\n broken\n")),
    ("EPH-23", deny("/etc/ld.so.preload")),
    ("HST-26", remove("/proc/sys/kernel/yama/ptrace_scope")),
    ("HST-26", deny("/proc/sys/kernel/kptr_restrict")),
    ("HST-28", remove("/sys/devices/system/cpu/vulnerabilities/meltdown")),
    ("HST-30", remove("/etc/passwd")),
    ("HST-30", write("/etc/passwd", "broken\n")),
    ("HST-31", remove("/sys/fs/cgroup/memory.max")),
    ("TOO-32", deny("/opt/x")),
    ("TOO-35", status("Umask:\t0022\n", "")),
    ("TIM-36", clock(OSError(1, "Operation not permitted"))),
]


@pytest.mark.parametrize("identifier", [check.id for check in CHECKS])
def test_a_machine_in_good_order_never_fails(machine: Machine, identifier: str) -> None:
    finding = look(machine, identifier)
    unasked = {"ISO-10", "CI-37", "HST-27", "TOO-34"}
    expected = Result.NOT_APPLICABLE if identifier in unasked else Result.PASS
    assert (finding.result, finding.fix) == (expected, ""), finding.detail


@pytest.mark.parametrize(("identifier", "spoil", "says"), FAILS)
def test_fails(machine: Machine, identifier: str, spoil: Callable[[Machine], None], says: str) -> None:
    spoil(machine)
    finding = look(machine, identifier, Profile.VM if identifier in WHOLE_JUDGED else Profile.CONTAINER)
    assert finding.result is Result.FAIL, finding.detail
    assert says in finding.detail
    assert finding.fix


@pytest.mark.parametrize(("identifier", "spoil"), UNKNOWNS)
def test_absent_denied_and_strange_are_unknown(
    machine: Machine, identifier: str, spoil: Callable[[Machine], None]
) -> None:
    spoil(machine)
    machine.environ["PATH"] += ":/opt/x"
    finding = look(machine, identifier, Profile.VM if identifier == "HST-27" else Profile.CONTAINER)
    assert finding.result is Result.UNKNOWN, finding.detail
    assert finding.detail


def test_every_check_that_can_fail_is_tried() -> None:
    # What differs from a baseline is tried in test_baseline.py.
    assert {identifier for identifier, _, _ in FAILS} == set(BY_ID) - {"TOO-34"}
    # These look at the environment alone, which is always there.
    assert set(BY_ID) - {identifier for identifier, _ in UNKNOWNS} == {"SEC-11", "NET-20", "CI-37", "TOO-34"}


@pytest.mark.parametrize("identifier", WHOLE_ONLY_NA)
@pytest.mark.parametrize("profile", [Profile.VM, Profile.HOSTED])
def test_escape_routes_do_not_apply_to_a_whole_machine(
    machine: Machine, identifier: str, profile: Profile
) -> None:
    for spoiled, spoil, _ in FAILS:
        if spoiled == identifier:
            spoil(machine)
            break
    finding = look(machine, identifier, profile)
    assert (finding.result, finding.severity) == (Result.NOT_APPLICABLE, Severity.LOW)
    assert look(machine, identifier, Profile.KUBERNETES).result is Result.FAIL


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (many(SECURE_BOOT_ON, LOCKED), "Secure Boot is on, lockdown integrity"),
        (write("/dev/sev-guest", ""), "no UEFI; /dev/sev-guest there, its word not verified here"),
    ],
)
def test_a_measured_start_passes(machine: Machine, spoil: Callable[[Machine], None], says: str) -> None:
    spoil(machine)
    finding = look(machine, "HST-27", Profile.VM)
    assert (finding.result, finding.detail) == (Result.PASS, says)
    assert look(machine, "HST-27").result is Result.NOT_APPLICABLE


def test_root_cannot_tell_left_over_processes_from_the_systems_own(machine: Machine) -> None:
    for path in ("/proc/self/status", "/proc/100/status", "/proc/50/status"):
        machine.replace(path, f"Uid:\t{ME}\t{ME}\t{ME}\t{ME}", "Uid:\t0\t0\t0\t0")
    assert look(machine, "EPH-22", Profile.VM).result is Result.UNKNOWN
    left = look(machine, "EPH-22", Profile.CONTAINER)
    assert (left.result, left.detail) == (Result.FAIL, "same user, other job: auditd (pid 60)")
    machine.write("/proc/2/status", process("kthreadd", 0, 0))
    machine.write("/proc/60/status", process("kworker", 2, 0))
    assert look(machine, "EPH-22", Profile.CONTAINER).result is Result.PASS


def test_root_needs_no_sudo(machine: Machine) -> None:
    machine.replace("/proc/self/status", f"Uid:\t{ME}\t{ME}", "Uid:\t0\t0")
    machine.deny("/etc/sudoers")
    assert look(machine, "HST-25").result is Result.PASS


def test_a_network_volume_is_a_shared_cache_on_a_whole_machine_too(machine: Machine) -> None:
    machine.folder("/home/build/.cargo", 0o755)
    for kind, expected in (("ext4", Result.PASS), ("nfs4", Result.FAIL)):
        mount(f"9 1 8:1 / /home/build/.cargo/registry rw - {kind} x rw")(machine)
        assert look(machine, "EPH-24", Profile.VM).result is expected


def test_a_long_list_is_cut_and_counted(machine: Machine) -> None:
    for number in range(9):
        machine.program(f"/usr/bin/tool{number}")
        machine.write(f"/proc/7{number}/status", process("miner", 1, ME))
    assert look(machine, "TOO-33").detail.endswith("/usr/bin/tool7, and 1 more")
    assert look(machine, "EPH-22").detail.endswith("miner (pid 75), and 3 more")


def test_checks_that_have_nothing_to_look_at_do_not_apply(machine: Machine) -> None:
    assert look(machine, "CI-37").result is Result.NOT_APPLICABLE
    machine.environ["CI"] = "true"
    assert look(machine, "CI-37").result is Result.PASS
    assert look(machine, "ISO-10").result is Result.NOT_APPLICABLE
    assert look(machine, "ISO-10", Profile.KUBERNETES).result is Result.PASS
    machine.remove("/work/.git/config")
    machine.remove("/work/.git/HEAD")
    machine.at("/work/.git").rmdir()
    assert look(machine, "SEC-13").result is Result.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("identifier", "spoil"),
    [
        ("ISO-05", lambda machine: machine.socket("/var/run/docker.sock")),
        ("SEC-14", many(write("/proc/60/environ", ""), write("/proc/100/environ", "OWN=1"))),
        ("NET-17", many(write(VENDOR, "Amazon EC2\n"), route(UNREACHABLE, DEFAULT_ROUTE))),
        ("NET-17", many(write(VENDOR, "Amazon EC2\n"), route("eth0 0000A8C0 0 0001 0 0 0 0000FFFF 0"))),
        ("NET-17", many(write(VENDOR, "Google\n"), route(DEFAULT_ROUTE.replace(" 0003 ", " 0002 ")))),
        ("EPH-21", many(env(RUNNER_WORKSPACE="/r/_work/app"), write("/r/_diag/Worker_1.log", ""))),
        ("EPH-22", write("/proc/70/status", process("cc1", 100, ME))),
        ("EPH-22", write("/proc/70/status", process("tee", 50, ME))),
        ("EPH-22", write("/proc/70/status", process("systemd", 1, ME))),
        ("EPH-22", write("/proc/70/status", process("other", 1, ME + 1))),
        (
            "EPH-24",
            many(
                folder("/home/build/.m2", 0o755), mount("9 1 8:1 /m2 /home/build/.m2 ro - ext4 /dev/sdb ro")
            ),
        ),
        (
            "EPH-24",
            many(folder("/home/build/.m2", 0o755), mount("9 1 8:1 / /home/build/.m2x rw - nfs x:/ rw")),
        ),
        ("HST-25", write("/etc/sudoers", SUDOERS + "other ALL=(ALL) NOPASSWD: ALL\n")),
        ("HST-25", many(write("/etc/sudoers", ""), write("/etc/sudoers.d/a.bak", "build ALL=NOPASSWD:ALL"))),
        ("HST-25", program("/usr/bin/passwd", 0o4755)),
        (
            "HST-29",
            many(write("/etc/os-release", "SUPPORT_END=2026-11-23\n"), age("/var/lib/dpkg/status", 90)),
        ),
        ("HST-29", NO_SUPPORT_END),
        ("TOO-33", write("/usr/bin/readme.txt", "")),
        ("TOO-33", many(program("/opt/cc"), lambda machine: machine.link("/usr/bin/cc", "make"))),
        (
            "TOO-33",
            many(program("/bin/sh"), write("/var/lib/dpkg/info/dash.list", "/usr/bin/sh\n")),
        ),
        (
            "TOO-33",
            many(
                program("/usr/bin/sh.distrib"),
                write("/var/lib/dpkg/diversions", "/bin/sh\n/usr/bin/sh.distrib\ndash\n"),
            ),
        ),
        (
            "TOO-33",
            many(
                remove("/var/lib/dpkg/info/make.list"),
                write("/lib/apk/db/installed", "P:make\nF:usr\nF:usr/bin\nR:make\nZ:Q1\n"),
            ),
        ),
        ("ISO-05", env(DOCKER_HOST="tcp://10.0.0.1:2376", DOCKER_TLS_VERIFY="1")),
        ("ISO-06", mount("9 1 8:1 /var/lib/docker/containers/a/hosts /etc/hosts rw - ext4 /dev/sda1 rw")),
        ("ISO-06", mount("9 1 8:2 / /workspace rw - ext4 /dev/sdb rw")),
        ("ISO-06", mount("9 1 0:5 /sys /proc/sys ro - proc proc rw")),
        ("SEC-11", env(TOKEN_TTL="3600000", GIT_TOKEN="1", SECRET_FILE="/run/secret", PATH_TO_KEYS="/x")),
        ("SEC-12", write("/home/build/.docker/config.json", '{"credsStore": "desktop"}')),
        ("SEC-12", write("/home/build/.ssh/id_ed25519.pub", "")),
        ("SEC-13", write("/work/.git/config", "[remote]\n\turl = ssh://git@example.org:22/x\n")),
        (
            "NET-18",
            write("/proc/net/ipv6_route", f"{'0' * 32} 00 {'0' * 32} 00 {'f' * 32} 0 0 0 00200201 lo\n"),
        ),
        ("NET-19", write("/proc/net/tcp6", f"h\n 0: {'0' * 24}01000000:1F90 {'0' * 32}:0000 0A 0\n")),
        ("NET-19", write("/proc/net/tcp", "h\n 0: 0100A8C0:E000 0101A8C0:01BB 01 0\n")),
        ("NET-20", env(NODE_TLS_REJECT_UNAUTHORIZED="1", HTTPS_PROXY="")),
        ("TOO-32", env(PATH="/usr/bin:/absent")),
        ("CI-37", env(CI="true", CI_DEBUG_TRACE="false", GITHUB_EVENT_NAME="pull_request")),
    ],
)
def test_harmless_look_alikes_pass(
    machine: Machine, identifier: str, spoil: Callable[[Machine], None]
) -> None:
    spoil(machine)
    finding = look(machine, identifier)
    assert finding.result is Result.PASS, finding.detail


def test_a_secret_is_named_and_never_shown(machine: Machine) -> None:
    machine.environ |= {
        "DEPLOY_PASSWORD": "correct horse",
        "OTHER_PASSWORD": "correct horse",
        "HTTPS_PROXY": "http://me:correct horse@proxy",
        "COSIGN_PASSWORD": "correct horse",
    }
    machine.write("/work/.git/config", "[remote]\n\turl = https://me:correct horse@example.org/x\n")
    machine.write("/home/build/.netrc", "correct horse")
    findings = [check.run(machine.probe(), Profile.CONTAINER) for check in CHECKS]
    assert "correct horse" not in str(findings)
    marks = re.findall(r"(\w+)_PASSWORD \(keyed hash (\w{12})\)", look(machine, "SEC-11").detail)
    # HMAC-SHA-256 of the value under 32 bytes of "k", by `openssl dgst -sha256 -hmac`
    assert marks == [("COSIGN", "47ef6a115adc"), ("DEPLOY", "47ef6a115adc"), ("OTHER", "47ef6a115adc")]


def test_severity_follows_the_context(machine: Machine) -> None:
    assert look(machine, "ISO-05", Profile.CONTAINER).severity is Severity.CRITICAL
    assert look(machine, "ISO-05", Profile.KUBERNETES).severity is Severity.CRITICAL
    assert look(machine, "ISO-05", Profile.VM).severity is Severity.HIGH


def test_every_check_has_its_section_in_the_docs_and_every_section_its_check() -> None:
    page = (Path(__file__).parents[3] / "docs" / "runner-checks.md").read_text()
    assert re.findall(r"^### ([A-Z]+-\d+) ", page, re.MULTILINE) == [check.id for check in CHECKS]
    sections = {found[0]: found[1] for found in re.findall(r"^### (.+)\n([^#]+)", page, re.MULTILINE)}
    for check in CHECKS:
        written = sections[f"{check.id} {check.title}"].strip().split("\n\n")
        assert [" ".join(paragraph.split()) for paragraph in written] == help_of(check)
