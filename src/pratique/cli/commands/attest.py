"""`pratique attest`: sign a claim about an artifact with a key of your own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pratique.cli.secrets import KEY_HELP, ask_secret
from pratique.cli.session import Session, read_bounded, session_options
from pratique.errors import UsageError

if TYPE_CHECKING:
    from pratique.trust.statement import Statement, Subject

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("attest")
@click.argument("artifacts", nargs=-1)
@click.option(
    "--predicate-type", "--type", "kind", required=True, help="Predicate type: a short name, or its URI."
)
@click.option("--predicate", type=_FILE, required=True, help="JSON file with the claim.")
@click.option("--subjects-of", type=_FILE, help="Also claim it about what another bundle is about.")
@click.option("--key", metavar="KEY", help=KEY_HELP)
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --key sigstore:…: where the bundle goes.",
)
@click.option("--dry-run", is_flag=True, help="Print the statement, and sign nothing.")
@session_options
def command(
    session: Session,
    *,
    artifacts: tuple[str, ...],
    kind: str,
    predicate: Path,
    subjects_of: Path | None,
    key: str | None,
    bundle: Path | None,
    dry_run: bool,
) -> None:
    """Sign a claim about ARTIFACTS (by default the newest build) and journal it.

    An artifact is a file, a directory (every file in it), or a digest (sha256:… or NAME@sha256:…). Predicates
    of types that in-toto, SLSA, CycloneDX, SPDX and OpenVEX specify are checked first; others are taken as
    they are. Anybody with a key can claim anything; whether the claim counts is decided by policy, which
    knows who may sign what.

    With --key sigstore:… the claim goes into the journal of the team's server, where pratique.toml names one
    ([trust] server); if that does not take it, the command fails, and --bundle has the signature.
    """
    from pratique.flow.attest import attest, make_claim  # noqa: PLC0415 - pulls in cryptography
    from pratique.model.strict_json import MAX_BYTES, parse_json_object  # noqa: PLC0415

    body = parse_json_object(read_bounded(predicate, MAX_BYTES), what=str(predicate))
    claim = make_claim(_subjects(session, artifacts, subjects_of), kind, body)
    if dry_run:
        click.echo(claim.encode().decode())
        return
    if key is None:
        raise UsageError("no key given", hint="--key FILE or a key URI; --dry-run only shows the statement")
    if key.startswith("sigstore:") or bundle is not None:
        _keyless(session, claim, key, bundle)
        return
    evidence = attest(session.workspace(), claim, key, ask_secret)
    subjects = [{"name": item.name, "digest": item.digest} for item in claim.subjects]
    names = ", ".join(item.name for item in claim.subjects[:_SHOWN])
    more = f" and {len(subjects) - _SHOWN} more" if len(subjects) > _SHOWN else ""
    session.emit(
        {"subjects": subjects, "predicateType": claim.predicate_type, "evidence": str(evidence)},
        lambda: click.echo(f"journalled {kind} about {names}{more} as {evidence}"),
    )


_SHOWN = 3


def _keyless(session: Session, claim: Statement, key: str, bundle: Path | None) -> None:
    """A Sigstore instance keeps its own log: the bundle goes into a file, and to the team's server."""
    from pratique.cli.commands.log_send import hand_over, team  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.attest import attest_keyless  # noqa: PLC0415 - likewise
    from pratique.flow.sign import check_absent, is_keyless  # noqa: PLC0415
    from pratique.trust.keys import write_new_file  # noqa: PLC0415

    if bundle is None or not is_keyless(key):
        raise UsageError("--bundle FILE goes together with --key sigstore:…, and the other way round")
    check_absent(bundle)
    whom = team(session)
    write_new_file(bundle, attest_keyless(claim, key, os.environ))
    body: dict[str, Any] = {"predicateType": claim.predicate_type, "bundle": str(bundle)}
    if whom is None:
        session.emit(body, lambda: click.echo(f"wrote {bundle}, logged by the Sigstore instance"))
        return
    sent = hand_over(whom, bundle)
    body |= {"server": whom.url, "evidence": str(sent.digest), "logIndex": sent.index}
    session.emit(body, lambda: click.echo(f"wrote {bundle}: {sent.digest}, entry {sent.index} at {whom.url}"))


def _subjects(session: Session, artifacts: tuple[str, ...], bundle: Path | None) -> list[Subject]:
    from pratique.flow.subjects import find_subjects, subjects_of  # noqa: PLC0415 - pulls in cryptography
    from pratique.trust.bundle import MAX_BUNDLE_BYTES  # noqa: PLC0415

    found: list[Subject] = []
    if bundle is not None:
        found += subjects_of(read_bounded(bundle, MAX_BUNDLE_BYTES), what=str(bundle))
    if artifacts or bundle is None:
        project = None if artifacts else session.project
        for given in artifacts or (None,):
            found += find_subjects(session.workspace, project, given)
    return found
