"""`pratique policy bundle|push|pull`: a policy as one signed thing that travels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.errors import UsageError
from pratique.model.clock import format_time

if TYPE_CHECKING:
    from pratique.flow.policy_release import Pin


@click.command("bundle")
@click.argument("source", metavar="POLICY")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write."
)
@click.option("--name", required=True, help="What the policy is called, such as acme/base.")
@click.option("--version", required=True, help="Which of its versions this is.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), required=True,
              help="Last day, in UTC, on which it decides.")  # fmt: skip
@click.option("--profile", help="Shipped profile that the folder adds to.  [default: the project's]")
@click.option("--organisation", is_flag=True, help="POLICY is the file of an organisation's policy.")
@click.option(
    "--key",
    metavar="KEY",
    help="Your private key, a file or a key URI (docs/signing.md).  [default: the administrator's]",
)
@session_options
def bundle(
    session: Session,
    *,
    source: str,
    output: Path,
    name: str,
    version: str,
    expires: datetime,
    profile: str | None,
    organisation: bool,
    key: str | None,
) -> None:
    """Make one signed file of POLICY (a folder, or `current`), for projects to pin by its digest.

    The file is an OCI layout in a tar, and holds what a registry would. Tests stay outside. The policy is
    checked first, as `pratique policy check` does, and one with errors is refused.
    """
    from pratique.flow.policy_archive import ORGANISATION, POLICY  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_publish import make_release  # noqa: PLC0415
    from pratique.model.digest import sha256_bytes  # noqa: PLC0415
    from pratique.store.atomic import write_atomic  # noqa: PLC0415

    if organisation and profile is not None:
        raise UsageError("--profile is for the folder of a policy", hint="leave it out with --organisation")
    end = expires.replace(tzinfo=UTC, hour=23, minute=59, second=59)
    workspace = session.workspace()
    policy = _organisation(source) if organisation else _checked(session, source, profile)
    made = make_release(
        workspace,
        policy,
        ORGANISATION if organisation else POLICY,
        name=name,
        version=version,
        expires=end,
        key=key,
        ask=ask_secret,
    )
    write_atomic(output, made.archive, mode=0o644)
    digest = sha256_bytes(policy)
    table = "[bundle]" if organisation else "[policy.bundle]"
    where = "in the file that projects name as organisation" if organisation else "in pratique.toml"
    body = {
        "file": str(output),
        "policy": str(digest),
        "name": name,
        "version": version,
        "expires": format_time(end),
        "signer": made.signer,
    }

    def human() -> None:
        click.echo(f"wrote {output}: {name} {version}, until {format_time(end)}")
        click.echo(f"  policy     {digest}")
        click.echo(f"  next       {where}:")
        click.echo(f"             {table}")
        click.echo(f'             path = "{output}"')
        click.echo(f'             digest = "{digest}"')
        click.echo(f'             signer = "{made.signer}"')

    session.emit(body, human)


def _checked(session: Session, source: str, profile: str | None) -> bytes:
    """Give a policy in which `policy check` finds no error."""
    from pratique.cli.commands.policy import surroundings  # noqa: PLC0415 - that module imports this one
    from pratique.errors import ConfigError  # noqa: PLC0415
    from pratique.flow.policy import engine_of  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_source import policy_meant  # noqa: PLC0415
    from pratique.policy.suite.check import check_bundle  # noqa: PLC0415

    around = surroundings(session)
    policy = policy_meant(source, around, profile=profile)
    found = check_bundle(policy, engine_of(around.project))
    wrong = [problem for problem in found if problem.level == "error"]
    if wrong:
        raise ConfigError(str(wrong[0]), hint=f"see all that is wrong: pratique policy check {source}")
    return policy.encode()


def _organisation(source: str) -> bytes:
    """Give an organisation's file that would hold something up."""
    from pratique.policy.files import read_file  # noqa: PLC0415
    from pratique.policy.organisation import parse_organisation  # noqa: PLC0415

    data = read_file(Path(source))
    parse_organisation(data, what=source)
    return data


_AUTH = click.option(
    "--auth-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Registries' passwords, as container tools keep them.  [default: $REGISTRY_AUTH_FILE]",
)


