"""`pratique trust export` and `trust use`: trust from one machine to another."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, given_digest, read_bounded, session_options
from pratique.errors import UsageError
from pratique.model.clock import system_clock

_MAX_ROOT_BYTES = 512_000
_EXTRA = "pip install 'pratique[tuf]'"


@click.command("export")
@click.argument(
    "repository", metavar="[FOLDER]", type=click.Path(file_okay=False, path_type=Path), required=False
)
@click.option(
    "--url",
    default="",
    help="Where clients sign: the address of `pratique serve`.  [default: as published before]",
)
@click.option("--oidc", multiple=True, help="Issuer that people log in at; goes with --url.  [repeatable]")
@click.option("--root-key", "root_keys", multiple=True, metavar="KEY",
              help="Key that signs the repository's root; all of them are needed.  [repeatable]")  # fmt: skip
@click.option("--online-key", metavar="KEY", help="Key that signs the rest.")
@click.option("--days", default=30, show_default=True, help="How long this version holds.")
@session_options
def export(
    session: Session,
    *,
    repository: Path | None,
    url: str,
    oidc: tuple[str, ...],
    root_keys: tuple[str, ...],
    online_key: str | None,
    days: int,
) -> None:
    """Publish the trust root as a TUF repository in FOLDER, or publish its next version.

    Without FOLDER it is the one that `pratique serve` serves under /tuf/. Whoever uses it pins its root.json;
    unmodified Sigstore clients do so too. KEY is a file or a key URI; without any, keys are made here.
    """
    from pratique.flow.signing import surroundings  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.trust_repository import SERVED, export_trust  # noqa: PLC0415 - likewise
    from pratique.trust.signers.table import open_key  # noqa: PLC0415 - likewise

    keys = {}
    if root_keys or online_key:
        world = surroundings(session.workspace(), ask_secret)
        keys = {text: open_key(text, world) for text in (*root_keys, *([online_key] if online_key else []))}
    try:
        done = export_trust(
            session.home,
            repository or session.home / "trust" / SERVED,
            url=url,
            oidc=oidc,
            root_keys=[keys[text] for text in root_keys],
            online_key=keys[online_key] if online_key else None,
            days=days,
            clock=system_clock,
        )
    except ImportError as error:
        raise UsageError(f"python-tuf is not installed ({error.name})", hint=_EXTRA) from error
    body = {"folder": str(done.folder), "version": done.version, "root": str(done.root)}
    session.emit(body, lambda: click.echo(f"version {done.version} in {done.folder}; pin {done.root}"))


@click.command("use")
@click.argument("source", default="")
@click.option("--root", "pinned", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The repository's root.json, got over a channel that you trust.")  # fmt: skip
@click.option("--fingerprint", metavar="sha256:…", help="SOURCE is a trusted_root.json; its owner gave this.")
@click.option("--public-good", is_flag=True, help="Sigstore's own root; SOURCE is a copy, or its address.")
@click.option("--shipped", is_flag=True, help="With --public-good: as sigstore-python brought it.")
@click.option("--name", default="", help="What the root is called here, as in verify --root NAME.")
@session_options
def use(
    session: Session,
    *,
    source: str,
    pinned: Path | None,
    fingerprint: str | None,
    public_good: bool,
    shipped: bool,
    name: str,
) -> None:
    """Take over the trust root of SOURCE: a TUF repository in a folder, on a stick, or at an https address.

    Do it again to take over what was published since; an older repository is refused. With --fingerprint and
    --name, SOURCE is a trusted_root.json itself. Roots in use stand beside your own: trust show lists them.

    With --public-good no root.json is needed: sigstore-python's package has Sigstore's. Without SOURCE it is
    fetched from Sigstore, with --shipped nothing is.
    """
    from pratique.flow.public_good import NAME, use_public_good, use_shipped  # noqa: PLC0415 - likewise
    from pratique.flow.trust_repository import use_file, use_trust  # noqa: PLC0415 - pulls in cryptography

    if [pinned is not None, fingerprint is not None, public_good].count(True) != 1:
        raise UsageError(
            "by what is it to be believed?",
            hint="one of --root root.json, --fingerprint sha256:…, --public-good",
        )
    if not source and not public_good:
        raise UsageError("which root?", hint="pratique trust use FOLDER, or an https address")
    if shipped and (source or not public_good):
        raise UsageError("--shipped goes with --public-good, and without SOURCE")
    try:
        if shipped:
            done = use_shipped(session.home, name=name or NAME)
        elif public_good:
            done = use_public_good(session.home, source, name=name or NAME)
        elif pinned is not None:
            data = read_bounded(pinned, _MAX_ROOT_BYTES)
            done = use_trust(session.home, source, pinned=data, name=name)
        else:
            given = given_digest(fingerprint or "")
            done = use_file(session.home, Path(source), fingerprint=given, name=name)
    except ImportError as error:
        raise UsageError(f"python-tuf is not installed ({error.name})", hint=_EXTRA) from error
    body = {
        "fingerprint": str(done.root.fingerprint),
        "logs": [log.origin for log in done.root.tlogs],
        "folder": str(done.folder),
        "signing": done.signing,
    }

    def human() -> None:
        click.echo(f"trust root   {done.root.fingerprint}")
        click.echo(f"logs         {', '.join(log.origin for log in done.root.tlogs)}")
        click.echo(f"folder       {done.folder}")

    session.emit(body, human)
