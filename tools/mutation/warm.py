"""Mutants in forks of one test run, which has collected the tests and knows what each of them reaches.

What a module's functions were when the tests were collected takes their mutants' code in place, so a fork
begins with everything imported. What runs at import is out of reach, and a cache filled by then hides a
change: what is not noticed here has not survived yet (see `cold`).
"""

from __future__ import annotations

import gc
import importlib
import io
import sys
import time
from collections import Counter, defaultdict
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import groupby
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from mutation.forks import in_fork, pooled
from mutation.mutants import MARKS, functions, marked, mutated
from mutation.targets import TARGETS, file_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType

    from mutation.mutants import Function, Mutant

PLUGINS = ("-pno:cacheprovider", "-ppytest_socket", "-ppytest_timeout")
OPTIONS = ("-xq", *PLUGINS, "-otimeout=0", "--capture=sys", "--no-header", "--tb=short", "--assert=plain")
_LEARNING_SECONDS = 600


class Warm(NamedTuple):
    """What a warm run came to.

    Attributes:
        noticed: by the mutant's number, the test that failed because of it.
        reaching: by mark, the tests that reach it, with the seconds each takes; fastest first.
        skipped: tests that did not run here, and might have noticed.
        problem: why the rest means nothing, or empty.
    """

    noticed: dict[int, str]
    reaching: dict[str, dict[str, float]]
    skipped: list[str]
    problem: str = ""


def tests_of(module: str, seconds: Mapping[str, float]) -> dict[str, float]:
    """Keep the tests that have to notice changes of a module."""
    return {test: each for test, each in seconds.items() if file_of(test) in TARGETS[module]}


def limit_for(seconds: float) -> float:
    """Say for how many seconds tests may run with a mutant that take so many without."""
    return 10 + 10 * seconds


def in_time(seconds: float, limit: float) -> bool:
    """Say whether an unchanged run is so far below a limit that one that meets it has been changed."""
    return seconds < limit / 4


def warm_run(task: tuple[Sequence[Mutant], int]) -> Warm:
    """Try mutants warm, in so many processes at a time."""
    bench, said = _Bench(*task), io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        pytest.main(
            [*OPTIONS, *sorted({file for mutant in task[0] for file in TARGETS[mutant.module]})],
            plugins=[bench],
        )
    return bench.outcome or Warm({}, {}, [], said.getvalue())


class _Bench:
    """The collected tests; as a plugin, takes the place of their run."""

    session: pytest.Session
    items: Mapping[str, pytest.Item]
    live: Mapping[tuple[str, Function], Sequence[FunctionType]]
    reaching: Mapping[str, Mapping[str, float]]
    outcome: Warm | None = None

    def __init__(self, wanted: Sequence[Mutant], jobs: int) -> None:
        self.wanted, self.jobs = wanted, jobs
        self.modules = sorted({mutant.module for mutant in wanted})
        self.failed: list[str] = []
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, or a test that was left out."""
        if report.failed:
            self.failed.append(f"{report.nodeid}\n{report.longreprtext}")
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn what the tests reach, then try the mutants."""
        global _BENCH  # noqa: PLW0603 - how the pools' processes, being forks, know of it
        _BENCH = self
        self.session = session
        self.items = {item.nodeid: item for item in session.items}
        for module in self.modules:
            importlib.import_module(module)
        self.live = _functions_of(self.modules)
        try:
            self.reaching = self._learn()
            self.outcome = Warm(self._try(), dict(self.reaching), self.skipped)
        except NothingToTellError as problem:  # it goes to another process
            self.outcome = Warm({}, {}, [], str(problem))
        return True

    def run(self, test: str, following: str = "") -> str:
        """Run a test, and say whether it failed; what a whole session shares is kept."""
        item, after = self.items[test], self.items.get(following, self.session)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
        return self.failed[0] if self.failed else ""

    def put(self, module: str, codes: Mapping[Function, CodeType]) -> bool:
        """Give functions of a module other code; False where that cannot be done."""
        for function, code in codes.items():
            for live in self.live.get((module, function), ()):
                if len(code.co_freevars) != len(live.__code__.co_freevars):
                    return False
                live.__code__ = code
        return all(self.live.get((module, function)) for function in codes)

    def _learn(self) -> dict[str, dict[str, float]]:
        """Run every test once on the unchanged code, and give what reaches each mark."""
        files = groupby(self.items.values(), key=lambda item: item.path)
        reaching: dict[str, list[tuple[float, str]]] = defaultdict(list)
        loaded: set[str] = set()
        for learnt in pooled(self.jobs, _learn_file, [[item.nodeid for item in items] for _, items in files]):
            if not learnt or learnt["failed"]:
                reason = learnt["failed"] if learnt else "tests did not end as they should"
                raise NothingToTellError(f"without any change: {reason}")
            loaded |= set(learnt["loaded"])
            self.skipped += learnt["skipped"]
            for test, (seconds, marks) in learnt["tests"].items():
                for mark in marks:
                    reaching[mark].append((seconds, test))
        for name in sorted(loaded):
            with suppress(ImportError):  # what tests import while they run, no fork has to import again
                importlib.import_module(name)
        return {mark: {test: seconds for seconds, test in sorted(found)} for mark, found in reaching.items()}

    def _try(self) -> dict[int, str]:
        gc.freeze()
        numbered = [pair for pair in enumerate(self.wanted) if pair[1].mark in self.reaching]
        groups = groupby(numbered, key=lambda pair: (pair[1].module, pair[1].function))
        noticed: dict[int, str] = {}
        terminal = sys.__stderr__  # sys.stderr is pytest's to fill
        for found in pooled(self.jobs, _try_function, [list(group) for _, group in groups]):
            noticed |= found
            if terminal and terminal.isatty():
                print(f"\r{len(noticed)} noticed", end="\r", file=terminal, flush=True)
        return noticed


