"""pip's requirements files, as far as they pin versions (pip documentation, "Requirements File Format")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pratique.scan.catalogers.base import File, UnreadableError, sha256_digests

if TYPE_CHECKING:
    from pratique.scan.component import Component

_HASH = re.compile(r"\s--hash[= ](\S+)")
_INCLUDE = re.compile(r"(?:-r|--requirement)[= ]?\s*(\S+)")
_OPTION = re.compile(
    r"--?(?:i|index-url|extra-index-url|no-index|find-links|f|no-binary|only-binary|prefer-binary|"
    r"require-hashes|pre|trusted-host|use-feature|c|constraint)\b"
)


def read_requirements(file: File) -> list[Component]:
    """Read a requirements file whose every line pins one version.

    Raises:
        UnreadableError: a line that does not, or that includes a file that is not there.
    """
    found: list[Component] = []
    problems: list[str] = []
    text = re.sub(r"\\\r?\n", " ", file.text().removeprefix("\N{BYTE ORDER MARK}"))
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if not line or _OPTION.match(line):
            continue
        if included := _INCLUDE.match(line):
            if file.folder + included[1].removeprefix("./") not in file.contents:
                problems.append(f"it includes {included[1][:120]}, which is not among the files read")
            continue
        try:
            found.append(_pinned(file, line))
        except UnreadableError as error:
            problems.append(str(error))
    if problems:
        raise UnreadableError("; ".join(problems[:5]), found)
    return found


def _pinned(file: File, line: str) -> Component:
    try:
        requirement = Requirement(_HASH.sub("", line).strip())
    except InvalidRequirement as error:
        raise UnreadableError(f"not a pinned requirement: {line[:120]!r}") from error
    pins = list(requirement.specifier)
    if requirement.url or len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*"):
        raise UnreadableError(f"not a pinned requirement: {line[:120]!r}")
    return file.component(
        "pypi",
        canonicalize_name(requirement.name),
        pins[0].version,
        shown=requirement.name,
        hashes=sha256_digests(_HASH.findall(line)),
    )
