"""Fetch locked files by digest, executing nothing of theirs.

`pip download` runs the build backend of a source archive to learn its metadata. Here the lock already says
all that is needed: which file, by digest. A file is taken under a fitting name, streamed, hashed while it
comes, and put in place only when its digest is in the lock.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from pratique.build import inputs
from pratique.build.download import Downloader, NotThereError
from pratique.build.index import ACCEPT, MAX_PAGE_BYTES, IndexConfig, Link, load_index_config, parse_page
from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.tags import Tag

    from pratique.build.inputs import Input, Kind
    from pratique.build.lock import Lock, Locked

MAX_FILE_BYTES: Final = 2 * 1024**3
_CHUNK: Final = 1024 * 1024

_T = TypeVar("_T")
Progress = Callable[[str, int], None]  # file name, bytes so far


def fetch(
    lock: Lock,
    directory: Path,
    *,
    kind: Kind = "wheel",
    config: Callable[[], IndexConfig] = load_index_config,
    progress: Progress = lambda _name, _count: None,
    attempts: int = 3,
    downloader: Callable[[IndexConfig], Downloader] = Downloader,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Input, ...]:
    """Bring the locked files of one kind into a directory; what is there already is verified and kept.

    Args:
        lock: what to fetch.
        directory: where to.
        kind: wheels that fit this interpreter, or source archives.
        config: where to look; asked only when something is missing.
        progress: called as bytes arrive.
        attempts: how often to try a download whose connection fails.
        downloader: how to connect.
        pause: waits between attempts, in seconds.

    Raises:
        ConfigError: no index has a file that the lock allows and that fits.
        EvidenceInvalidError: a file has a digest that the lock does not know.
        InfrastructureError: the network or the disk failed, also after trying again.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tags = inputs.interpreter_tags()
    missing = [entry for entry in lock.applicable if inputs.find_input(entry, directory, kind, tags) is None]
    if missing:
        found = config()
        fetcher = _Fetcher(directory, kind, tags, found, downloader(found), progress, attempts, pause)
        for entry in missing:
            fetcher.fetch(entry)
    return inputs.load_inputs(lock, directory, kind=kind)


class _Fetcher(msgspec.Struct, frozen=True):
    """What stays the same from one entry to the next."""

    directory: Path
    kind: Kind
    tags: tuple[Tag, ...]
    config: IndexConfig
    connect: Downloader
    progress: Progress
    attempts: int
    pause: Callable[[float], None]

    def fetch(self, entry: Locked) -> None:
        """Find and place the file of one entry; local directories first, then each index in turn."""
        strangers: list[str] = []
        for links in self._offers(entry):
            for link in _fitting(links, entry, self.kind, self.tags):
                digest = self._retry(functools.partial(self._place, link, entry))
                if digest is None:
                    return
                strangers.append(f"{link.filename} is {digest}")
        if strangers:
            raise EvidenceInvalidError(
                f"no file that was locked for {entry.name} {entry.version}: {'; '.join(strangers[:3])}",
                hint="the index serves other files than were locked: find out why before you lock again",
            )
        raise ConfigError(
            f"no {self.kind} of {entry.name} {entry.version} found that fits this interpreter",
            hint="see `python -m pip config list` for the index that is asked, or lock another version",
        )

    def _offers(self, entry: Locked) -> Iterator[tuple[Link, ...]]:
        """Give the links of every place that may have a project's files."""
        pages = []
        for place in self.config.find_links:
            path = _local(place)
            if path is not None and path.is_dir():
                yield tuple(Link(item.name, item.absolute().as_uri()) for item in sorted(path.iterdir()))
            elif path is None:
                pages.append(place)
        pages += [f"{index.rstrip('/')}/{entry.name}/" for index in self.config.indexes]
        for page in pages:
            get = functools.partial(self.connect.get, page, max_bytes=MAX_PAGE_BYTES, accept=ACCEPT)
            try:
                data, content_type, final = self._retry(get)
            except NotThereError:
                continue
            yield parse_page(data, content_type, final)

    def _place(self, link: Link, entry: Locked) -> Digest | None:
        """Download one file to its place; give its digest instead when the lock does not know it."""
        part = self.directory / f".{secrets.token_hex(8)}.part"
        running, count = hashlib.sha256(), 0
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as out:
                for chunk in _content(link, self.connect):
                    running.update(chunk)
                    count += len(chunk)
                    out.write(chunk)
                    self.progress(link.filename, count)
                out.flush()
                os.fsync(out.fileno())
            digest = Digest(running.hexdigest())
            if not any(digest.matches(allowed) for allowed in entry.digests):
                return digest
            part.replace(self.directory / link.filename)
        finally:
            part.unlink(missing_ok=True)
        return None

    def _retry(self, action: Callable[[], _T]) -> _T:
        """Try again when the network failed; never when what came was wrong or is not there."""
        for attempt in range(1, self.attempts):
            try:
                return action()
            except NotThereError:
                raise
            except InfrastructureError:
                self.pause(2.0**attempt)
        return action()


def _fitting(links: Iterable[Link], entry: Locked, kind: Kind, tags: Sequence[Tag]) -> list[Link]:
    """Pick the links whose names serve the entry, best first."""
    ranked = [
        (place, link)
        for link in links
        if (place := inputs.rank(link.filename, entry, kind, tags)) is not None
    ]
    return [link for _, link in sorted(ranked, key=lambda pair: (pair[0], pair[1].filename))]


def _content(link: Link, connect: Downloader) -> Iterator[bytes]:
    path = _local(link.url)
    if path is None:
        yield from connect.stream(link.url, max_bytes=MAX_FILE_BYTES)
        return
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error


def _local(place: str) -> Path | None:
    """A path, given as such or as a file URL; nothing for another address."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(place).expanduser() if not parts.scheme else None
