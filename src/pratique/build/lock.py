"""Lock files: pip requirements where every line is pinned to one version and to SHA-256 digests.

The format is what `pip-compile --generate-hashes` and `uv pip compile --generate-hashes` write. Anything that
would make the result depend on more than the digests (an index, a URL, a range, an unhashed line) is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pratique.errors import ConfigError
from pratique.model.digest import Digest, sha256_bytes

if TYPE_CHECKING:
    from pathlib import Path

MAX_LOCK_BYTES = 16 * 1024 * 1024
_HASH = re.compile(r"--hash[= ](?P<algorithm>[a-z0-9]+):(?P<hex>[0-9a-fA-F]+)")
_SHA256_HEX = re.compile(r"[0-9a-f]{64}\Z")


class Locked(msgspec.Struct, frozen=True):
    """One pinned distribution: its normalised name, version, and the digests of the files it may be."""

    name: str
    version: str
    digests: tuple[Digest, ...]
    marker: str = ""

    @property
    def applies(self) -> bool:
        """Whether its marker holds for this interpreter."""
        return not self.marker or Marker(self.marker).evaluate()


class Lock(msgspec.Struct, frozen=True):
    """A whole lock file: every line (`entries`), and the digest of the file's bytes."""

    entries: tuple[Locked, ...]
    digest: Digest

    @property
    def applicable(self) -> tuple[Locked, ...]:
        """The entries that count for this interpreter."""
        return tuple(entry for entry in self.entries if entry.applies)


def load_lock(path: Path) -> Lock:
    """Read and parse a lock file.

    Raises:
        ConfigError: it cannot be read, or `parse_lock` refuses it.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_LOCK_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot read the lock file {path}: {error.strerror}",
            hint="make one with: uv pip compile --generate-hashes --no-emit-index-url, or pip-compile",
        ) from error
    return parse_lock(data, what=str(path))


def parse_lock(data: bytes, *, what: str) -> Lock:
    """Parse a lock file's bytes.

    Raises:
        ConfigError: a line that is not `name==version` with SHA-256 digests, a name given twice for this
            interpreter, or nothing at all; the message names the line.
    """
    if len(data) > MAX_LOCK_BYTES:
        raise ConfigError(f"{what}: larger than a lock file can be")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: not UTF-8 text") from error
    entries = tuple(
        _parse_entry(line, f"{what}, line {number}") for number, line in _logical_lines(text, what)
    )
    if not entries:
        raise ConfigError(f"{what}: locks nothing")
    seen: set[str] = set()
    for entry in entries:
        if entry.applies and entry.name in seen:
            raise ConfigError(f"{what}: {entry.name} is locked twice for this interpreter")
        if entry.applies:
            seen.add(entry.name)
    return Lock(entries, sha256_bytes(data))


def _logical_lines(text: str, what: str) -> list[tuple[int, str]]:
    """Join lines that end in a backslash, drop comments as pip does (from ` #` on), keep the first number."""
    joined: list[tuple[int, str]] = []
    pending, start = "", 0
    # Only what pip takes for a line end counts: str.splitlines would also cut at U+2028 and others.
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        start = start or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        pending += line
        if pending.strip():
            joined.append((start, pending.strip()))
        pending, start = "", 0
    if pending.strip():
        raise ConfigError(f"{what}, line {start}: ends in the middle of an entry")
    return joined


def _parse_entry(line: str, where: str) -> Locked:
    if line.startswith("-"):
        raise ConfigError(
            f"{where}: an option does not belong in a lock: {_shown(line)}",
            hint="write the lock without index URLs, for example: uv pip compile --generate-hashes "
            "--no-emit-index-url",
        )
    requirement_text = _HASH.sub(" ", line).strip()
    if " --" in requirement_text or "\t--" in requirement_text:
        raise ConfigError(f"{where}: an option that is not a hash: {_shown(requirement_text)}")
    try:
        requirement = Requirement(requirement_text)
        pins = list(requirement.specifier)
        version = str(Version(pins[0].version)) if len(pins) == 1 and pins[0].operator == "==" else ""
    except (InvalidRequirement, InvalidVersion, InvalidMarker) as error:
        raise ConfigError(f"{where}: not `name==version --hash=sha256:…`: {_shown(line)}") from error
    if requirement.url or not version:
        raise ConfigError(f"{where}: not pinned to one version with ==: {_shown(requirement_text)}")
    if requirement.marker and "extra" in str(requirement.marker):
        raise ConfigError(f"{where}: a lock has no extras to choose by: {_shown(requirement_text)}")
    marker = str(requirement.marker) if requirement.marker else ""
    return Locked(canonicalize_name(requirement.name), version, _digests(line, where), marker)


def _digests(line: str, where: str) -> tuple[Digest, ...]:
    found = set()
    for match in _HASH.finditer(line):
        hex_digest = match["hex"].lower()
        if match["algorithm"] == "sha256":
            if not _SHA256_HEX.match(hex_digest):
                raise ConfigError(f"{where}: not a SHA-256 digest: {_shown(hex_digest)}")
            found.add(Digest(hex_digest))
    if not found:
        raise ConfigError(
            f"{where}: no sha256 digest: {_shown(line)}",
            hint="write the lock with digests, for example: uv pip compile --generate-hashes",
        )
    return tuple(sorted(found))


def _shown(text: str) -> str:
    return repr(text[:80])
