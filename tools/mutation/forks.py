"""Work done in forks, where whatever a mutant breaks ends with it."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Task = TypeVar("Task")
    Result = TypeVar("Result")

# A mutant may loop for ever, and allocate while it does.
_BYTES = 4 << 30


class Answer(NamedTuple):
    """What a fork came to.

    Attributes:
        given: what its work gave; None where it ended without, or its time was up.
        seconds: how long it took.
    """

    given: Any
    seconds: float


def in_fork(work: Callable[[], Any], limit: float) -> Answer:
    """Do work that gives JSON in a fork, in a scratch folder of its own, and end whatever it started.

    Args:
        work: what to do.
        limit: seconds that it may take.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            try:
                os.setpgid(0, 0)
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, limit)
                resource.setrlimit(resource.RLIMIT_DATA, (_BYTES, _BYTES))
                os.environ["TMPDIR"] = tempfile.tempdir = scratch
                nowhere = os.open(os.devnull, os.O_RDWR)
                for descriptor in range(3):
                    os.dup2(nowhere, descriptor)
                file.write(json.dumps(work()).encode())
                file.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        file.seek(0)
        text = file.read()
    return Answer(json.loads(text) if text else None, time.monotonic() - began)


def pooled(jobs: int, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Do tasks in so many processes, each a fork of this one, and give the results in order."""
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(work, tasks)
