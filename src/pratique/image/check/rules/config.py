"""Rules about how the image is run: user, entry point, environment, ports (CIS Docker Benchmark §4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.image.check.facts import Facts, NotApplicableError, Rule, Seen, UnknownError, shown
from pratique.image.check.secretscan import find_secrets
from pratique.image.member import Kind
from pratique.image.tree import split_path
from pratique.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHELLS: Final = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"))
_SECRET_NAME: Final = re.compile(
    r"(?i)(^|_)(PASSWORD|PASSWD|SECRET|SECRET_KEY|API_?KEY|ACCESS_KEY|AUTH_TOKEN|ACCESS_TOKEN|PRIVATE_KEY)$"
)
_URL_PASSWORD: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@$]+@")
_TLS_OFF: Final = {
    "NODE_TLS_REJECT_UNAUTHORIZED": {"0"},
    "PYTHONHTTPSVERIFY": {"0"},
    "GIT_SSL_NO_VERIFY": {"1", "true"},
    "GOINSECURE": {"*"},
    "GONOSUMDB": {"*"},
    "NPM_CONFIG_STRICT_SSL": {"false"},
}
_REMOTE_PORTS: Final = {22: "SSH", 23: "telnet", 2375: "Docker", 2376: "Docker", 3389: "RDP", 5900: "VNC"}
_PRIVILEGED: Final = 1024
_SENSITIVE: Final = frozenset(
    ("/", "/etc", "/bin", "/sbin", "/usr", "/lib", "/proc", "/sys", "/dev", "/boot", "/var/run/docker.sock")
)


def environment(facts: Facts) -> dict[str, str]:
    """Give the image's environment; a name that is set twice has its last value."""
    return {line.partition("=")[0]: line.partition("=")[2] for line in facts.config.env}


def accounts(facts: Facts) -> list[list[str]] | None:
    """Give the lines of /etc/passwd, split; None without such a file."""
    text = facts.text("etc", "passwd")
    return None if text is None else [line.split(":") for line in text.splitlines() if line.count(":") >= 3]  # noqa: PLR2004


def run_uid(facts: Facts) -> int | None:
    """Give the uid the image runs as: 0 when it names nobody, None when the name cannot be looked up."""
    name = facts.config.user.partition(":")[0]
    if not name:
        return 0
    if name.isdecimal():
        return int(name)
    if name == "root":
        return 0
    found = [line[2] for line in accounts(facts) or [] if line[0] == name and line[2].isdecimal()]
    return int(found[0]) if found else None


def _root_user(facts: Facts) -> Iterator[Seen]:
    uid = run_uid(facts)
    if uid is None:
        raise UnknownError(f"nothing says who {facts.config.user!r} is")
    if uid == 0:
        user = facts.config.user
        yield Seen("config.User", f"{user!r} is root" if user else "not set, so it runs as root")


def _root_group(facts: Facts) -> Iterator[Seen]:
    if run_uid(facts) != 0 and facts.config.user.partition(":")[2] in {"0", "root"}:
        yield Seen("config.User", f"{facts.config.user!r} is in root's group")


def _numeric_user(facts: Facts) -> Iterator[Seen]:
    name = facts.config.user.partition(":")[0]
    if name and name != "root" and not name.isdecimal():
        yield Seen("config.User", f"{name!r} is a name: Kubernetes cannot tell that it is not root")


def _known_user(facts: Facts) -> Iterator[Seen]:
    if run_uid(facts) is None:
        if facts.unread:
            raise UnknownError("/etc/passwd may be in a layer that could not be read")
        yield Seen("config.User", f"{facts.config.user!r} is not in the image's /etc/passwd")


def _command(facts: Facts) -> tuple[str, ...]:
    return facts.config.entrypoint or facts.config.cmd


def _shell_entry(facts: Facts) -> Iterator[Seen]:
    command = _command(facts)
    if len(command) > 1 and command[0].rpartition("/")[2] in _SHELLS and command[1].startswith("-"):
        options = command[1].lstrip("-")
        if "c" in options:
            place = "config.Entrypoint" if facts.config.entrypoint else "config.Cmd"
            yield Seen(place, " ".join(command[:2]))


def _has_command(facts: Facts) -> Iterator[Seen]:
    if not _command(facts):
        yield Seen("config.Entrypoint", "neither entry point nor command")


def _entry_exists(facts: Facts) -> Iterator[Seen]:
    program = next(iter(_command(facts)), "")
    if not program.startswith("/") or ".." in program.split("/"):
        raise NotApplicableError("the entry point is not an absolute path")
    path = facts.tree.resolve(split_path(program))
    node = facts.tree.get(path) if path else None
    if node is None and facts.unread:
        raise UnknownError("it may be in a layer that could not be read")
    if node is None:
        yield Seen(program, "is not in the image")
    elif node.member.kind not in {Kind.FILE, Kind.HARDLINK} or not node.member.mode & 0o111:
        yield Seen(program, "is not an executable file")


