"""Runs the scripts beside this file: what a user types, and what the user sees.

$ pratique --version          a command, run in an empty folder of its own
pratique 0.1.0                its output, stdout and stderr together; [..] matches anything in a line,
...                           a line of its own matches any lines
? 2                           its exit code, when not 0
-- folder/file.toml --        from here on: the files that are there at the start
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
_FILE = re.compile(r"^-- (\S+) --$", re.MULTILINE)


class Step(NamedTuple):
    command: str
    output: list[str]
    code: int


def parse(text: str) -> tuple[list[Step], dict[str, str]]:
    script, *files = _FILE.split(text)
    steps: list[Step] = []
    for line in script.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], [], 0))
        elif line.startswith("? "):
            steps[-1] = steps[-1]._replace(code=int(line[2:]))
        elif not line.startswith("#") and (line or (steps and steps[-1].output)):
            steps[-1].output.append(line)
    for step in steps:
        while step.output and not step.output[-1]:
            step.output.pop()
    return steps, dict(zip(files[::2], files[1::2], strict=True))


def pattern(lines: list[str]) -> str:
    """Turn expected lines into one expression."""
    parts = [
        r"(?:[^\n]*\n)*?" if line == "..." else re.escape(line).replace(r"\[\.\.\]", r"[^\n]*") + r"\n"
        for line in lines
    ]
    return "".join(parts)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, tmp_path: Path) -> None:
    steps, files = parse(script.read_text(encoding="utf-8"))
    assert steps, "a script without a command proves nothing"
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content.removeprefix("\n"), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
    environment = {**clean, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb"}
    for step in steps:
        result = subprocess.run(
            shlex.split(step.command),
            cwd=tmp_path,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        seen = result.stdout.replace(str(tmp_path), "/here")
        shown = f"$ {step.command}\n{seen}? {result.returncode}"
        assert re.fullmatch(pattern(step.output), seen if seen.endswith("\n") or not seen else f"{seen}\n"), (
            shown
        )
        assert result.returncode == step.code, shown
