"""Progress: lines for people and logs, JSON lines for programs, always on stderr, and always ended."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

from pratique.cli.progress import JsonLines, Lines
from pratique.flow.progress import Outcome

if TYPE_CHECKING:
    import pytest


def test_lines_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Lines(moving=False)
    progress.begin("plan", "looking")
    progress.note("half way")
    progress.end(Outcome.DONE, "seen")
    progress.begin("build", "building")
    progress.end(Outcome.REUSED, "app")
    progress.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "✓ plan       seen\n= build      app\n"


def test_a_stage_that_is_broken_off_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Lines(moving=False)
    progress.begin("build", "building")
    progress.close()
    progress.close()
    assert capsys.readouterr().err == "✗ build      broken off\n"


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = JsonLines()
    progress.begin("fetch", "x.lock")
    progress.note("1 MB")
    progress.end(Outcome.DONE, "3 files")
    progress.begin("build", "")
    progress.close()
    out, err = capsys.readouterr()
    assert out == ""
    events = [json.loads(line) for line in err.splitlines()]
    assert [(event["stage"], event["event"]) for event in events] == [
        ("fetch", "begin"),
        ("fetch", "done"),
        ("build", "begin"),
        ("build", "broken-off"),
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_its_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    progress = Lines(moving=True)
    progress.begin("fetch", "[bold]x.lock")
    progress.note("pip-26.3-py3-none-any.whl  1.9 MB [/nonsense]")
    progress.close()
    shown = screen.getvalue()
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # hidden, and shown again
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "broken off" in shown
