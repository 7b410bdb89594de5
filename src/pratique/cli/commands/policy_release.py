"""`pratique policy bundle|push|pull`: a policy as one signed thing that travels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.model.clock import format_time


@click.command("bundle")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write."
)
@click.option("--name", required=True, help="What the policy is called, such as acme/base.")
@click.option("--version", required=True, help="Which of its versions this is.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), required=True,
              help="Last day, in UTC, on which it decides.")  # fmt: skip
@click.option("--profile", help="Shipped profile that the folder adds to.  [default: the project's]")
@click.option(
    "--key",
    metavar="KEY",
    help="Your private key, a file or a key URI (docs/signing.md).  [default: the administrator's]",
)
@session_options
def bundle(
    session: Session,
    *,
    source: Path,
    output: Path,
    name: str,
    version: str,
    expires: datetime,
    profile: str | None,
    key: str | None,
) -> None:
    """Make one signed file of the policy in SOURCE, for projects to pin by its digest.

    The file is an OCI layout in a tar, and holds what a registry would. Tests stay outside. The policy is
    checked first, as `pratique policy check` does, and one with errors is refused.
    """
    from pratique.cli.commands.policy import surroundings  # noqa: PLC0415 - that module imports this one
    from pratique.errors import ConfigError  # noqa: PLC0415
    from pratique.flow.policy_publish import make_release  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_source import policy_meant  # noqa: PLC0415
    from pratique.policy.engine.regorus import RegorusEngine  # noqa: PLC0415
    from pratique.policy.suite.check import check_bundle  # noqa: PLC0415
    from pratique.store.atomic import write_atomic  # noqa: PLC0415

    end = expires.replace(tzinfo=UTC, hour=23, minute=59, second=59)
    workspace = session.workspace()
    meant = policy_meant(str(source.resolve()), surroundings(session), profile=profile)
    wrong = [problem for problem in check_bundle(meant.bundle, RegorusEngine()) if problem.level == "error"]
    if wrong:
        raise ConfigError(str(wrong[0]), hint=f"see all that is wrong: pratique policy check {source}")
    made = make_release(
        workspace,
        meant.bundle,
        name=name,
        version=version,
        expires=end,
        key=key,
        ask=ask_secret,
    )
    write_atomic(output, made.archive, mode=0o644)
    digest = meant.bundle.digest
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
        click.echo("  next       in pratique.toml:")
        click.echo("             [policy.bundle]")
        click.echo(f'             path = "{output}"')
        click.echo(f'             digest = "{digest}"')
        click.echo(f'             signer = "{made.signer}"')

    session.emit(body, human)
