"""`pratique image attach|verify`: evidence where the image is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pratique.cli.commands.image_transfer import access_of, access_options, given_reference
from pratique.cli.recording import brought_plain, check_named, record_accepted, say_brought
from pratique.cli.session import Session, read_bounded, session_options
from pratique.errors import ExitCode
from pratique.model.predicate import short_name

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_BYTES = 32 * 1024 * 1024


@click.command("attach")
@click.argument("image", metavar="IMAGE")
@click.option(
    "--bundle", "bundles", type=_FILE, multiple=True, help="Sigstore bundle about the image.  [repeatable]"
)
@access_options
@session_options
def attach(
    session: Session,
    *,
    image: str,
    bundles: tuple[Path, ...],
    auth_file: Path | None,
    authorities: tuple[Path, ...],
) -> None:
    """Attach evidence to an image in a registry, layout or archive, where cosign and others find it.

    By default all that the journal has about the image. What is attached already stays as it is.
    """
    from pratique.flow import image_evidence as flow  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.image_transfer import open_reader, resolve  # noqa: PLC0415 - likewise

    reference, access = given_reference(image), access_of(auth_file, authorities)
    workspace = None if bundles else session.workspace()
    found = resolve(reference, open_reader(reference, access), session.progress)
    contents = (
        flow.journalled_bundles(workspace, found.digest)
        if workspace
        else [(str(file), read_bounded(file, _MAX_BYTES)) for file in bundles]
    )
    attached = flow.attach(reference, found, contents, access, session.progress)

    def human() -> None:
        for one in attached:
            click.echo(
                f"attached {short_name(one.predicate_type)} to {found.digest} as {one.manifest.digest}"
            )

    listed = [{"predicateType": one.predicate_type, "manifest": str(one.manifest.digest)} for one in attached]
    session.emit({"image": image, "digest": str(found.digest), "attached": listed}, human)


@click.command("verify")
@click.argument("image", metavar="IMAGE")
@click.option("--policy", type=_FILE, help="Verification policy (TOML): who has to have signed what.")
@click.option("--certificate-identity", "identity", default="", help="Whose certificate; * within a segment.")
@click.option("--certificate-oidc-issuer", "issuer", default="", help="Who has to vouch for that name.")
@click.option("--key", "keys", type=_FILE, multiple=True, help="Public key(s) to trust.  [repeatable]")
@click.option("--root", help="Trusted root: a file, or the name of one in use.  [default: one's own]")
@click.option("--predicate-type", default="", help="What has to be claimed: a URI or a short name.")
@click.option("--max-age", type=click.IntRange(min=1), help="Oldest signature that counts, in days.")
@click.option("--record", is_flag=True, help="Take what was accepted into the journal, for the gate.")
@access_options
@session_options
def verify(
    session: Session,
    *,
    image: str,
    root: str | None,
    record: bool,
    auth_file: Path | None,
    authorities: tuple[Path, ...],
    **trusted: Any,
) -> int:
    """Verify an image by what is attached to it, before any byte of it is used.

    Somebody whom you name has to have signed for the image's digest, by --policy, --certificate-identity with
    --certificate-oidc-issuer, or --key; without any of these nobody is trusted, and the answer is no. What is
    attached and does not hold is set aside, as anybody may attach anything.

    With --record, what was accepted is taken into the journal, as `pratique verify --record` does.
    """
    from pratique.cli.commands.verify import judged_plain  # noqa: PLC0415 - likewise
    from pratique.cli.image_trust import asking_of, said  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.image_evidence import verify_image  # noqa: PLC0415 - likewise
    from pratique.flow.verify import Given  # noqa: PLC0415 - likewise

    given = Given(
        trusted["policy"],
        trusted["identity"],
        trusted["issuer"],
        trusted["keys"],
        trusted["predicate_type"],
        trusted["max_age"],
    )
    if record:
        check_named(session, root)
    asking, asked = asking_of(session, given, root)
    digest, judged = verify_image(
        given_reference(image), access_of(auth_file, authorities), asking, session.progress
    )

    brought = record_accepted(session, judged, image.partition("@")[0], root) if record else []

    def human() -> None:
        for line in said(judged, f"{image} ({digest})"):
            click.echo(line)
        click.echo(f"  revoked    {asked or f'no journal in {session.home}: only the policy was asked'}")
        say_brought(brought)

    body = {"image": image, "digest": str(digest), "accepted": judged.accepted, **judged_plain(judged)}
    more = {"revocationSources": [asked.plain] if asked else [], "recorded": brought_plain(brought)}
    session.emit({**body, **more}, human)
    if judged.accepted:
        return ExitCode.PASSED
    return ExitCode.UNKNOWN if judged.unknown else ExitCode.REFUSED