def _entry_writable(facts: Facts) -> Iterator[Seen]:
    uid = run_uid(facts)
    program = next(iter(_command(facts)), "")
    if uid in {0, None} or not program.startswith("/") or ".." in program.split("/"):
        raise NotApplicableError("runs as root, or the entry point is not an absolute path")
    path = facts.tree.resolve(split_path(program)) or ()
    for depth in range(len(path), 0, -1):
        node = facts.tree.get(path[:depth])
        if node and (
            (node.member.uid == uid and node.member.mode & 0o200)
            or (node.member.mode & 0o002 and not node.member.mode & 0o1000)
        ):
            yield Seen(shown(path[:depth]), f"can be replaced by the user it runs as, {uid}")


def _secret_names(facts: Facts) -> Iterator[Seen]:
    for name, value in environment(facts).items():
        if value and _SECRET_NAME.search(name):
            yield Seen(f"config.Env {name}", "a secret by its name, readable for all who have the image")


def config_texts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Give every text in the configuration and the manifest that may hold more than it should."""
    config = facts.config
    yield from ((f"config.Env {line.partition('=')[0]}", line) for line in config.env)
    yield "config.Entrypoint", "\n".join(config.entrypoint)
    yield "config.Cmd", "\n".join(config.cmd)
    yield from ((f"config.Labels {name}", value) for name, value in config.labels.items())
    yield from ((f"annotation {name}", value) for name, value in facts.manifest.annotations.items())
    for number, step in enumerate(config.history, 1):
        yield f"history {number}", f"{step.created_by}\n{step.comment}\n{step.author}"


def _secrets(facts: Facts) -> Iterator[Seen]:
    for location, text in config_texts(facts):
        for kind in find_secrets(text.encode("utf-8", "replace")):
            yield Seen(location, kind)


def _url_passwords(facts: Facts) -> Iterator[Seen]:
    for location, text in config_texts(facts):
        if _URL_PASSWORD.search(text):
            yield Seen(location, "a URL with a password in it")


def _tls_off(facts: Facts) -> Iterator[Seen]:
    for name, value in environment(facts).items():
        if value.lower() in _TLS_OFF.get(name.upper(), ()):
            yield Seen(f"config.Env {name}", f"{value} turns the verification of certificates off")


def _loader(facts: Facts) -> Iterator[Seen]:
    for name, value in environment(facts).items():
        entries = value.split(":")
        if name == "LD_PRELOAD" and value:
            yield Seen("config.Env LD_PRELOAD", "is loaded into every program")
        elif name in {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH"} and value:
            bad = [entry for entry in entries if not entry.startswith("/") or _is_open(facts, entry)]
            if bad:
                yield Seen(f"config.Env {name}", f"has {bad[0]!r}, where others may put files")


def _is_open(facts: Facts, folder: str) -> bool:
    path = facts.tree.resolve(tuple(part for part in folder.split("/") if part))
    node = facts.tree.get(path) if path else None
    return node is not None and node.member.kind is Kind.DIRECTORY and bool(node.member.mode & 0o002)


def _ports(facts: Facts) -> Iterator[tuple[str, int]]:
    for port in facts.config.ports:
        number = port.partition("/")[0].partition("-")[0]
        if number.isdecimal():
            yield port, int(number)


def _privileged_ports(facts: Facts) -> Iterator[Seen]:
    for port, number in _ports(facts):
        if number < _PRIVILEGED and number not in _REMOTE_PORTS:
            yield Seen(f"config.ExposedPorts {port}", "needs a privilege to listen on")


def _remote_ports(facts: Facts) -> Iterator[Seen]:
    for port, number in _ports(facts):
        if number in _REMOTE_PORTS:
            yield Seen(f"config.ExposedPorts {port}", f"{_REMOTE_PORTS[number]}: remote control")


def _volumes(facts: Facts) -> Iterator[Seen]:
    for volume in facts.config.volumes:
        if (volume.rstrip("/") or "/") in _SENSITIVE:
            yield Seen(f"config.Volumes {volume}", "a volume over a part of the system")


def _on_build(facts: Facts) -> Iterator[Seen]:
    for line in facts.config.on_build:
        yield Seen("config.OnBuild", line[:100])


def _workdir(facts: Facts) -> Iterator[Seen]:
    if facts.config.workdir and not facts.config.workdir.startswith("/"):
        yield Seen("config.WorkingDir", f"{facts.config.workdir!r} is not absolute")


def _stop_signal(facts: Facts) -> Iterator[Seen]:
    if facts.config.stop_signal.upper() in {"SIGKILL", "KILL", "9"}:
        yield Seen("config.StopSignal", "the program cannot end in order")


def _platform(facts: Facts) -> Iterator[Seen]:
    if not facts.config.platform.os or not facts.config.platform.architecture:
        yield Seen("config", "does not say for which system and architecture it is")


RULES: Final = (
    Rule(
        id="IMG-CFG-01",
        severity=Severity.HIGH,
        title="Does not run as root",
        fix="build with a user: pratique image build --user 65532:65532",
        look=_root_user,
    ),
    Rule(
        id="IMG-CFG-02",
        severity=Severity.LOW,
        title="User is a number",
        fix="name the user by its uid",
        look=_numeric_user,
    ),
    Rule(
        id="IMG-CFG-03",
        severity=Severity.MEDIUM,
        title="User is known in the image",
        fix="add the account to the image's /etc/passwd, or name the user by its uid",
        look=_known_user,
    ),
    Rule(
        id="IMG-CFG-04",
        severity=Severity.MEDIUM,
        title="Group is not root's",
        fix="give the user a group of its own: --user 65532:65532",
        look=_root_group,
    ),
    Rule(
        id="IMG-CFG-05",
        severity=Severity.MEDIUM,
        title="Entry point is not a shell's command line",
        fix='name the program itself: ["/app/run", "serve"]',
        look=_shell_entry,
    ),
    Rule(
        id="IMG-CFG-06",
        severity=Severity.MEDIUM,
        title="Has an entry point or a command",
        fix="build with --entrypoint",
        look=_has_command,
    ),
    Rule(
        id="IMG-CFG-07",
        severity=Severity.MEDIUM,
        title="Entry point is an executable file of the image",
        fix="correct the path, or the file's mode",
        look=_entry_exists,
        needs_files=True,
    ),
    Rule(
        id="IMG-CFG-08",
        severity=Severity.MEDIUM,
        title="Entry point cannot be replaced by the user it runs as",
        fix="let root own the program and its folders, without write permission for others",
        look=_entry_writable,
        needs_files=True,
    ),
    Rule(
        id="IMG-CFG-09",
        severity=Severity.HIGH,
        title="No secrets by name in the environment",
        fix="give secrets at run time, as files or from a secret store; change this one now",
        look=_secret_names,
    ),
    Rule(
        id="IMG-CFG-10",
        severity=Severity.CRITICAL,
        title="No tokens or keys in configuration, labels and history",
        fix="revoke it now, then build again without it",
        look=_secrets,
    ),
    Rule(
        id="IMG-CFG-11",
        severity=Severity.HIGH,
        title="No passwords in URLs",
        fix="change the password now, then build again without it",
        look=_url_passwords,
    ),
    Rule(
        id="IMG-CFG-12",
        severity=Severity.HIGH,
        title="Certificates are verified",
        fix="remove the variable; add your own authority's certificate instead",
        look=_tls_off,
    ),
    Rule(
        id="IMG-CFG-13",
        severity=Severity.MEDIUM,
        title="Search paths lead only to places that others cannot write to",
        fix="name absolute folders that root alone may write to",
        look=_loader,
    ),
    Rule(
        id="IMG-CFG-14",
        severity=Severity.LOW,
        title="Exposes no privileged ports",
        fix="listen on a port from 1024 on",
        look=_privileged_ports,
    ),
    Rule(
        id="IMG-CFG-15",
        severity=Severity.MEDIUM,
        title="Exposes no ports of remote control",
        fix="remove the server: use the engine's own exec",
        look=_remote_ports,
    ),
    Rule(
        id="IMG-CFG-16",
        severity=Severity.MEDIUM,
        title="No volumes over the system",
        fix="declare volumes for data only",
        look=_volumes,
    ),
    Rule(
        id="IMG-CFG-17",
        severity=Severity.MEDIUM,
        title="No triggers for whoever builds on it",
        fix="remove ONBUILD",
        look=_on_build,
    ),
    Rule(
        id="IMG-CFG-18",
        severity=Severity.LOW,
        title="Working directory is absolute",
        fix="build with an absolute --workdir",
        look=_workdir,
    ),
    Rule(
        id="IMG-CFG-19",
        severity=Severity.LOW,
        title="Is asked to stop before it is killed",
        fix="use SIGTERM",
        look=_stop_signal,
    ),
    Rule(
        id="IMG-CFG-20",
        severity=Severity.LOW,
        title="Says for which platform it is",
        fix="set os and architecture",
        look=_platform,
    ),
)
