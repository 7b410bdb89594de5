"""Progress of long work, told to whoever listens; the work itself does not know who that is."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How a stage of the work ended."""

    DONE = "done"
    REUSED = "reused"
    REFUSED = "refused"
    WAITING = "waiting"


class Progress(Protocol):
    """Listens to the stages of one piece of work, which begin and end one after the other."""

    def begin(self, stage: str, detail: str) -> None:
        """Say that a stage begins; `detail` says what it is about to do."""

    def note(self, detail: str) -> None:
        """Say how far the stage that began last has come; may be called often."""

    def end(self, outcome: Outcome, detail: str) -> None:
        """Say how the stage that began last has ended, and what came of it."""


class Silent:
    """Listens to nothing."""

    def begin(self, stage: str, detail: str) -> None:
        """Ignore it."""

    def note(self, detail: str) -> None:
        """Ignore it."""

    def end(self, outcome: Outcome, detail: str) -> None:
        """Ignore it."""