@click.command("push")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("place", metavar="oci://HOST/REPOSITORY:TAG")
@_AUTH
@session_options
def push(session: Session, *, file: Path, place: str, auth_file: Path | None) -> None:
    """Push the bundle in FILE to a registry, its signature as a referrer.

    Whoever pulls it verifies it; pushing only makes sure that the file is whole and signed.
    """
    from pratique.flow import policy_transfer as transfer  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_archive import unpack  # noqa: PLC0415
    from pratique.flow.policy_release import read_archive  # noqa: PLC0415

    target = transfer.parse_place(place)
    packed = unpack(read_archive(file), str(file))
    pushed = transfer.push_release(packed, target, transfer.open_repository(target, _auth(auth_file)))
    body = {"place": str(pushed), "policy": str(packed.artifact.policy.digest)}

    def human() -> None:
        click.echo(f"pushed {pushed}")
        click.echo(f"  policy     {packed.artifact.policy.digest}")

    session.emit(body, human)


@click.command("pull")
@click.argument("place", metavar="[oci://HOST/REPOSITORY[:TAG][@sha256:…] | FILE]", required=False)
@click.option(
    "--signer", metavar="PATTERN", help="Who must have signed it.  [default: as pratique.toml says]"
)
@click.option("--digest", help="The policy's digest, as decisions name it.  [default: as pratique.toml says]")
@click.option("--pin", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Take what this organisation's file pins, not what pratique.toml does.")  # fmt: skip
@click.option("--allow-tag", is_flag=True, help="Take whatever the tag names now, if the signer signed it.")
@click.option("--trusted-root", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Verify against this root.  [default: the state directory's own]")  # fmt: skip
@click.option("--signer-key", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Public key of a signer who is not enrolled here.")  # fmt: skip
@_AUTH
@session_options
def pull(
    session: Session,
    *,
    place: str | None,
    signer: str | None,
    digest: str | None,
    pin: Path | None,
    allow_tag: bool,
    trusted_root: Path | None,
    signer_key: Path | None,
    auth_file: Path | None,
) -> None:
    """Fetch a bundle (by default the one pratique.toml pins), verify it, and keep it for the gate.

    Nothing is kept of a bundle that is unsigned, expired, signed by somebody else, or not the one pinned. A
    place that names no digest needs --digest, or --allow-tag.
    """
    from pratique.flow import policy_fetch  # noqa: PLC0415 - pulls in cryptography

    wanted = policy_fetch.Wanted(
        place=place,
        signer=signer,
        digest=digest,
        allow_tag=allow_tag,
        trusted_root=trusted_root,
        key=signer_key,
    )
    workspace = session.workspace()
    pulled = policy_fetch.fetch_policy(workspace, _pin(session, pin), wanted, _auth(auth_file))
    release, policy = pulled.release.release, pulled.release.digest
    body = {
        "place": pulled.place,
        "policy": str(policy),
        "file": str(pulled.path),
        "signer": str(pulled.release.verified.signer),
        **release.to_predicate(),
    }

    def human() -> None:
        click.echo(f"pulled {release.name} {release.version}, until {format_time(release.expires)}")
        click.echo(f"  from       {pulled.place}")
        click.echo(f"  signed by  {pulled.release.verified.signer}")
        click.echo(f"  policy     {policy}")
        click.echo(f"  kept in    {pulled.path}")
        if notice := release.notice(workspace.clock()):
            click.echo(f"  {notice}")

    session.emit(body, human)


def _auth(given: Path | None) -> Path | None:
    import os  # noqa: PLC0415 - the environment is read here and passed on

    from pratique.image.registry.credentials import auth_file  # noqa: PLC0415 - pulls in msgspec

    return given or auth_file(os.environ)


def _pin(session: Session, file: Path | None) -> Pin | None:
    """Give the pin that a file has, or else the project's, if there are any."""
    from pratique.flow.config import find_file  # noqa: PLC0415 - pulls in msgspec
    from pratique.flow.organisation import read_pin  # noqa: PLC0415
    from pratique.flow.policy_release import Pin  # noqa: PLC0415

    if file is not None:
        return read_pin(file)
    project = session.project if find_file(session.folder) else None
    config = project.config.policy.bundle if project else None
    return Pin(config=config, folder=project.root) if project and config else None
