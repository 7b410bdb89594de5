"""One run at a time on one project of a state directory; the next waits, and then finds the work done."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pratique.flow.progress import Outcome
from pratique.store.atomic import LockBusyError, locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


@contextmanager
def turn(workspace: Workspace, project: Project) -> Iterator[None]:
    """Hold a project's turn; a run that is killed gives it back.

    Without it two runs would be right too, and deploy twice: each builds, and decides on its own evidence.

    Raises:
        LockBusyError: another run has kept it for longer than a build and a rebuild may take.
    """
    lock = workspace.home / "turns" / f"{project.name}.lock"
    patience = 3.0 * project.config.build.timeout_seconds
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(lock, wait=0))
        except LockBusyError:
            workspace.progress.begin("turn", f"another run of {project.name} is under way")
            stack.enter_context(locked(lock, wait=patience))
            workspace.progress.end(Outcome.DONE, f"the other run of {project.name} has ended")
        yield
