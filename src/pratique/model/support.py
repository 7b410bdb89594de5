"""Until when an operating system gets security updates, by its own word or its project's."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDS: Final = {
    # Debian, long-term support included: debian.csv of distro-info-data, column eol-lts
    "debian 9": "2022-06-30",
    "debian 10": "2024-06-30",
    "debian 11": "2026-08-31",
    "debian 12": "2028-06-30",
    "debian 13": "2030-06-30",
    # Ubuntu, without paid extensions: ubuntu.csv of the same, column eol
    "ubuntu 16.04": "2021-04-30",
    "ubuntu 18.04": "2023-05-31",
    "ubuntu 20.04": "2025-05-29",
    "ubuntu 22.04": "2027-06-01",
    "ubuntu 24.04": "2029-05-31",
    "ubuntu 25.04": "2026-01-15",
    "ubuntu 25.10": "2026-07-09",
    "ubuntu 26.04": "2031-05-29",
    "ubuntu 26.10": "2027-07-15",
    # Alpine and CentOS, from memory of their projects' release pages: check before relying on a day
    "alpine 3.17": "2024-11-22",
    "alpine 3.18": "2025-05-09",
    "alpine 3.19": "2025-11-01",
    "alpine 3.20": "2026-04-01",
    "alpine 3.21": "2026-11-01",
    "alpine 3.22": "2027-05-01",
    "centos 7": "2024-06-30",
    "centos 8": "2021-12-31",
}


def end_of_support(release: Mapping[str, str]) -> date | None:
    """Give the last day of updates; None where it is not known.

    Args:
        release: os-release(5), whose SUPPORT_END is believed first.

    Raises:
        ValueError: SUPPORT_END is no date.
    """
    if told := release.get("SUPPORT_END"):
        return date.fromisoformat(told)
    kind, version = release.get("ID", ""), release.get("VERSION_ID", "")
    parts = version.split(".")
    for form in (version, ".".join(parts[:2]), parts[0]):
        if known := _ENDS.get(f"{kind} {form}"):
            return date.fromisoformat(known)
    return None
