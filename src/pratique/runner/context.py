"""Which profile a machine has, and the few facts about it that a reader needs to judge the findings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pratique.runner.check import Profile
from pratique.runner.identity import identity_digest
from pratique.runner.probe import UnreadableError

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

_CONTAINER_CGROUP = re.compile(r"docker|containerd|kubepods|libpod|crio|lxc|machine\.slice")
_ROOT_OF_ITS_OWN = re.compile(r"^\S+ \S+ \S+ / / .* - \w+ /dev/(?!mapper/docker)", re.MULTILINE)
_PRODUCTS = (
    ("firecracker", "firecracker"),
    ("kvm", "kvm"),
    ("qemu", "kvm"),
    ("google compute engine", "kvm"),
    ("amazon ec2", "kvm"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("virtual machine", "hyper-v"),
    ("xen", "xen"),
)


def detect_profile(probe: Probe) -> Profile:
    """Tell what kind of machine this is; where the signs are unclear, the stricter kind.

    A machine counts as whole only if the kernel's own thread is process 2: a container's process table does
    not have it, and no variable or file that a build could set brings it there. A machine whose root was made
    from a container image keeps that image's marks; they count unless its root is a file system of its own.
    """
    if "KUBERNETES_SERVICE_HOST" in probe.environ or _there(probe, "/var/run/secrets/kubernetes.io"):
        return Profile.KUBERNETES
    if _text(probe, "/proc/2/comm").strip() != "kthreadd":
        return Profile.CONTAINER
    marked = (
        "container" in probe.environ
        or any(_there(probe, mark) for mark in ("/.dockerenv", "/run/.containerenv"))
        or _CONTAINER_CGROUP.search(_text(probe, "/proc/self/cgroup"))
    )
    if marked and not _ROOT_OF_ITS_OWN.search(_text(probe, "/proc/self/mountinfo")):
        return Profile.CONTAINER
    if probe.environ.get("RUNNER_ENVIRONMENT") == "github-hosted":
        return Profile.HOSTED
    return Profile.VM


def describe(probe: Probe) -> dict[str, str]:
    """Give kernel, operating system, machine, user and the like; `unknown` for what cannot be read.

    By `identity` and `boot` a later measurement knows the same machine, not restarted since.
    """
    try:
        release = os_release(probe)
    except UnreadableError:
        release = {}
    return {
        "kernel": _text(probe, "/proc/sys/kernel/osrelease").strip() or "unknown",
        "os": release.get("PRETTY_NAME") or "unknown",
        "machine": _text(probe, "/proc/sys/kernel/arch").strip() or "unknown",
        "user": _user(probe),
        "virtualization": _virtualization(probe),
        "detectedProfile": detect_profile(probe).value,
        "identity": _identity(probe),
        "boot": _text(probe, "/proc/sys/kernel/random/boot_id").strip() or "unknown",
    }


def os_release(probe: Probe) -> dict[str, str]:
    """Give the operating system's own words about itself (os-release(5)).

    Raises:
        UnreadableError: they cannot be read.
    """
    lines = probe.read("/etc/os-release").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value.strip("\"' ") for name, value in pairs}


def _identity(probe: Probe) -> str:
    try:
        return str(identity_digest(probe))
    except UnreadableError:
        return "unknown"


def _user(probe: Probe) -> str:
    try:
        return f"uid {probe.status_field('Uid').split()[1]}"
    except (UnreadableError, LookupError):
        return "unknown"


def _virtualization(probe: Probe) -> str:
    product = " ".join(
        _text(probe, f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")
    ).lower()
    for sign, name in _PRODUCTS:
        if sign in product:
            return name
    if "firecracker" in _text(probe, "/proc/cmdline"):
        return "firecracker"
    cpu = _text(probe, "/proc/cpuinfo")
    if not cpu:
        return "unknown"
    return "hypervisor" if re.search(r"^flags\s*:.*\bhypervisor\b", cpu, re.MULTILINE) else "none"


def _there(probe: Probe, path: str) -> bool:
    try:
        return probe.exists(path)
    except UnreadableError:
        return True  # the stricter reading


def _text(probe: Probe, path: str) -> str:
    try:
        return probe.read(path)
    except UnreadableError:
        return ""
