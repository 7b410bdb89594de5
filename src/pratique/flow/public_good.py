"""Sigstore's public-good trusted root: by its TUF repository, from where sigstore-python's package says."""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pratique.errors import ConfigError, UsageError
from pratique.flow.trust_repository import FIRST, Imported, use_trust
from pratique.store.atomic import write_all_atomic
from pratique.trust.identity import check_root_name
from pratique.trust.root import parse_root
from pratique.trust.rootfile import ROOT_FILE

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS: Final = "https://tuf-repo-cdn.sigstore.dev"
NAME: Final = "public-good"
_EXTRA: Final = "pip install 'pratique[sigstore]'"


def use_public_good(home: Path, source: str, *, name: str = NAME) -> Imported:
    """Take over the public-good root from its TUF repository, or a copy of that in a folder (I/O).

    The first root.json is the one in sigstore-python's package; later, the one that was pinned first.

    Args:
        home: the state directory.
        source: folder or URL; empty for `ADDRESS`.
        name: what it is called here.

    Raises:
        ConfigError: sigstore-python is not installed, or has no root.
        UsageError, SignatureInvalidError, MalformedError, InfrastructureError: see `use_trust`.
    """
    first = home / "roots" / check_root_name(name, what="--name") / "tuf" / FIRST
    pinned = first.read_bytes() if first.is_file() else shipped("root.json")
    return use_trust(home, source or ADDRESS, pinned=pinned, name=name)


def use_shipped(home: Path, *, name: str = NAME) -> Imported:
    """Take over the public-good root as it was when sigstore-python's package was made (I/O).

    Raises:
        ConfigError: sigstore-python is not installed, or has no root.
        UsageError: a root of that name is there already: what was fetched is newer, or is another.
    """
    folder = home / "roots" / check_root_name(name, what="--name")
    if (folder / ROOT_FILE).exists():
        raise UsageError(f"{folder} is there already", hint="without --shipped, newer ones are taken over")
    pinned, data = shipped("root.json"), shipped(ROOT_FILE)
    root = parse_root(data)
    write_all_atomic([(folder / "tuf" / FIRST, pinned), (folder / ROOT_FILE, data)])
    return Imported(folder, root, signing=False)


def shipped(name: str) -> bytes:
    """Read a file that sigstore-python's package has for the public-good instance (I/O).

    Raises:
        ConfigError: it is not installed, or keeps its files elsewhere.
    """
    try:
        store = importlib.resources.files("sigstore") / "_store" / quote(ADDRESS, safe="")
        return (store / name).read_bytes()
    except ModuleNotFoundError as error:
        raise ConfigError("Sigstore's first root is in sigstore-python's package", hint=_EXTRA) from error
    except OSError as error:
        raise ConfigError(
            f"sigstore-python has no {name} for {ADDRESS}: {error.strerror}",
            hint="get Sigstore's root.json in another way, and name it with --root",
        ) from error
