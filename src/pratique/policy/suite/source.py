"""A policy's source folder: rules, their tests, data, and examples beside them (I/O).

licence.rego            rules, and `licence_test.rego` their tests
data.json               rule data, laid over the shipped defaults
trust.toml              only in a whole policy: then nothing of the shipped one is used
licence.refused.deny.json, licence.refused.pass.json
                        input documents on which the code must fire, or must not
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_json import MAX_BYTES, parse_json_object
from pratique.policy.bundle import DATA_FILE, TRUST_FILE, PolicyBundle, load_bundle
from pratique.policy.files import TEST_SUFFIX, files_below, read_modules
from pratique.policy.settings import merge
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pratique.policy.sources import Source

OWN_PREFIX: Final = "project/"
_MAX_FILE: Final = 1 << 20


def load_source(
    folder: Path,
    *,
    profile: str,
    requirements: dict[str, Any],
    data: dict[str, Any] | None = None,
    sources: Iterable[Source] = (),
) -> PolicyBundle:
    """Load what a source folder makes: a whole policy, or a shipped profile with what the folder adds.

    Args:
        folder: the source folder.
        profile: of the shipped policy; a whole policy has none.
        requirements: laid over the shipped policy's, the trust domain among them; a whole policy takes none.
        data: rule data laid over the folder's own; a whole policy takes none.
        sources: further rules, each in conventions of its own.

    Raises:
        ConfigError: a part that does not hold up.
    """
    if is_whole(folder):
        return load_bundle(folder, sources)
    return shipped_bundle(
        profile,
        data=merge(source_data(folder), data or {}),
        requirements=requirements,
        rules=folder,
        sources=sources,
    )


def is_whole(folder: Path) -> bool:
    """Say whether a folder is a policy of its own, rather than additions to the shipped one."""
    return (folder / TRUST_FILE).is_file()


def source_data(folder: Path) -> dict[str, Any]:
    """Read a folder's rule data; a folder without any adds none.

    Raises:
        ConfigError: it is not a JSON object.
    """
    path = folder / DATA_FILE
    if not path.exists():
        return {}
    try:
        return parse_json_object(read_text(path).encode(), what=str(path))
    except MalformedError as error:
        raise ConfigError(error.message) from error


def read_tests(folder: Path) -> dict[str, str]:
    """Read the test modules below a folder, by their names in it.

    Raises:
        ConfigError: one cannot be read.
    """
    modules = read_modules(folder, tests=True)
    return {name: text for name, text in modules.items() if name.endswith(TEST_SUFFIX)}


def read_examples(folder: Path) -> dict[str, bytes]:
    """Read the examples below a folder, by their names in it.

    Raises:
        ConfigError: one cannot be read.
    """
    return {
        path.relative_to(folder).as_posix(): _read(path, MAX_BYTES)
        for path in files_below(folder, {".json"})
        if path.name.endswith((".pass.json", ".deny.json"))
    }


def read_text(path: Path) -> str:
    """Read one source file.

    Raises:
        ConfigError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        return _read(path, _MAX_FILE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise ConfigError(f"{path}: larger than {limit} bytes")
    return data
