"""Fetching from a TUF repository, over HTTPS or from a folder, under a root that was pinned."""

from __future__ import annotations

import http.client
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from pratique.errors import EvidenceInvalidError, InfrastructureError, SignatureInvalidError, UsageError
from pratique.store.atomic import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS: Final = 30.0
_CHUNK: Final = 64 * 1024
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME: Final = re.compile(r"(?:targets/)?[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_FOLDER: Final = "folder:/"


class FolderFetcher(FetcherInterface):
    """Reads a repository's files from a folder: a stick, a mounted share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(_FOLDER)
        if not _NAME.match(name):
            raise DownloadError(f"{name[:80]!r} is not a repository's file")
        try:
            with (self._folder / name).open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"{name} is not there", http.HTTPStatus.NOT_FOUND) from error
        except OSError as error:
            raise DownloadError(f"{name}: {error.strerror}") from error


class WebFetcher(FetcherInterface):
    """Fetches a repository's files over HTTPS, or HTTP from this machine; follows no redirect."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
        elif parts.scheme == "http" and host in _LOOPBACK:
            connection = http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
        else:
            raise DownloadError(f"{url}: not https")
        try:
            connection.request("GET", parts.path)
            reply = connection.getresponse()
            if reply.status != http.HTTPStatus.OK:
                raise DownloadHTTPError(f"{url}: HTTP {reply.status}", reply.status)
            while chunk := reply.read(_CHUNK):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"{url}: no answer: {error}") from error
        finally:
            connection.close()


def fetch_targets(source: str, names: Sequence[str], *, pinned: bytes, cache: Path) -> dict[str, bytes]:
    """Fetch targets by name; those that the repository does not have are left out (I/O).

    Args:
        source: a folder, or the URL of the repository.
        names: which targets.
        pinned: a root.json that is trusted; newer roots are believed as far as it leads to them.
        cache: where verified metadata is kept, so that an older repository is refused later.

    Raises:
        UsageError: neither a folder nor an https address.
        SignatureInvalidError: the metadata does not verify, has run out, or is older than what was seen.
        InfrastructureError: the repository cannot be reached, or the cache not be written.
    """
    is_web = source.startswith(("https://", "http://"))
    if not is_web and not Path(source).is_dir():
        raise UsageError(
            f"{source}: no such folder", hint="give the folder of a TUF repository, or its https address"
        )
    base = f"{source.rstrip('/')}/" if is_web else _FOLDER
    fetcher: FetcherInterface = WebFetcher() if is_web else FolderFetcher(Path(source))
    try:
        make_folder(cache / "targets")
        updater = Updater(
            str(cache),
            base,
            str(cache / "targets"),
            f"{base}targets/",
            fetcher,
            UpdaterConfig(),
            bootstrap=pinned,
        )
        updater.refresh()
        found = {name: updater.get_targetinfo(name) for name in names}
        return {
            name: Path(updater.download_target(info)).read_bytes()
            for name, info in found.items()
            if info is not None
        }
    except DownloadError as error:
        raise InfrastructureError(f"{source}: {error}") from error
    except (RepositoryError, ValueError) as error:
        raise SignatureInvalidError(
            f"{source}: the repository does not verify: {error}",
            hint="is this the root.json of that repository? if it has run out, its keeper publishes it again",
        ) from error
    except OSError as error:
        raise InfrastructureError(f"{cache}: {error.strerror or error}") from error


def require(found: dict[str, bytes], name: str, source: str) -> bytes:
    """Take a target that has to be there.

    Raises:
        EvidenceInvalidError: the repository does not have it.
    """
    if name not in found:
        raise EvidenceInvalidError(f"{source}: the repository has no {name}")
    return found[name]
