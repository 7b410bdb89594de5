"""The `pratique` command: a table of verbs, loaded one at a time, and the one place where errors end.

Only click is imported to print help; a verb's module is imported when the verb runs.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import click

from pratique import __version__
from pratique.errors import ExitCode, PratiqueError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verb(NamedTuple):
    """Where a verb lives, its section in the help, and its one line there."""

    module: str
    section: str
    help: str


VERBS = {
    "ship": Verb("ship", "The whole path", "Take a project from source to a healthy deployment."),
    "init": Verb("init", "The whole path", "Write a pratique.toml to start from."),
    "runner": Verb("runner", "Evidence", "Check the machine that builds."),
    "build": Verb("build", "Evidence", "Build in a sandbox, from locked inputs only."),
    "rebuild": Verb("rebuild", "Evidence", "Build again in a different environment, and compare."),
    "image": Verb("image", "Evidence", "Assemble container images without a daemon; check, copy them."),
    "scan": Verb("scan", "Evidence", "List what is in the artifact, and what is known about it."),
    "sbom": Verb("sbom", "Evidence", "Make, merge, compare, judge and convert bills of materials."),
    "vex": Verb("vex", "Evidence", "Read statements about vulnerabilities that do no harm here."),
    "sign": Verb("sign", "Evidence", "Sign a file, a directory or a digest with a key of your own."),
    "attest": Verb("attest", "Evidence", "Sign a claim about an artifact with a key of your own."),
    "verify": Verb("verify", "Evidence", "Verify one evidence bundle."),
    "gate": Verb("gate", "Decide", "Decide by policy whether an artifact may pass."),
    "explain": Verb("explain", "Decide", "Say why the last decision came out as it did, and the cure."),
    "policy": Verb("policy", "Decide", "Write a policy, try it, release it."),
    "waive": Verb("waive", "Decide", "Accept a violation for a while, with your own key."),
    "approve": Verb("approve", "Decide", "Agree to a deployment, with your own key."),
    "deploy": Verb("deploy", "Deploy", "Deploy an approved artifact."),
    "rollback": Verb("rollback", "Deploy", "Return to an earlier artifact, under today's policy."),
    "status": Verb("status", "Deploy", "Say what is live, and what a deployment still waits for."),
    "where": Verb("where", "Deploy", "Say where an artifact runs."),
    "stop": Verb("stop", "Deploy", "Stop an environment's service."),
    "report": Verb("report", "Account", "Write the chain and the SSDF tasks as one HTML file."),
    "audit": Verb("audit", "Account", "Export the proof as one file, or verify such a file."),
    "log": Verb("log", "Account", "Look into the journal, check it, rebuild its index."),
    "witness": Verb("witness", "Account", "Vouch for somebody else's log."),
    "serve": Verb("serve", "Set up", "Serve the trust root, or a registry, to other machines."),
    "trust": Verb("trust", "Set up", "Make the trust root; enrol the people who approve."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when help is printed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Give the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb's module and take its command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"pratique.cli.commands.{VERBS[cmd_name].module}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Print the table by sections, without importing a verb."""
        for section in dict.fromkeys(verb.section for verb in VERBS.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(name, verb.help) for name, verb in VERBS.items() if verb.section == section]
                )


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 passed · 1 refused by policy · 2 usage · 3 could not check · 4 evidence invalid · "
    "5 infrastructure · 6 waiting for approval.",
)
@click.version_option(__version__, prog_name="pratique", message="%(prog)s %(version)s")
def root() -> None:
    """Makes the build and deploy half of a delivery pipeline provable.

    Every step leaves signed evidence in a transparency log; policy decides on that evidence, people
    approve the decision, and one file lets an auditor verify all of it offline.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code; also the console script's entry point."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = root.main(args=arguments, prog_name="pratique", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except SystemExit:  # click's way out when the reader of our output went away; there is nobody to tell
        _abandon_stdout()
        return ExitCode.INFRASTRUCTURE
    except Exception as error:
        failure = _failure(error)
        if failure is None:
            if "PRATIQUE_TRACEBACK" in os.environ:
                raise
            failure = _defect(error)
        _render(failure, as_json="--json" in arguments)
        _settle_stdout()
        return failure.code
    return int(code) if isinstance(code, int) else ExitCode.PASSED


class Failure(NamedTuple):
    """What a person is told when a command could not do its work."""

    message: str
    hint: str
    code: int


def _failure(error: Exception) -> Failure | None:
    """Explain an expected error; None for one that nobody expected."""
    match error:
        case PratiqueError():
            return Failure(error.message, error.hint, error.exit_code)
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "pratique"
            return Failure(error.format_message(), f"see: {path} --help", ExitCode.USAGE)
        case click.Abort():
            return Failure(
                "interrupted", "run the same command again: what is journalled is kept", _INTERRUPTED
            )
        case OSError():
            what = f"{error.filename}: " if error.filename else ""
            return Failure(f"{what}{error.strerror or error}", "", ExitCode.INFRASTRUCTURE)
        case _:
            return None


def _defect(error: Exception) -> Failure:
    return Failure(
        f"internal error: {type(error).__name__}: {error}",
        "this is a defect of pratique: run again with PRATIQUE_TRACEBACK=1 and report what it prints",
        ExitCode.INFRASTRUCTURE,
    )


_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def _render(failure: Failure, *, as_json: bool) -> None:
    try:
        if as_json:
            body = {"message": failure.message, "hint": failure.hint, "exitCode": int(failure.code)}
            click.echo(json.dumps({"error": body}, ensure_ascii=False))
            return
    except OSError:  # nobody can read it there
        _abandon_stdout()
    with suppress(OSError):
        click.echo(f"{click.style('error:', fg='red', bold=True)} {printable(failure.message)}", err=True)
        if failure.hint:
            click.echo(f"{click.style('hint:', fg='cyan')} {printable(failure.hint)}", err=True)


def printable(text: str) -> str:
    """Show control characters instead of sending them to the terminal: names in messages may be hostile."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _settle_stdout() -> None:
    """Write out what is buffered now, or give it up: Python would try again when it ends, and complain."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        _abandon_stdout()


def _abandon_stdout() -> None:
    """Let what is still buffered go nowhere, or Python complains about it when it ends."""
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # click's stand-ins fail where one is closed
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr] # None if closed


if __name__ == "__main__":
    sys.exit(main())
