"""Build environments: the usual one, and one that differs in all that must not matter.

A build that comes out the same in both did not depend on where, when, in which language, under which umask,
on how many processors or in which order it was built.
"""

from __future__ import annotations

import os
from typing import Any, Final, Literal

import msgspec

FACTORS: Final = ("path", "timezone", "locale", "umask", "cpus", "hostname", "order")


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds a build, apart from its inputs.

    Attributes:
        name: how people call it.
        path: the working directory inside.
        timezone: TZ, in the POSIX form, so that no time-zone database is needed.
        locale: LC_ALL and LANG.
        umask: what the recipe's process starts with.
        cpus: how many processors the build may use; all of the machine's when `None`.
        hostname: the host name inside.
        order: in which order inputs are put on disk; with it goes the seed of Python's string hashes.
    """

    name: str
    path: str
    timezone: str
    locale: str
    umask: int
    cpus: int | None
    hostname: str
    order: Literal["sorted", "reversed"]

    @property
    def hash_seed(self) -> int:
        """PYTHONHASHSEED: decides the order in which Python iterates over sets of strings."""
        return 0 if self.order == "sorted" else 4242

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form that provenance carries."""
        return {
            "name": self.name,
            "path": self.path,
            "timezone": self.timezone,
            "locale": self.locale,
            "umask": f"{self.umask:04o}",
            "cpus": "all" if self.cpus is None else str(self.cpus),
            "hostname": self.hostname,
            "order": self.order,
        }

    def variables(self, source_date_epoch: int) -> dict[str, str]:
        """Give the whole environment of a recipe's process."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": f"{self.path}/home",
            "TMPDIR": f"{self.path}/tmp",  # noqa: S108 - a directory of the sandbox
            "TZ": self.timezone,
            "LC_ALL": self.locale,
            "LANG": self.locale,
            "PYTHONHASHSEED": str(self.hash_seed),
            "PYTHONPYCACHEPREFIX": f"{self.path}/pycache",
            "PYTHONNOUSERSITE": "1",
            "SOURCE_DATE_EPOCH": str(source_date_epoch),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


NORMAL: Final = Environment(
    name="normal",
    path="/build",
    timezone="UTC0",
    locale="C.UTF-8",
    umask=0o022,
    cpus=None,
    hostname="build",
    order="sorted",
)
VARIED: Final = Environment(
    name="varied",
    path="/srv/another/place/to/rebuild",
    timezone="<+1245>-12:45",
    locale="C",
    umask=0o077,
    cpus=1,
    hostname="rebuild-elsewhere",
    order="reversed",
)


def varied_factors(one: Environment, other: Environment) -> tuple[str, ...]:
    """Say in which of `FACTORS` two environments really differ on this machine."""
    available = len(os.sched_getaffinity(0))
    pairs = {factor: (getattr(one, factor), getattr(other, factor)) for factor in FACTORS}
    pairs["cpus"] = (min(one.cpus or available, available), min(other.cpus or available, available))
    return tuple(factor for factor, (left, right) in pairs.items() if left != right)
