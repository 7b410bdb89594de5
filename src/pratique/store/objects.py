"""Object storage (S3 and what speaks its protocol): named bytes that several machines share.

All of the vendor library is in here; it is an extra, loaded when a store is opened. Credentials come from the
environment or the machine's role, as every S3 tool takes them, and never from a file of ours.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from pratique.errors import ConfigError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9._/-]*))?\Z")
_AT_ONCE: Final = 16
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
_TIMEOUT: Final = "30s"
_RETRIES: Final = 7
_RETRY_SECONDS: Final = 60


class ConflictError(InfrastructureError):
    """An object was replaced by somebody else since it was read."""


class Stored(msgspec.Struct, frozen=True):
    """An object's bytes, and the version (ETag) that `Objects.replace` compares."""

    data: bytes
    version: str


class Objects:
    """A bucket, or the part of it below a prefix.

    What is put is durable and readable by everybody when the call returns. Every method retries what the
    service asks to be retried, for a minute at most.

    Attributes:
        url: for messages.
    """

    def __init__(self, store: Any, url: str) -> None:
        self.url = url
        self._store = store

    def get(self, name: str) -> Stored | None:
        """Read an object whole; None when there is none.

        Raises:
            InfrastructureError: the service did not answer, or refused.
        """
        import obstore  # noqa: PLC0415 - an extra; see the module's description

        try:
            with self._translated(name):
                found = obstore.get(self._store, name)
                return Stored(bytes(found.bytes()), found.meta["e_tag"] or "")
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        """Give an object's size in bytes; None when there is none.

        Raises:
            InfrastructureError: the service did not answer, or refused.
        """
        import obstore  # noqa: PLC0415 - as above

        try:
            with self._translated(name):
                return int(obstore.head(self._store, name)["size"])
        except FileNotFoundError:
            return None

    def put_all(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Write objects, several at once; after a failure any of them may be there.

        Raises:
            InfrastructureError: the service did not answer, or refused.
        """
        import obstore  # noqa: PLC0415 - as above

        def put(item: tuple[str, bytes]) -> None:
            with self._translated(item[0]):
                obstore.put(self._store, item[0], item[1])

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(put, items):
                pass

    def put_file(self, name: str, source: Path) -> None:
        """Write an object from a file, in parts where it is large: memory stays constant.

        Raises:
            InfrastructureError: the service did not answer, or refused, or the file cannot be read.
        """
        import obstore  # noqa: PLC0415 - as above

        with self._translated(name):
            obstore.put(self._store, name, source)

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """Read an object in pieces; None when there is none.

        Raises:
            InfrastructureError: the service did not answer, or refused; also while iterating.
        """
        import obstore  # noqa: PLC0415 - as above

        try:
            with self._translated(name):
                found = obstore.get(self._store, name)
        except FileNotFoundError:
            return None
        return self._stream(name, found)

    def replace(self, name: str, data: bytes, version: str | None) -> str:
        """Write an object if it still has a version, or does not exist (None); give its new version.

        Raises:
            ConflictError: somebody else wrote it meanwhile.
            InfrastructureError: the service did not answer, or refused.
        """
        import obstore  # noqa: PLC0415 - as above
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 - as above

        mode: Any = "create" if version is None else {"e_tag": version}
        try:
            with self._translated(name):
                return obstore.put(self._store, name, data, mode=mode)["e_tag"] or ""
        except (AlreadyExistsError, PreconditionError) as error:
            raise ConflictError(f"{self.url}/{name} was written by somebody else meanwhile") from error

    def names(self, prefix: str) -> Iterator[str]:
        """Give the names of all objects below a folder, in order.

        Raises:
            InfrastructureError: the service did not answer, or refused.
        """
        import obstore  # noqa: PLC0415 - as above

        with self._translated(prefix):
            found = [meta["path"] for page in obstore.list(self._store, prefix) for meta in page]
        yield from sorted(found)

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects; those that are not there are passed over.

        Raises:
            InfrastructureError: the service did not answer, or refused.
        """
        import obstore  # noqa: PLC0415 - as above

        if names:
            with self._translated(names[0]):
                obstore.delete(self._store, list(names))

    def _stream(self, name: str, found: Any) -> Iterator[bytes]:
        with self._translated(name):
            for chunk in found.stream():
                yield bytes(chunk)

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        from obstore.exceptions import (  # noqa: PLC0415 - as above
            AlreadyExistsError,
            BaseError,
            PreconditionError,
        )

        try:
            yield
        except (FileNotFoundError, AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, OSError) as error:
            raise InfrastructureError(
                f"{self.url}/{name}: {_first_line(error)}",
                hint="check the endpoint, the bucket, and the credentials in the environment (AWS_…)",
            ) from error


def open_objects(url: str, *, endpoint: str | None = None, region: str | None = None) -> Objects:
    """Open `s3://bucket/prefix`; nothing is asked of the service yet.

    Args:
        url: bucket and prefix.
        endpoint: of a service other than AWS; plain HTTP on loopback alone.
        region: as the service names it.

    Raises:
        ConfigError: another kind of URL, an endpoint that is not HTTPS, or the extra is not installed.
    """
    found = _URL.match(url)
    if not found:
        raise ConfigError(f"{url[:200]!r} is no object storage", hint="write s3://BUCKET/PREFIX")
    plain = endpoint is not None and _is_plain(endpoint)
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - an extra; see the module's description
    except ImportError as error:
        raise ConfigError(
            "object storage needs an extra that is not installed", hint="pip install 'pratique[s3]'"
        ) from error
    settings: dict[str, Any] = {"endpoint": endpoint, "region": region}
    store = S3Store(
        found["bucket"],
        prefix=(found["prefix"] or "").strip("/") or None,
        client_options={"timeout": _TIMEOUT, "connect_timeout": "10s", "allow_http": plain},
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
            "backoff": {
                "init_backoff": timedelta(seconds=0.2),
                "max_backoff": timedelta(seconds=8),
                "base": 2,
            },
        },
        **{name: value for name, value in settings.items() if value is not None},
    )
    return Objects(store, url.rstrip("/"))


def _is_plain(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    if parts.scheme == "https" and parts.hostname:
        return False
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return True
    raise ConfigError(
        f"the endpoint {endpoint[:200]!r} is not HTTPS", hint="plain HTTP is for loopback alone"
    )


def _first_line(error: Exception) -> str:
    """Keep what a person can use of the library's message, which goes on for pages of debug output."""
    return " ".join(str(error).split("\n\nDebug source")[0].split())[:500]
