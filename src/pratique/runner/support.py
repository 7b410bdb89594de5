"""Until when an operating system gets security updates, by its own word or its project's."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDS: Final = {
    # Debian, long-term support included: debian.csv of distro-info-data 0.58, column eol-lts
    "debian 10": "2024-06-30",
    "debian 11": "2026-08-31",
    "debian 12": "2028-06-30",
    "debian 13": "2030-06-30",
    # Ubuntu, without paid extensions: ubuntu.csv of the same, column eol
    "ubuntu 20.04": "2025-05-29",
    "ubuntu 22.04": "2027-06-01",
    "ubuntu 24.04": "2029-05-31",
    "ubuntu 25.04": "2026-01-15",
    "ubuntu 25.10": "2026-07-09",
    "ubuntu 26.04": "2031-05-29",
    "ubuntu 26.10": "2027-07-15",
    # Alpine, by the releases page of its site
    "alpine 3.18": "2025-05-09",
    "alpine 3.19": "2025-11-01",
    "alpine 3.20": "2026-04-01",
    "alpine 3.21": "2026-11-01",
    "alpine 3.22": "2027-05-01",
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
    if kind == "alpine":
        version = ".".join(version.split(".")[:2])
    known = _ENDS.get(f"{kind} {version}")
    return date.fromisoformat(known) if known else None
