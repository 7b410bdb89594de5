"""Check that the documentation says what is true of the program; `--write` renews the generated pages.

Checked: docs/cli.md is the program's own help, docs/policy-rules.md what the rules say, the exit codes the
code's, every decision record is in the index, every link inside the repository leads somewhere, and every own
predicate type has its page and schema.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rules_page import PAGE as RULES_PAGE
from rules_page import rules_page

from pratique.cli.main import root
from pratique.errors import ExitCode
from pratique.model import predicate

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent
TOP = DOCS.parent
CLI_PAGE = DOCS / "cli.md"
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)")


def cli_page() -> str:
    """Render every command's help."""
    lines = ["# Command line", "", "Generated from the program by `python docs/check.py --write`.", ""]
    for path, command in _commands(root, ["pratique"]):
        context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100)
        lines += [f"## `{' '.join(path)}`", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _commands(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _commands(child, [*path, name])


def problems() -> Iterator[str]:
    """Give each thing the documentation gets wrong."""
    if not CLI_PAGE.exists() or CLI_PAGE.read_text(encoding="utf-8") != cli_page():
        yield "docs/cli.md is not the program's help: run python docs/check.py --write"
    if RULES_PAGE.read_text(encoding="utf-8") != rules_page():
        yield "docs/policy-rules.md is not what the rules say: run python docs/check.py --write"
    codes = dict(re.findall(r"^\| (\d+) \| (\w+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE))
    for code in ExitCode:
        if codes.get(str(code.value)) != code.name.lower():
            yield f"docs/exit-codes.md: {code.value} is {code.name.lower()} in the code"
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    for record in sorted((DOCS / "adr").glob("0*.md")):
        if record.name not in index:
            yield f"docs/adr/README.md does not list {record.name}"
    for name, uri in predicate.SHORT_NAMES.items():
        if uri.startswith("https://pratique.dev/") and not (DOCS / "spec" / f"{name}.md").is_file():
            yield f"docs/spec/{name}.md is missing"
    for schema in sorted((DOCS / "spec").glob("*.json")):
        json.loads(schema.read_text(encoding="utf-8"))
    yield from _broken_links()


def _broken_links() -> Iterator[str]:
    listed = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "--", "*.md"],  # noqa: S607 - whichever git the developer has
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in listed:
        page = TOP / name
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                yield f"{name}: the link to {target} leads nowhere"


def main() -> int:
    """Check, or write."""
    if "--write" in sys.argv[1:]:
        CLI_PAGE.write_text(cli_page(), encoding="utf-8")
        RULES_PAGE.write_text(rules_page(), encoding="utf-8")
        return 0
    found = list(problems())
    for problem in found:
        print(problem)
    print(f"docs: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
