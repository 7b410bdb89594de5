"""Network: the cloud's metadata, ways in, ways out, and settings that change whom the tools believe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pratique.model.finding import Result, Severity
from pratique.runner.check import Check, Outcome, Profile, judge

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

_UP, _REJECT = 0x1, 0x200
_METADATA = bytes((169, 254, 169, 254))
_METADATA_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "ECS_CONTAINER_METADATA_URI",
    "ECS_CONTAINER_METADATA_URI_V4",
    "GCE_METADATA_HOST",
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
)
_CLOUDS = (
    "alibaba cloud",
    "amazon ec2",
    "digitalocean",
    "google",
    "hetzner",
    "microsoft corporation",
    "openstack",
    "oraclecloud",
    "scaleway",
    "vultr",
)
_LISTEN = "0A"
_LOOPBACK6 = ("00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
_OVERRIDES = frozenset(
    {
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "pip_index_url",
        "pip_extra_index_url",
        "pip_trusted_host",
        "pip_cert",
        "uv_index_url",
        "uv_default_index",
        "npm_config_registry",
        "goinsecure",
        "gonosumdb",
        "gonosumcheck",
        "goproxy",
        "git_ssl_no_verify",
        "git_ssl_cainfo",
        "node_extra_ca_certs",
        "ssl_cert_file",
        "ssl_cert_dir",
        "requests_ca_bundle",
        "curl_ca_bundle",
    }
)


def _metadata(probe: Probe, profile: Profile) -> Outcome:
    del profile
    named = [name for name in _METADATA_VARIABLES if probe.environ.get(name)]
    if named:
        return judge([f"{' '.join(named)} set: a service that hands out credentials"], "")
    link = _route_to(probe, _METADATA)
    if link is None:
        return Outcome(Result.PASS, "no route to 169.254.169.254")
    maker = " ".join(
        probe.read_if_there(f"/sys/class/dmi/id/{name}").strip()
        for name in ("sys_vendor", "product_name", "chassis_asset_tag")
    ).strip()
    if any(cloud in maker.lower() for cloud in _CLOUDS):
        return judge([f"a machine by {maker}, with a route to 169.254.169.254 by {link}"], "")
    return Outcome(Result.UNKNOWN, f"a route by {link}; whether something answers there was not tried")


def _route_to(probe: Probe, address: bytes) -> str | None:
    """Find the link by which the kernel would send to an IPv4 address: the longest prefix decides."""
    best: tuple[int, str | None] = (-1, None)
    for line in probe.read("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        # Words are in the machine's byte order, as the kernel holds addresses in the network's.
        target, mask = (int(fields[index], 16).to_bytes(4, sys.byteorder) for index in (1, 7))
        flags, bits = int(fields[3], 16), int.from_bytes(mask, "big").bit_count()
        matches = all(a & m == t for a, m, t in zip(address, mask, target, strict=True))
        if flags & _UP and matches and bits > best[0]:
            best = (bits, None if flags & _REJECT else fields[0])
    return best[1]


def _egress(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = []
    for line in probe.read("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if fields[1] == fields[7] == "00000000" and int(fields[3], 16) & _UP:
            problems.append(f"IPv4 by {fields[0]}")
    for line in probe.read_if_there("/proc/net/ipv6_route").splitlines():
        fields = line.split()
        flags = int(fields[8], 16)
        if int(fields[0], 16) == int(fields[1], 16) == 0 and flags & _UP and not flags & _REJECT:
            problems.append(f"IPv6 by {fields[9]}")
    return judge([f"default route: {', '.join(problems)}"] if problems else [], "no default route")


def _listeners(probe: Probe, profile: Profile) -> Outcome:
    del profile
    lines = probe.read("/proc/net/tcp").splitlines()[1:]
    lines += probe.read_if_there("/proc/net/tcp6").splitlines()[1:]
    ports = set()
    for line in lines:
        fields = line.split()
        address, port = fields[1].split(":")
        # Addresses are in the machine's byte order: 127.0.0.1 is 0100007F on a little-endian one.
        local = address in _LOOPBACK6 or (len(address) == 8 and "7F" in (address[:2], address[-2:]))  # noqa: PLR2004
        if fields[3] == _LISTEN and not local:
            ports.add(int(port, 16))
    return judge(
        [f"something listens on port {' '.join(map(str, sorted(ports)))}"] if ports else [],
        "nothing listens beyond this machine",
    )


def _trust_overrides(probe: Probe, profile: Profile) -> Outcome:
    del profile
    found = [name for name in sorted(probe.environ) if name.lower() in _OVERRIDES and probe.environ[name]]
    if probe.environ.get("NODE_TLS_REJECT_UNAUTHORIZED") == "0":
        found.append("NODE_TLS_REJECT_UNAUTHORIZED=0")
    if probe.environ.get("PYTHONHTTPSVERIFY") == "0":
        found.append("PYTHONHTTPSVERIFY=0")
    # Values stay out: an index's URL may hold a password.
    return judge([f"{' '.join(found)} set"] if found else [], "no proxy, index or CA is set")


CHECKS = (
    Check(
        id="NET-17",
        title="The cloud's metadata service",
        whole=Severity.MEDIUM,
        contained=Severity.HIGH,
        fix="block it for the build: `ip route add unreachable 169.254.169.254`, and unset the variables",
        look=_metadata,
    ),
    Check(
        id="NET-18",
        title="A way out to the network",
        whole=Severity.LOW,
        contained=Severity.MEDIUM,
        fix="build in the sandbox, which has no network; let machines that only build have no default route",
        look=_egress,
    ),
    Check(
        id="NET-19",
        title="Listening services",
        whole=Severity.MEDIUM,
        contained=Severity.MEDIUM,
        fix="stop the service, or bind it to 127.0.0.1",
        look=_listeners,
    ),
    Check(
        id="NET-20",
        title="Overridden proxies, indexes and authorities",
        whole=Severity.MEDIUM,
        contained=Severity.MEDIUM,
        fix="unset them for the build: inputs are fetched by hash beforehand",
        look=_trust_overrides,
    ),
)
