"""`pratique log store|push|fetch|restore`: the journal on object storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.errors import UsageError
from pratique.model.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.flow.storage import Sent
    from pratique.trust.authority.init import Authority

F = TypeVar("F", bound="Callable[..., object]")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _service(function: F) -> F:
    function = click.option("--region", help="Region, as the service names it.")(function)
    return click.option("--endpoint", help="HTTPS address of a service other than AWS.")(function)


@click.command("store")
@click.argument("url")
@_service
@session_options
def store(session: Session, *, url: str, endpoint: str | None, region: str | None) -> None:
    """Keep the journal on object storage too: URL is s3://BUCKET/PREFIX, a prefix for this log alone.

    Everything that is here goes there now. From then on every append waits until the bucket has it, and
    evidence that is missing here is taken from there. Credentials come from the environment, as
    AWS_ACCESS_KEY_ID and the like.
    """
    from pratique.flow.storage import Storage, attach  # noqa: PLC0415 - pulls in cryptography

    sent = attach(session.home, _authority(session), Storage(url=url, endpoint=endpoint, region=region))
    _show(session, url, sent)


@click.command("push")
@session_options
def push(session: Session) -> None:
    """Put what the object storage has not yet there: after it was out of reach, or a blob was lost in it."""
    from pratique.flow.storage import send, storage_of  # noqa: PLC0415 - pulls in cryptography

    storage = storage_of(session.home)
    if storage is None:
        raise UsageError("this journal has no object storage", hint="pratique log store s3://BUCKET/PREFIX")
    _show(session, storage.url, send(session.home, _authority(session), storage))


@click.command("fetch")
@click.argument("url")
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.option("--trusted-root", required=True, type=_FILE, help="Names the log's key.")
@_service
@session_options
def fetch(
    session: Session,
    *,
    url: str,
    target: Path,
    trusted_root: Path,
    endpoint: str | None,
    region: str | None,
) -> None:
    """Copy a published log from URL into a new FOLDER, verified, for whoever reads tiles.

    `pratique log follow` does, and so do other projects' monitors.
    """
    from pratique.flow.storage import Storage  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.storage import fetch as fetch_log  # noqa: PLC0415 - as above
    from pratique.trust.rootfile import load_root  # noqa: PLC0415 - as above

    storage = Storage(url=url, endpoint=endpoint, region=region)
    size = fetch_log(storage, target, load_root(trusted_root))
    session.emit({"size": size, "folder": str(target)}, lambda: click.echo(f"{target}: {size} entries"))


@click.command("restore")
@click.argument("url")
@_service
@session_options
def restore(session: Session, *, url: str, endpoint: str | None, region: str | None) -> None:
    """Begin a journal with what URL has, on a machine that lost its own and has a copy of the trust folder.

    Everything is verified against the log's key. Evidence is copied as it is read, and the journal goes on
    from there.
    """
    from pratique.flow.storage import Storage  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.storage import restore as restore_journal  # noqa: PLC0415 - as above

    storage = Storage(url=url, endpoint=endpoint, region=region)
    size = restore_journal(session.home, _authority(session), storage)
    session.emit({"size": size}, lambda: click.echo(f"the journal is restored: {size} entries"))


def _authority(session: Session) -> Authority:
    from pratique.flow.signing import key_opener  # noqa: PLC0415 - pulls in cryptography
    from pratique.trust.authority.init import Authority  # noqa: PLC0415 - likewise

    return Authority.load(session.home / "trust", system_clock, key_opener(ask_secret, system_clock))


def _show(session: Session, url: str, sent: Sent) -> None:
    body = {"url": url, "size": sent.size, "blobsSent": sent.blobs}
    session.emit(body, lambda: click.echo(f"{url}: {sent.size} entries published, {sent.blobs} blobs sent"))
