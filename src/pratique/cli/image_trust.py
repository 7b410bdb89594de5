"""What the image verbs need of the trust layer: whom the caller trusts, and saying what came of asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pratique.cli.commands.verify import judged_lines
from pratique.cli.render import verdict
from pratique.errors import CouldNotCheckError, PolicyRefusedError
from pratique.flow.image_evidence import Asking, ask_image
from pratique.flow.verify import Asked, Given, Judged, ask_journal, find_root
from pratique.model.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.cli.session import Session
    from pratique.image.place import Reader
    from pratique.model.digest import Digest


def asking_of(session: Session, given: Given, root: str | None) -> tuple[Asking, Asked | None]:
    """Put together what an image is judged by; the journal is asked for revocations where there is one."""
    asked = ask_journal(session.workspace()) if (session.home / "journal").is_dir() else None
    asking = Asking(
        root=find_root(session.home, root),
        given=given,
        revocations=tuple(asked.revocations) if asked else (),
        now=system_clock(),
    )
    return asking, asked


def checking(session: Session, what: str, policy: Path, root: str | None) -> Callable[[Reader, Digest], None]:
    """Make a check for `transfer`: it raises unless the policy accepts what is attached to an image."""
    asking, _ = asking_of(session, Given(policy), root)

    def check(reader: Reader, digest: Digest) -> None:
        judged = ask_image(reader, digest, asking, session.progress)
        if judged.accepted:
            return
        for line in said(judged, what):
            click.echo(line, err=True)
        kind = CouldNotCheckError if judged.unknown else PolicyRefusedError
        raise kind(
            f"{what}: the policy {policy} does not accept {digest}",
            hint=f"see why: pratique image verify {what}",
        )

    return check


def said(judged: Judged, what: str) -> list[str]:
    """Say what came of it, line by line."""
    word = verdict("ACCEPTED", "green") if judged.accepted else verdict("REFUSED", "red")
    return [f"{word} {what}", *judged_lines(judged)]
