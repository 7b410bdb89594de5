"""Reads what a policy is made of from files (I/O): Rego modules and data, every folder below included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_json import parse_json
from pratique.model.strict_yaml import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEST_SUFFIX: Final = "_test.rego"
_MAX_FILE: Final = 1024 * 1024
_MAX_FILES: Final = 2000
_REGO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.rego\Z")
_DATA_SUFFIXES: Final = {".json", ".yaml", ".yml"}


def read_modules(path: Path, *, tests: bool = False) -> dict[str, str]:
    """Read a `*.rego` file, or all below a folder; the names are relative to the folder, with `/`.

    Args:
        path: the file or folder.
        tests: whether to read `*_test.rego` too, which are no part of a policy.

    Raises:
        ConfigError: nothing there, or a file that cannot be read.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such folder of rules")
    found = {}
    for file in files_below(path, {".rego"}):
        if file.name.endswith(TEST_SUFFIX) and not tests:
            continue
        if not _REGO_NAME.match(file.name):
            raise ConfigError(f"{file}: rule files are named with letters, digits, '.', '_' and '-'")
        name = file.name if file == path else file.relative_to(path).as_posix()
        try:
            found[name] = read_file(file).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from error
    if not found:
        raise ConfigError(f"{path}: no *.rego files in it")
    return found


def read_data(paths: Iterable[Path]) -> dict[str, Any]:
    """Read `*.json`, `*.yaml` and `*.yml` into one document; each file's top level is the document's.

    Two files may fill the same table, but not the same place in it.

    Raises:
        ConfigError: nothing there, a file that cannot be read, or two that contradict each other.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        files = list(files_below(path, _DATA_SUFFIXES)) if path.exists() else []
        if not files:
            raise ConfigError(f"{path}: no *.json, *.yaml or *.yml there")
        for file in files:
            parse = parse_json if file.suffix == ".json" else parse_yaml
            try:
                document = parse(read_file(file), what=str(file))
            except MalformedError as error:
                raise ConfigError(error.message, hint=error.hint) from error
            if not isinstance(document, dict):
                raise ConfigError(f"{file}: the top level is no table")
            _merge(merged, document, file, ())
    return merged


def read_file(path: Path) -> bytes:
    """Read a file of limited size.

    Raises:
        ConfigError: unreadable, or larger than a megabyte.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MAX_FILE:
        raise ConfigError(f"{path}: larger than {_MAX_FILE} bytes")
    return data


def files_below(path: Path, suffixes: set[str]) -> Iterator[Path]:
    """List a file, or the files below a folder by name; hidden ones are not looked at, links are refused.

    Raises:
        ConfigError: a link, too many files, or a file with another ending.
    """
    if not path.is_dir():
        if path.suffix not in suffixes:
            raise ConfigError(
                f"{path}: neither a folder nor a file that ends in {', '.join(sorted(suffixes))}"
            )
        yield path
        return
    count = 0
    for item in sorted(path.rglob("*")):
        if any(part.startswith(".") for part in item.relative_to(path).parts):
            continue
        if item.is_symlink():
            raise ConfigError(
                f"{item}: a symbolic link", hint="put the file itself there, so that it is what is judged by"
            )
        if item.is_file() and item.suffix in suffixes:
            count += 1
            if count > _MAX_FILES:
                raise ConfigError(f"{path}: more than {_MAX_FILES} files")
            yield item


def _merge(base: dict[str, Any], over: dict[str, Any], file: Path, at: tuple[str, ...]) -> None:
    for key, value in over.items():
        if key not in base:
            base[key] = value
        elif isinstance(base[key], dict) and isinstance(value, dict):
            _merge(base[key], value, file, (*at, key))
        else:
            raise ConfigError(f"{file}: {'.'.join((*at, key))} is there already, from another file")
