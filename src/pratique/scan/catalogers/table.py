"""Every cataloger, in one explicit table: which files it recognises, and who reads them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.scan.catalogers import (
    cargo,
    embedded,
    golang,
    java,
    linux,
    npm,
    pnpm,
    python_locks,
    requirements_txt,
    rpm,
    yarn,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.scan.catalogers.base import File
    from pratique.scan.component import Component


class Cataloger(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of package record.

    Attributes:
        id: its name in reports.
        pattern: regular expression that the whole path of a file of this kind matches.
        read: gives the components a file lists, or raises `UnreadableError`.
        max_bytes: how large a file of this kind may be.
        is_lock: it says what would be installed, and so means nothing inside an installed package.
    """

    id: str
    pattern: str
    read: Callable[[File], list[Component]]
    is_lock: bool = True
    max_bytes: int = 16 * 1024 * 1024

    def recognises(self, name: str) -> bool:
        """Tell whether a path is of this kind."""
        return _compiled(self.pattern).match(name) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z")


TABLE: Final[tuple[Cataloger, ...]] = (
    Cataloger(
        id="requirements",
        pattern=r"(?:.*/)?requirements[^/]*\.txt",
        read=requirements_txt.read_requirements,
    ),
    Cataloger(
        id="python-lock",
        pattern=r"(?:.*/)?(?:uv|poetry|pdm)\.lock",
        read=python_locks.read_python_lock,
    ),
    Cataloger(
        id="npm-lock",
        pattern=r"(?:.*/)?(?:package-lock|npm-shrinkwrap)\.json",
        read=npm.read_package_lock,
    ),
    Cataloger(id="yarn-lock", pattern=r"(?:.*/)?yarn\.lock", read=yarn.read_yarn_lock),
    Cataloger(id="pnpm-lock", pattern=r"(?:.*/)?pnpm-lock\.yaml", read=pnpm.read_pnpm_lock),
    Cataloger(id="cargo-lock", pattern=r"(?:.*/)?Cargo\.lock", read=cargo.read_cargo_lock),
    Cataloger(id="go-mod", pattern=r"(?:.*/)?go\.mod", read=golang.read_go_mod),
    Cataloger(
        id="dpkg",
        pattern=r"(?:.*/)?var/lib/dpkg/(?:status|status\.d/[^/]+(?<!\.md5sums))",
        read=linux.read_dpkg,
        is_lock=False,
    ),
    Cataloger(
        id="apk",
        pattern=r"(?:.*/)?(?:usr/)?lib/apk/db/installed",
        read=linux.read_apk,
        is_lock=False,
    ),
    Cataloger(
        id="rpm",
        pattern=rf"(?:.*/)?{rpm.PLACES}rpmdb\.sqlite",
        read=rpm.read_rpm_database,
        is_lock=False,
        max_bytes=256 * 1024 * 1024,
    ),
    Cataloger(
        id="embedded-sbom",
        pattern=r"(?:.*/)?(?:[^/]+\.dist-info/sboms/(?:.*/)?[^/]+|[^/]+\.(?:cdx|spdx))\.json",
        read=embedded.read_embedded,
        is_lock=False,
    ),
    Cataloger(id="gradle-lock", pattern=r"(?:.*/)?gradle\.lockfile", read=java.read_gradle_lock),
    Cataloger(id="maven-lock", pattern=r"(?:.*/)?lockfile\.json", read=java.read_maven_lock),
    Cataloger(
        id="jar",
        pattern=r"(?:.*/)?META-INF/maven/[^/]+/[^/]+/pom\.properties",
        read=java.read_pom_properties,
        is_lock=False,
    ),
)
INSTALLED_NPM: Final = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json\Z")
"""The `package.json` of an installed package itself, not one of its own test fixtures deeper down."""
CONTEXT: Final = re.compile(rf"(?:.*/)?(?:(?:etc|usr/lib)/os-release|{rpm.PLACES}rpmdb\.sqlite-wal)\Z")
RECOGNISED: Final = re.compile(
    "|".join(f"(?:{cataloger.pattern})\\Z" for cataloger in TABLE)
    + f"|{INSTALLED_NPM.pattern}|{CONTEXT.pattern}"
)


def limit_of(name: str) -> int:
    """Give how many bytes a file may have that a cataloger of the table recognises; 0 for any other."""
    return max((cataloger.max_bytes for cataloger in TABLE if cataloger.recognises(name)), default=0)
