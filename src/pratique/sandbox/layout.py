"""From a job to bubblewrap's arguments; pure, so that every rule about mounts can be tested without one.

The one rule that matters: **no mount lies below another that a stranger may have filled.** Before 0.12,
bubblewrap followed symbolic links in the path of a mount's destination on the host (CVE-2026-87766), so a
link inside an untrusted directory moved the mount, and the creation of its directories, anywhere. Here all
destinations are disjoint; the only nested ones are constants of this module below kernel file systems, and
masks below the host's own tool chain.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from pratique.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pratique.sandbox.host import HostView
    from pratique.sandbox.job import Job

UID: Final = 1000
NAMESPACES: Final = ("cgroup", "ipc", "mount", "network", "pid", "user", "uts")
SYNTHETIC: Final = {
    "/etc/passwd": f"build:x:{UID}:{UID}:build:/nonexistent:/bin/sh\n",
    "/etc/group": f"build:x:{UID}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_OWN_TARGETS: Final = ("/proc", "/dev", "/tmp", "/sys", *SYNTHETIC)  # noqa: S108 - paths inside the sandbox


def check_mounts(job: Job, host: HostView) -> None:
    """Refuse a job whose mounts touch one another, or whose sources could change while it runs.

    Raises:
        SandboxError: a destination is not a plain absolute path or lies in, above or at another; a source
            is missing, a symbolic link, or shares files with the writable directory.
    """
    _check_targets([*(mount.target for mount in job.mounts), job.workdir.target], host)
    writable = job.workdir.source.absolute()
    for source in [mount.source.absolute() for mount in job.mounts] + [writable]:
        if source.is_symlink() or not source.exists():
            raise SandboxError(f"nothing to mount, or a symbolic link: {source}")
        if source is not writable and _nested(str(source.resolve()), str(writable.resolve())):
            raise SandboxError(f"a read-only input shares files with the writable directory: {source}")
    if not writable.is_dir():
        raise SandboxError(f"the working directory is not a directory: {writable}")


def _check_targets(wanted: list[str], host: HostView) -> None:
    for target in wanted:
        plain = posixpath.normpath(target) == target and target.startswith("/") and target.strip("/")
        if not plain or target.startswith("//") or "\0" in target:
            raise SandboxError(f"not a plain absolute path to mount at: {target!r}")
    fixed = [mount.target for mount in host.mounts] + [*host.links, *_OWN_TARGETS]
    for index, target in enumerate(wanted):
        for other in [*fixed, *wanted[:index]]:
            if _nested(target, other):
                raise SandboxError(
                    f"mounts may not lie within one another: {target} and {other}",
                    hint="give every input a directory of its own beside the others",
                )


def _nested(one: str, other: str) -> bool:
    return (one + "/").startswith(other + "/") or (other + "/").startswith(one + "/")


def arguments(
    job: Job,
    host: HostView,
    *,
    sources: Mapping[str, str],
    data_fds: Mapping[str, int],
    fds: Mapping[str, int],
) -> list[str]:
    """Write bubblewrap's arguments, without the program itself.

    Args:
        job: a job that `check_mounts` let pass.
        host: what of the host is shown.
        sources: where each mount's source is to be found, by target.
        data_fds: descriptors that hold the content of each `SYNTHETIC` file.
        fds: descriptors for `json-status-fd`, `block-fd` and `seccomp`.
    """
    options = [
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv"),
        *("--cap-drop", "ALL", "--uid", str(UID), "--gid", str(UID), "--hostname", job.hostname),
    ]
    for mount in host.mounts:
        options += ["--ro-bind", sources[mount.target], mount.target]
    for target in host.masks:
        options += ["--size", "4096", "--tmpfs", target, "--remount-ro", target]
    for path, target in host.links.items():
        options += ["--symlink", target, path]
    for path, fd in data_fds.items():
        options += ["--ro-bind-data", str(fd), path]
    size = str(job.limits.tmp_bytes)
    options += ["--proc", "/proc", "--dev", "/dev"]
    for target in ("/tmp", "/dev/shm"):  # noqa: S108 - paths inside the sandbox
        options += ["--perms", "1777", "--size", size, "--tmpfs", target]
    for mount in job.mounts:
        options += ["--ro-bind", sources[mount.target], mount.target]
    options += ["--bind", sources[job.workdir.target], job.workdir.target]
    # Last, as it ends the making of mount points: the root is memory too, and would be writable.
    options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", job.workdir.target]
    for name, value in sorted(job.env.items()):
        options += ["--setenv", name, value]
    for name, fd in fds.items():
        options += [f"--{name}", str(fd)]
    return [*options, "--", *_checked(job.argv)]


def _checked(argv: Sequence[str]) -> Sequence[str]:
    if not argv or not argv[0].startswith("/"):
        raise SandboxError("a job's command starts with an absolute path inside the sandbox")
    return argv
