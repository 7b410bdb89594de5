"""Rules about the merged file system: privileges, permissions, accounts, leftovers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.image.check.facts import Facts, NotApplicableError, Rule, Seen, shown
from pratique.image.check.rules.config import accounts
from pratique.image.member import Kind
from pratique.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pratique.image.member import Member
    from pratique.image.tree import Path

_FILES: Final = frozenset((Kind.FILE, Kind.HARDLINK))
_USUAL_SETUID: Final = frozenset(
    [
        "chfn",
        "chsh",
        "gpasswd",
        "mount",
        "newgrp",
        "passwd",
        "su",
        "umount",
        "expiry",
        "chage",
        "wall",
        "unix_chkpwd",
        "ssh-keysign",
        "dbus-daemon-launch-helper",
        "pam_timestamp_check",
        "bbsuid",
        "newuidmap",
        "newgidmap",
    ]
)
_SHADOW_LOCKED: Final = frozenset(("*", "!", "!!", "!*", "x"))
_TOOLS: Final = frozenset(
    [
        "gcc",
        "g++",
        "cc",
        "clang",
        "make",
        "gdb",
        "strace",
        "ltrace",
        "nc",
        "ncat",
        "netcat",
        "nmap",
        "tcpdump",
        "socat",
        "telnet",
    ]
)
_PROGRAM_FOLDERS: Final = frozenset(
    tuple(folder.split("/")) for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin")
)
_MANAGERS: Final = frozenset(
    ["apt", "apt-get", "dpkg", "apk", "yum", "dnf", "microdnf", "rpm", "zypper", "pacman"]
)
_SHELLS: Final = frozenset(["sh", "bash", "dash", "ash", "zsh", "ksh"])
_HISTORIES: Final = frozenset((".bash_history", ".ash_history", ".zsh_history", ".python_history"))
_NOPASSWD: Final = re.compile(r"^[^#\n]*NOPASSWD", re.MULTILINE)
_SETUID, _SETGID, _STICKY, _OTHERS = 0o4000, 0o2000, 0o1000, 0o002


def _where(condition: Callable[[Path, Member], str]) -> Callable[[Facts], Iterator[Seen]]:
    """Make a rule out of a question about each member; its answer is the detail, empty when all is well."""

    def look(facts: Facts) -> Iterator[Seen]:
        for path, node in facts.tree.items():
            if detail := condition(path, node.member):
                yield Seen(shown(path), detail)

    return look


def _setuid(path: Path, member: Member) -> str:
    if member.kind in _FILES and member.mode & _SETUID and path[-1] not in _USUAL_SETUID:
        return f"runs as uid {member.uid} whoever starts it"
    return ""


def _usual_setuid(path: Path, member: Member) -> str:
    if member.kind in _FILES and member.mode & _SETUID and path[-1] in _USUAL_SETUID:
        return f"runs as uid {member.uid}; a service has no use for it"
    return ""


def _setgid(_: Path, member: Member) -> str:
    if member.kind in _FILES and member.mode & _SETGID and not member.mode & _SETUID:
        return f"runs with gid {member.gid} whoever starts it"
    return ""


def _capabilities(_: Path, member: Member) -> str:
    return "has file capabilities" if "security.capability" in member.xattrs else ""


def _open_file(_: Path, member: Member) -> str:
    return "anybody may write to it" if member.kind in _FILES and member.mode & _OTHERS else ""


def _open_folder(_: Path, member: Member) -> str:
    if member.kind is Kind.DIRECTORY and member.mode & _OTHERS and not member.mode & _STICKY:
        return "anybody may replace what is in it"
    return ""


def _device(_: Path, member: Member) -> str:
    return f"a {member.kind}" if member.kind in {Kind.CHARACTER, Kind.BLOCK} else ""


def _host_link(path: Path, member: Member) -> str:
    if member.kind is not Kind.SYMLINK:
        return ""
    depth = len(path) - 1
    for part in member.target.split("/"):
        depth += -1 if part == ".." else 0 if part in {"", "."} else 1
        if depth < 0 and not member.target.startswith("/"):
            return f"leads above the image's root: {member.target[:100]!r}"
    return "leads to the engine's socket" if member.target.endswith("/docker.sock") else ""


def _second_root(facts: Facts) -> Iterator[Seen]:
    lines = accounts(facts)
    if lines is None:
        raise NotApplicableError("no /etc/passwd")
    for line in lines:
        if line[0] != "root" and line[2].isdecimal() and int(line[2]) == 0:
            yield Seen("/etc/passwd", f"{line[0]!r} is root, too")


def _passwords(facts: Facts) -> Iterator[Seen]:
    shadow = facts.text("etc", "shadow")
    fields = [line.split(":") for line in (shadow or "").splitlines()]
    places = [("/etc/shadow", line[0], line[1]) for line in fields if len(line) > 1]
    places += [("/etc/passwd", line[0], line[1]) for line in accounts(facts) or []]
    if not places:
        raise NotApplicableError("no accounts")
    for file, name, password in places:
        if not password:
            yield Seen(file, f"{name!r} needs no password")
        elif password not in _SHADOW_LOCKED and not password.startswith("!"):
            yield Seen(file, f"{name!r} has a password, the same in every container")


def _open_shadow(facts: Facts) -> Iterator[Seen]:
    for name in ("shadow", "gshadow", "shadow-", "gshadow-"):
        node = facts.tree.get(("etc", name))
        if node and node.member.kind is Kind.FILE and node.member.mode & 0o004:
            yield Seen(f"/etc/{name}", "anybody may read it")


def _sudo(facts: Facts) -> Iterator[Seen]:
    for (layer, path), data in facts.kept.items():
        is_sudo = path[:2] in {("etc", "sudoers"), ("etc", "sudoers.d")} and facts.is_live(layer, path)
        if is_sudo and _NOPASSWD.search(data.decode("utf-8", "replace")):
            yield Seen(shown(path), "somebody becomes root without a password")


def _programs(names: frozenset[str], detail: str) -> Callable[[Facts], Iterator[Seen]]:
    def condition(path: Path, member: Member) -> str:
        runs = member.kind is Kind.SYMLINK or (member.kind in _FILES and member.mode & 0o111)
        return detail if runs and path[-1:] and path[-1] in names and path[:-1] in _PROGRAM_FOLDERS else ""

    return _where(condition)


def _remote_access(path: Path, member: Member) -> str:
    if member.kind in _FILES:
        if path[-2:] == (".ssh", "authorized_keys"):
            return "lets key holders log in"
        if path[-1] in {"sshd", "telnetd", "dropbear"} and path[:-1] in _PROGRAM_FOLDERS:
            return "a server for remote log-in"
    return ""


def _below(*prefixes: str, suffix: str = "") -> Callable[[Facts], Iterable[Seen]]:
    """Make a rule against files in a cache; one finding for each cache, with how much is in it."""
    folders = [tuple(prefix.split("/")) for prefix in prefixes]

    def look(facts: Facts) -> Iterator[Seen]:
        for folder in folders:
            sizes = [
                node.member.size
                for path, node in facts.tree.items()
                if node.member.kind is Kind.FILE
                and node.member.size
                and path[: len(folder)] == folder
                and path[-1].endswith(suffix)
                and path[-1] != "lock"
            ]
            if sizes:
                yield Seen(shown(folder), f"{len(sizes)} files, {sum(sizes)} bytes")

    return look


def _repository(path: Path, member: Member) -> str:
    if path[-2:] in {(".git", "HEAD"), (".hg", "requires"), (".svn", "wc.db")} and member.kind in _FILES:
        return "a version-control repository, with all its history"
    return ""


def _history_files(path: Path, member: Member) -> str:
    return "what somebody typed" if path[-1:] and path[-1] in _HISTORIES and member.size else ""


def _rule(
    number: str, severity: Severity, title: str, fix: str, look: Callable[[Facts], Iterable[Seen]]
) -> Rule:
    return Rule(id=f"IMG-{number}", severity=severity, title=title, fix=fix, look=look, needs_files=True)


_CLEAN: Final = "remove the cache in the step that fills it, or build the layer from the result alone"

RULES: Final = (
    _rule(
        "FIL-01", Severity.HIGH, "No unusual setuid programs", "remove the bit: chmod u-s", _where(_setuid)
    ),
    _rule(
        "FIL-02",
        Severity.LOW,
        "No setuid programs of the distribution",
        "remove the programs, or the bit: chmod u-s",
        _where(_usual_setuid),
    ),
    _rule("FIL-03", Severity.LOW, "No setgid programs", "remove the bit: chmod g-s", _where(_setgid)),
    _rule(
        "FIL-04",
        Severity.HIGH,
        "No file capabilities",
        "remove them: setcap -r; grant capabilities to the container instead",
        _where(_capabilities),
    ),
    _rule("FIL-05", Severity.HIGH, "No files that all may write to", "chmod o-w", _where(_open_file)),
    _rule(
        "FIL-06",
        Severity.MEDIUM,
        "No folders that all may write to, without the sticky bit",
        "chmod o-w, or chmod +t",
        _where(_open_folder),
    ),
    _rule("FIL-07", Severity.HIGH, "No devices", "remove them: the engine makes /dev", _where(_device)),
    _rule(
        "FIL-08",
        Severity.MEDIUM,
        "No links out of the image",
        "remove the link, or make it lead inside",
        _where(_host_link),
    ),
    _rule("ACC-01", Severity.HIGH, "One account is root", "remove the other from /etc/passwd", _second_root),
    _rule(
        "ACC-02",
        Severity.HIGH,
        "No account can log in with a password",
        "lock it: put * in its place",
        _passwords,
    ),
    _rule("ACC-03", Severity.HIGH, "Password files are root's alone", "chmod 0640", _open_shadow),
    _rule("ACC-04", Severity.MEDIUM, "Nobody becomes root without a password", "remove sudo", _sudo),
    _rule(
        "ACC-05",
        Severity.MEDIUM,
        "No remote log-in",
        "remove the server and its keys; use the engine's exec",
        _where(_remote_access),
    ),
    _rule(
        "TOL-01",
        Severity.LOW,
        "No shell",
        "build on scratch or a base without one, if the program needs none",
        _programs(_SHELLS, "a shell for whoever breaks in"),
    ),
    _rule(
        "TOL-02",
        Severity.LOW,
        "No package manager",
        "build on a base without one",
        _programs(_MANAGERS, "a package manager"),
    ),
    _rule(
        "TOL-03",
        Severity.LOW,
        "No compilers, debuggers or network tools",
        "leave them in the build, outside of the image",
        _programs(_TOOLS, "a tool that running does not need"),
    ),
    _rule("CAC-01", Severity.LOW, "No apt lists", _CLEAN, _below("var/lib/apt/lists")),
    _rule("CAC-02", Severity.LOW, "No apt packages", _CLEAN, _below("var/cache/apt/archives", suffix=".deb")),
    _rule("CAC-03", Severity.LOW, "No apk cache", _CLEAN, _below("var/cache/apk", "etc/apk/cache")),
    _rule("CAC-04", Severity.LOW, "No dnf or yum cache", _CLEAN, _below("var/cache/dnf", "var/cache/yum")),
    _rule("CAC-05", Severity.LOW, "No pip cache", _CLEAN, _below("root/.cache/pip", "root/.cache/uv")),
    _rule("CAC-06", Severity.LOW, "No npm cache", _CLEAN, _below("root/.npm/_cacache", "root/.cache/yarn")),
    _rule("CAC-07", Severity.LOW, "Nothing left in /tmp", _CLEAN, _below("tmp", "var/tmp")),
    _rule(
        "CAC-08",
        Severity.MEDIUM,
        "No version-control repository",
        "copy the files alone, without .git",
        _where(_repository),
    ),
    _rule("CAC-09", Severity.MEDIUM, "No shell history", "remove the file", _where(_history_files)),
)
