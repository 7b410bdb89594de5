"""`--record`: what was accepted is taken into the journal; of `verify` and of `image verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pratique.errors import UsageError
from pratique.model.predicate import short_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.cli.session import Session
    from pratique.flow.record import Brought
    from pratique.flow.verify import Judged


def check_named(session: Session, root: str | None) -> None:
    """Refuse a root without a name, before anything is verified.

    Raises:
        UsageError: none is named, or one that is not in use here.
    """
    from pratique.flow.verify import named_root  # noqa: PLC0415 - pulls in cryptography
    from pratique.trust.identity import KEYS_ALONE  # noqa: PLC0415 - likewise

    if root is None or (root != KEYS_ALONE and named_root(session.home, root) is None):
        raise UsageError(
            "--record needs the name of a root that is in use here, by which policy can ask for it",
            hint="pratique trust use FILE --fingerprint sha256:… --name NAME; or --root none for keys alone",
        )


def record_accepted(session: Session, judged: Judged, name: str, root: str | None) -> list[Brought]:
    """Take what was accepted into the journal; nothing where it was not."""
    from pratique.flow.record import record  # noqa: PLC0415 - pulls in cryptography

    if not judged.accepted:
        return []
    return record(session.workspace(), judged, name=name, root_name=root or "")


def brought_plain(brought: Sequence[Brought]) -> list[dict[str, Any]]:
    """Give what was taken as JSON has it."""
    return [{"evidence": str(one.evidence), "already": one.already} for one in brought]


def say_brought(brought: Sequence[Brought]) -> None:
    """Say what was taken."""
    for one in brought:
        state = "there as" if one.already else "journalled"
        click.echo(f"  {state}  {one.evidence}: {short_name(one.predicate_type)} by {one.signer}")
