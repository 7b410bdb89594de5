"""Mutants imported in place of their module, by a test run that begins anew."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mutation.forks import in_fork
from mutation.mutants import mutated, parsed, path_of
from mutation.targets import file_of
from mutation.warm import OPTIONS

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence
    from types import ModuleType

    from mutation.forks import Answer
    from mutation.mutants import Mutant


class ColdTask(NamedTuple):
    """Tests to run with a mutant of a module, or without any change, and for how many seconds at most."""

    module: str
    mutant: Mutant | None
    tests: tuple[str, ...]
    limit: float


class _Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from another tree."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.module, self.tree = module, tree

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Offer that one module."""
        del path, target
        return importlib.machinery.ModuleSpec(name, self) if name == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the tree as the module."""
        module.__file__ = str(path_of(self.module))
        exec(compile(self.tree, module.__file__, "exec"), module.__dict__)  # noqa: S102 - what this is for


class _Chosen:
    """As a plugin, runs the tests named, in that order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose and order them."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )


def cold_run(task: ColdTask) -> Answer:
    """Run the tests of a task in a fork; what it gives is pytest's exit code."""
    tree = mutated(task.mutant) if task.mutant else parsed(task.module)

    def work() -> int:
        sys.meta_path.insert(0, _Replaced(task.module, tree))
        files = dict.fromkeys(file_of(test) for test in task.tests)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return int(pytest.main([*OPTIONS, *files], plugins=[_Chosen(task.tests)]))

    return in_fork(work, task.limit)
