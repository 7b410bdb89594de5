"""Progress on stderr: a moving line on a terminal, plain lines in a CI log, JSON lines with --json."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Protocol

import click

from pratique.flow.progress import Outcome, Progress

if TYPE_CHECKING:
    from rich.status import Status

_MARKS = {
    Outcome.DONE: ("✓", "green"),
    Outcome.REUSED: ("=", "cyan"),
    Outcome.REFUSED: ("✗", "red"),
    Outcome.WAITING: ("…", "yellow"),
}
_STAGE_WIDTH = 10


class Shown(Progress, Protocol):
    """Progress that is on a screen, and has to leave it in order."""

    def close(self) -> None:
        """Say so if a stage was broken off, and give the screen back."""


def terminal_progress(*, as_json: bool) -> Shown:
    """Choose how to show progress."""
    return JsonLines() if as_json else Lines(moving=sys.stderr is not None and sys.stderr.isatty())


class Lines:
    """One line a stage, with what came of it and how long it took."""

    def __init__(self, *, moving: bool) -> None:
        self._moving = moving
        self._stage = ""
        self._started = 0.0
        self._status: Status | None = None

    def begin(self, stage: str, detail: str) -> None:
        """Show that a stage is under way."""
        self._stage, self._started = stage, time.monotonic()
        if self._moving:
            from rich.console import Console  # noqa: PLC0415 - loaded only where a person watches

            self._status = Console(stderr=True).status(escape(f"{stage}: {detail}"))
            self._status.start()

    def note(self, detail: str) -> None:
        """Show it on the moving line; a log is spared it."""
        if self._status:
            self._status.update(escape(f"{self._stage}: {detail}"))

    def end(self, outcome: Outcome, detail: str) -> None:
        """Show what came of it."""
        self._line(*_MARKS[outcome], detail)

    def close(self) -> None:
        """Say so if a stage was broken off, and give the terminal back."""
        if self._stage:
            self._line(*_MARKS[Outcome.REFUSED], "broken off")

    def _line(self, mark: str, colour: str, detail: str) -> None:
        if self._status:
            self._status.stop()
        seconds = time.monotonic() - self._started
        took = click.style(f"  {seconds:.1f} s" if seconds >= 0.1 else "", dim=True)  # noqa: PLR2004 - not worth telling
        click.echo(f"{click.style(mark, fg=colour)} {self._stage:<{_STAGE_WIDTH}} {detail}{took}", err=True)
        self._stage = ""


def escape(text: str) -> str:
    """Keep rich from reading a path in brackets as its markup."""
    return text.replace("[", "\\[")


class JsonLines:
    """One JSON object an event, for programs that watch."""

    def __init__(self) -> None:
        self._stage = ""
        self._started = 0.0

    def begin(self, stage: str, detail: str) -> None:
        """Write `{"stage", "event": "begin", "detail"}`."""
        self._stage, self._started = stage, time.monotonic()
        self._write({"stage": stage, "event": "begin", "detail": detail})

    def note(self, detail: str) -> None:
        """Write nothing: it would be thousands of lines."""

    def end(self, outcome: Outcome, detail: str) -> None:
        """Write `{"stage", "event": outcome, "detail", "seconds"}`."""
        self._end(outcome.value, detail)

    def close(self) -> None:
        """Write `{"stage", "event": "broken-off", …}` for a stage that did not end."""
        if self._stage:
            self._end("broken-off", "")

    def _end(self, event: str, detail: str) -> None:
        seconds = round(time.monotonic() - self._started, 3)
        self._write({"stage": self._stage, "event": event, "detail": detail, "seconds": seconds})
        self._stage = ""

    @staticmethod
    def _write(event: dict[str, object]) -> None:
        click.echo(json.dumps(event, ensure_ascii=False), err=True)
