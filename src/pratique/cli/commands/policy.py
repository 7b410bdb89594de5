"""`pratique policy`: write a policy, try it, release it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.commands.explain import command as explain
from pratique.cli.commands.policy_release import bundle, pull, push
from pratique.cli.commands.policy_try import diff, evaluate
from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pratique.flow.policy_source import Surroundings

# The names of pratique.policy.shipped, which need not be loaded to print help; a test compares.
PROFILES = ("starter", "standard", "high")
profile_option = click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="Shipped profile that a folder adds to.  [default: the project's]",
)


@click.group("policy")
def command() -> None:
    """Write a policy, try it, release it."""


for verb in (evaluate, explain, diff, bundle, push, pull):
    command.add_command(verb)


def surroundings(session: Session) -> Surroundings:
    """Take the project and the state directory as far as there are any; much can be done without."""
    from pratique.flow.config import find_file  # noqa: PLC0415 - pulls in msgspec
    from pratique.flow.policy_source import Surroundings  # noqa: PLC0415 - pulls in cryptography

    project = session.project if find_file(session.folder) else None
    return Surroundings(session.home, project, session.workspace)


@command.command("init")
@click.argument("target", metavar="[FOLDER]", type=click.Path(path_type=Path), default=Path("policy"))
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@session_options
def init(session: Session, *, target: Path, dry_run: bool) -> None:
    """Write a source folder to start from (by default ./policy): a rule, its test, its data.

    Nothing that is there already is touched.
    """
    from pratique.flow.policy_init import init_policy  # noqa: PLC0415 - pulls in msgspec

    files = init_policy(target, dry_run=dry_run)

    def human() -> None:
        for file in files:
            click.echo(f"{'would write' if dry_run else 'wrote'} {file}")
        click.echo(
            f'next: in pratique.toml, under [policy]: rules = "{target}"; then pratique policy test {target}'
        )

    session.emit({"files": [str(file) for file in files], "written": not dry_run}, human)


@command.command("check")
@click.argument("policy", default=".")
@profile_option
@click.option(
    "--sarif", type=click.Path(dir_okay=False, path_type=Path), help="Also write the problems as SARIF."
)
@session_options
def check(session: Session, *, policy: str, profile: str | None, sarif: Path | None) -> int:
    """Find what is wrong with POLICY (a folder, or whatever else names one) without any evidence.

    Gives all problems at once, each with its file and line. Exit code 2 where one of them is an error.
    """
    from pratique.flow.policy import engine_of  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_source import policy_meant  # noqa: PLC0415
    from pratique.policy.suite.check import check_bundle, check_source  # noqa: PLC0415

    around = surroundings(session)
    path, engine = Path(policy), engine_of(around.project)
    if path.is_dir():
        found = check_source(
            path, engine, profile=profile or around.profile, trust_domain=around.trust_domain
        )
    else:
        found = check_bundle(policy_meant(policy, around), engine)
    if sarif is not None:
        from pratique.policy.suite.sarif import encode_problems  # noqa: PLC0415 - who does not ask does not pay
        from pratique.store.atomic import write_atomic  # noqa: PLC0415

        write_atomic(sarif, encode_problems(found), mode=0o644)
    errors = sum(problem.level == "error" for problem in found)
    body = {
        "policy": policy,
        "errors": errors,
        "warnings": len(found) - errors,
        "problems": [
            {
                "file": item.file,
                "line": item.line,
                "level": item.level,
                "rule": item.rule,
                "message": item.message,
            }
            for item in found
        ],
    }

    def human() -> None:
        for problem in found:
            click.echo(str(problem))
        click.echo(f"{policy}: {_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}")

    session.emit(body, human)
    return ExitCode.USAGE if errors else ExitCode.PASSED


@command.command("test")
@click.argument("source", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--run",
    "pattern",
    default="",
    metavar="PATTERN",
    help="Only tests whose name this expression is found in.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0, 100),
    metavar="MIN",
    help="Fail below this share of lines, in percent.",
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write the results as JUnit XML."
)
@click.option("-v", "--verbose", is_flag=True, help="Also name the tests that pass.")
@profile_option
@session_options
def test(
    session: Session,
    *,
    source: Path,
    pattern: str,
    coverage: float | None,
    junit: Path | None,
    verbose: bool,
    profile: str | None,
) -> int:
    """Run the tests in SOURCE: rules named test_… in *_test.rego, and CODE.pass.json, CODE.deny.json.

    They run on the default engine, whatever the project's is: the coverage is of its lines. Exit code 1 where
    one fails or the coverage is too low, 3 where one could not be run.
    """
    import re  # noqa: PLC0415 - as the rest
    import time  # noqa: PLC0415

    from pratique.flow.policy_source import policy_meant  # noqa: PLC0415 - pulls in cryptography
    from pratique.policy.engine.regorus import RegorusEngine  # noqa: PLC0415
    from pratique.policy.suite import report, run  # noqa: PLC0415
    from pratique.store.atomic import write_atomic  # noqa: PLC0415

    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--run {pattern!r} is no regular expression: {error}") from error
    if pattern and coverage is not None:
        raise UsageError("--coverage is about all tests", hint="leave --run out")
    bundle = policy_meant(str(source), surroundings(session), profile=profile)
    began = time.monotonic()
    found = run.run_tests(source, bundle, RegorusEngine(), pattern=pattern)
    seconds = time.monotonic() - began
    if junit is not None:
        write_atomic(junit, report.write_junit(found, seconds=seconds), mode=0o644)
    low = coverage is not None and found.percent < coverage

    def human() -> None:
        for line in report.text_lines(found, verbose=verbose):
            click.echo(line)
        click.echo(f"{report.summary(found)}, in {seconds:.1f} s")
        if low:
            click.echo(f"coverage is below the {coverage:g} % asked for")

    session.emit(report.report_document(found) | {"seconds": round(seconds, 3)}, human)
    if found.count("error"):
        return ExitCode.UNKNOWN
    return ExitCode.REFUSED if found.count("fail") or low else ExitCode.PASSED


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def parse_data(settings: tuple[str, ...]) -> dict[str, object]:
    """Take `a.b=VALUE` from the command line as nested rule data; a value that is no JSON is text.

    Raises:
        UsageError: no `=`, or a path that goes through a value.
    """
    import json  # noqa: PLC0415 - few verbs take settings

    table: dict[str, object] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not all(path.split(".")):
            raise UsageError(f"--data {setting!r} is no KEY=VALUE", hint="--data vulns.threshold=medium")
        *parents, last = path.split(".")
        below: dict[str, object] = table
        for parent in parents:
            found = below.setdefault(parent, {})
            if not isinstance(found, dict):
                raise UsageError(f"--data {setting!r}: {parent} has a value already")
            below = found
        try:
            below[last] = json.loads(text)
        except ValueError:
            below[last] = text
    return table
