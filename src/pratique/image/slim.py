"""What a program does not need at run time, by names that mean the same everywhere (pure).

Only what is put into an image here is looked at, never a base. Licences and notices stay wherever they are.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_KEPT: Final = re.compile(r"(?:licen[cs]e|copying|notice|copyright|authors)", re.IGNORECASE)
RULES: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("version control", r"(?:^|/)\.(?:git|hg|svn)(?:/|$)"),
        ("byte code", r"(?:^|/)__pycache__/|\.py[co]$"),
        (
            "tests of packages",
            r"/(?:site-packages|dist-packages)/(?:[^/]+/)?tests?/|/node_modules/(?:.+/)?__tests__/",
        ),
        ("headers and static libraries", r"\.(?:h|hh|hpp|hxx|a|la|o|pxd|pyx)$"),
        ("type declarations", r"\.pyi$|\.d\.[cm]?ts$"),
        ("source maps", r"\.(?:[cm]?js|css)\.map$"),
        (
            "documentation",
            r"(?:^|/)share/(?:man|doc|info|gtk-doc)/|/node_modules/(?:.+/)?[^/]+\.(?:md|markdown)$",
        ),
    )
)


class Dropped(msgspec.Struct, frozen=True):
    """What a rule kept out of an image."""

    rule: str
    files: int
    size: int


class Slimmer:
    """Says what is kept out, and remembers how much it was."""

    def __init__(self) -> None:
        self._count: dict[str, tuple[int, int]] = {}

    def drops(self, path: str, size: int) -> bool:
        """Say whether a file is kept out.

        Args:
            path: in the image, without a leading slash.
            size: bytes.
        """
        if _KEPT.match(path.rpartition("/")[2]):
            return False
        rule = next((name for name, pattern in RULES if pattern.search(path)), None)
        if rule is None:
            return False
        files, total = self._count.get(rule, (0, 0))
        self._count[rule] = (files + 1, total + size)
        return True

    def dropped(self) -> tuple[Dropped, ...]:
        """Give what was kept out, by rule."""
        return tuple(Dropped(name, *self._count[name]) for name, _ in RULES if name in self._count)
