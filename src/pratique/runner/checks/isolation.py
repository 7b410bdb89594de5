"""Isolation: what a build in a container could use to get out of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pratique.model.finding import Result, Severity
from pratique.runner.check import WHOLE_MACHINE, Check, Outcome, Profile, judge, not_applicable

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

_CAPABILITIES = {
    2: "DAC_READ_SEARCH",
    12: "NET_ADMIN",
    16: "SYS_MODULE",
    17: "SYS_RAWIO",
    19: "SYS_PTRACE",
    21: "SYS_ADMIN",
    39: "BPF",
}
_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
)
_ENGINE_GROUPS = frozenset({"docker", "lxd", "incus-admin", "libvirt", "disk"})
_HOST_PATH = re.compile(
    r"/(?:etc|root|home|var|usr|boot|run|var/run|var/lib|var/lib/docker|var/lib/kubelet)\Z|/(?:root|home)/"
)
_HOST_LINK = re.compile(r"(?:docker|cni|virbr|br-|veth|flannel|cali)")
_RAW_DEVICE = re.compile(r"(?:mem|kmem|port|kmsg|kvm|sd[a-z]+\d*|nvme\d.*|vd[a-z]+\d*|xvd[a-z]+\d*|dm-\d+)\Z")
_KNOBS = ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper")
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path


def _capabilities(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    held = int(probe.status_field("CapEff"), 16) | int(probe.status_field("CapBnd"), 16)
    names = [name for bit, name in _CAPABILITIES.items() if held >> bit & 1]
    return judge([f"holds or may regain {' '.join(names)}"] if names else [], f"capabilities {held:x}")


def _root(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    mapping = probe.read("/proc/self/uid_map").split()
    user = int(probe.status_field("Uid").split()[1])
    whole = mapping == ["0", "0", "4294967295"]
    return judge(
        ["root here is root on the host: no user namespace"] if user == 0 and whole else [],
        f"uid {user}, {'no ' if whole else ''}user namespace",
    )


def _seccomp(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    mode, locked = probe.status_field("Seccomp"), probe.status_field("NoNewPrivs")
    return judge(
        ["neither a seccomp filter nor no_new_privs"] if mode == locked == "0" else [],
        f"seccomp mode {mode}, no_new_privs {locked}",
    )


def _confinement(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    label = probe.read("/proc/self/attr/current").strip("\0\n ")
    if not label:
        return Outcome(Result.UNKNOWN, "no security module answers")
    return judge(
        [f"runs as {label}"] if "unconfined" in label or label == "kernel" else [], f"runs as {label}"
    )


def _engine(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = [
        f"{path} can be written" for path in _SOCKETS if probe.is_socket(path) and probe.may_write(path)
    ]
    host = probe.environ.get("DOCKER_HOST", "")
    if host.startswith("tcp:") and not probe.environ.get("DOCKER_TLS_VERIFY"):
        problems.append("DOCKER_HOST is a TCP address without TLS")
    gids = {*probe.status_field("Groups").split(), probe.status_field("Gid").split()[1]}
    for line in probe.read("/etc/group").splitlines():
        name, _, gid = ([*line.split(":"), "", ""])[:3]
        if name in _ENGINE_GROUPS and gid in gids:
            problems.append(f"member of group {name}")
    return judge(problems, "no container engine can be reached")


def _host_paths(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    problems = []
    for line in probe.read("/proc/self/mountinfo").splitlines():
        fields = line.split()
        root, point, kind = fields[3], fields[4], fields[fields.index("-") + 1]
        if kind in {"proc", "sysfs"} and point not in {"/proc", "/sys"} and not point.startswith("/proc/"):
            problems.append(f"a second {kind} at {point}")
        elif kind not in {"tmpfs", "overlay"} and point != "/" and _HOST_PATH.match(root):
            problems.append(f"the host's {root} at {point}")
        elif (
            root == "/"
            and point not in {"/", "/proc", "/sys", "/dev"}
            and probe.exists(f"{point}/etc/passwd")
        ):
            problems.append(f"a whole root file system at {point}")
    return judge(problems, "no host path is mounted")


def _host_namespaces(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    problems = []
    if probe.read_if_there("/proc/2/comm").strip() == "kthreadd":
        problems.append("kernel threads are visible: the host's process table")
    links = [line.partition(":")[0].strip() for line in probe.read("/proc/net/dev").splitlines()[2:]]
    if shared := [link for link in links if _HOST_LINK.match(link)]:
        problems.append(f"links {' '.join(shared)}: the host's network")
    return judge(problems, "own process table and network")


def _raw_devices(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    names = probe.list("/dev")
    if not names:
        return Outcome(Result.UNKNOWN, "/dev is empty or absent")
    open_ones = [name for name in names if _RAW_DEVICE.match(name) and probe.may_read(f"/dev/{name}")]
    return judge(
        [f"{' '.join(open_ones)} can be read"] if open_ones else [], "none can be read", location="/dev"
    )


def _kernel_knobs(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return WHOLE_MACHINE
    groups = [f"/sys/fs/cgroup/{name}/release_agent" for name in probe.list("/sys/fs/cgroup")]
    present = [path for path in (*_KNOBS, *groups) if probe.exists(path)]
    if not present:
        return Outcome(Result.UNKNOWN, "none of them is visible")
    writable = [path for path in present if probe.may_write(path)]
    return judge([f"{path} can be written" for path in writable], "none can be written")


def _service_account(probe: Probe, profile: Profile) -> Outcome:
    there = probe.exists(_TOKEN)
    if profile is not Profile.KUBERNETES and not there:
        return not_applicable("not in a cluster")
    return judge(["the pod has a service account token"] if there else [], "no token", location=_TOKEN)


CHECKS = (
    Check(
        id="ISO-01",
        title="Capabilities",
        whole=Severity.LOW,
        contained=Severity.CRITICAL,
        fix="start the container with --cap-drop=ALL, never with --privileged",
        look=_capabilities,
    ),
    Check(
        id="ISO-02",
        title="Root without a user namespace",
        whole=Severity.LOW,
        contained=Severity.HIGH,
        fix="run as another user, or with user namespaces (rootless engine, userns-remap, hostUsers: false)",
        look=_root,
    ),
    Check(
        id="ISO-03",
        title="System call filter",
        whole=Severity.LOW,
        contained=Severity.HIGH,
        fix="keep the engine's default seccomp profile and set no-new-privileges",
        look=_seccomp,
    ),
    Check(
        id="ISO-04",
        title="Mandatory access control",
        whole=Severity.LOW,
        contained=Severity.MEDIUM,
        fix="keep the engine's AppArmor profile or SELinux type",
        look=_confinement,
    ),
    Check(
        id="ISO-05",
        title="Control over a container engine",
        whole=Severity.HIGH,
        contained=Severity.CRITICAL,
        fix="do not mount the engine's socket and take the user out of its group: either makes it root",
        look=_engine,
    ),
    Check(
        id="ISO-06",
        title="Paths of the host",
        whole=Severity.LOW,
        contained=Severity.CRITICAL,
        fix="mount the workspace alone, and nothing of the host's own tree",
        look=_host_paths,
    ),
    Check(
        id="ISO-07",
        title="Namespaces of the host",
        whole=Severity.LOW,
        contained=Severity.HIGH,
        fix="start without --pid=host and --network=host (hostPID, hostNetwork)",
        look=_host_namespaces,
    ),
    Check(
        id="ISO-08",
        title="Raw devices",
        whole=Severity.LOW,
        contained=Severity.CRITICAL,
        fix="start without --device and --privileged",
        look=_raw_devices,
    ),
    Check(
        id="ISO-09",
        title="Kernel settings that run programs",
        whole=Severity.LOW,
        contained=Severity.CRITICAL,
        fix="start without --privileged, with /proc and /sys read-only",
        look=_kernel_knobs,
    ),
    Check(
        id="ISO-10",
        title="Kubernetes identity in the build",
        whole=Severity.LOW,
        contained=Severity.HIGH,
        fix="set automountServiceAccountToken: false for the build pod",
        look=_service_account,
    ),
)