_BENCH: _Bench
_KILLS: Counter[tuple[str, str]] = Counter()
"""How many mutants of a module tests of a file have noticed in this process."""


class NothingToTellError(Exception):
    """Tests that fail without any change tell nothing about a change."""


def _functions_of(modules: Sequence[str]) -> dict[tuple[str, Function], list[FunctionType]]:
    """Find modules' functions, wherever they are held by now."""
    found = defaultdict(list)
    for item in gc.get_objects():
        if isinstance(item, FunctionType) and item.__module__ in modules:
            code = item.__code__
            found[item.__module__, (code.co_qualname, code.co_firstlineno)].append(item)
    return found


def _learn_file(tests: Sequence[str]) -> dict[str, Any] | None:
    """Run a file's tests in a fork, and give the marks that each reaches, and its seconds."""

    def work() -> dict[str, Any]:
        reached: set[str] = set()
        for module in _BENCH.modules:
            setattr(sys.modules[module], MARKS, reached)
            _BENCH.put(module, functions(module, marked(module)))
        before, learnt = set(sys.modules), {}
        for test, following in zip(tests, [*tests[1:], ""], strict=True):
            reached.clear()
            began = time.monotonic()
            _BENCH.run(test, following)
            learnt[test] = (time.monotonic() - began, sorted(reached))
        loaded = [name for name in set(sys.modules) - before if name.startswith("pratique.")]
        failed = "".join(_BENCH.failed[:1])
        return {"tests": learnt, "failed": failed, "skipped": _BENCH.skipped, "loaded": loaded}

    given: dict[str, Any] | None = in_fork(work, _LEARNING_SECONDS).given
    return given


def _try_function(numbered: Sequence[tuple[int, Mutant]]) -> dict[int, str]:
    """Try the mutants of one function; the tests that noticed its last ones are the first for the next."""
    killers: list[str] = []
    clean: set[tuple[str, ...]] = set()
    noticed = {}
    for number, mutant in numbered:
        seconds = tests_of(mutant.module, _BENCH.reaching[mutant.mark])
        tests = [test for test in reversed(killers) if test in seconds]
        tests += sorted(
            (test for test in seconds if test not in tests),
            key=lambda test: (-_KILLS[mutant.module, file_of(test)], seconds[test]),
        )
        limit = limit_for(sum(seconds.values()))
        killer = in_fork(lambda: _first_failure(tests, mutant), limit).given  # noqa: B023 - called at once
        if killer == "":
            continue
        ran = tests[: tests.index(killer) + 1] if killer else tests
        if tuple(ran) not in clean:
            unchanged = in_fork(lambda: _first_failure(ran), limit)  # noqa: B023 - called at once
            if unchanged.given != "":
                raise NothingToTellError(
                    f"without any change: {unchanged.given or 'they did not end as they should'}: {ran}"
                )
            if not killer and not in_time(unchanged.seconds, limit):
                continue
            clean.add(tuple(ran))
        noticed[number] = killer or "a run that did not end as it should"
        if killer:
            killers = [*(test for test in killers if test != killer), killer]
            _KILLS[mutant.module, file_of(killer)] += 1
    return noticed


def _first_failure(tests: Sequence[str], mutant: Mutant | None = None) -> str:
    """Run tests until one fails, and name that; a mutant that cannot be had warm is noticed by none."""
    if mutant and mutant.function:
        code = functions(mutant.module, mutated(mutant))[mutant.function]
        if not _BENCH.put(mutant.module, {mutant.function: code}):
            return ""
    following = [*tests[1:], ""]
    return next((test for test, after in zip(tests, following, strict=True) if _BENCH.run(test, after)), "")
