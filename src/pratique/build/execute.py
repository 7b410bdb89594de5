"""Carry out a build plan: stage the inputs, run the recipe in a sandbox, take over what it promised."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.build import tree
from pratique.build.plan import RECIPE_FOLDER, RECIPES, BuildPlan, recipe_files
from pratique.build.source import stage
from pratique.errors import EvidenceInvalidError, InfrastructureError, UsageError
from pratique.model.clock import Clock, format_time, system_clock
from pratique.model.digest import Digest, sha256_bytes, sha256_file
from pratique.model.strict_json import canonical_json
from pratique.sandbox.job import Isolation, Job, Limits, Mount, Outcome, Sandbox, Workdir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.build.environment import Environment
    from pratique.build.inputs import Input

_PROMISED: Final = {
    "python-wheel": re.compile(r"[A-Za-z0-9._+!]+(-[A-Za-z0-9._+!]+){4,5}\.whl"),
    "python-app": re.compile(r"[A-Za-z0-9._+!]+-[A-Za-z0-9._+!]+\.tar"),
}
MAX_OUTPUT_BYTES: Final = 2 * 1024**3
_CHUNK: Final = 1024 * 1024
_LOG_LINES: Final = 25


class BuildFailedError(UsageError):
    """The recipe ran and failed: the project does not build as it is. `log` is all it said."""

    def __init__(self, message: str, *, log: bytes, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.log = log


class Output(msgspec.Struct, frozen=True):
    """A file that the build gave."""

    name: str
    path: Path
    digest: Digest
    size: int


class BuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """A finished build.

    Attributes:
        output: the one file that the recipe promised.
        log: what the recipe printed, bounded.
        environment: what surrounded it; the plan's own, or another for a rebuild.
        isolation: what the sandbox observed.
        definition_digest: of the plan.
        started_on: clock time before, and `finished_on` after the recipe ran (RFC 3339 via `format_time`).
    """

    output: Output
    log: bytes
    environment: Environment
    isolation: Isolation
    definition_digest: Digest
    started_on: str
    finished_on: str

    @property
    def log_digest(self) -> Digest:
        """The digest of the log's bytes."""
        return sha256_bytes(self.log)


def run(
    plan: BuildPlan,
    sandbox: Sandbox,
    environment: Environment,
    scratch: Path,
    *,
    clock: Clock = system_clock,
    limits: Limits | None = None,
) -> BuildResult:
    """Build once.

    Args:
        plan: what to build.
        sandbox: where; its isolation must be the plan's.
        environment: the plan's own, or another one for a rebuild.
        scratch: a directory for the build's files; the output is left in a fresh directory of it, all else
            is removed.
        clock: tells when it started and finished.
        limits: what it may use up.

    Raises:
        BuildFailedError: the recipe failed or was stopped; the message ends with the log's last lines.
        EvidenceInvalidError: an input changed, or the output is not what the recipe promises.
        InfrastructureError: disk or sandbox failed.
    """
    with _workspace(scratch) as folder:
        inputs, work = folder / "inputs", folder / "work"
        before = _stage_inputs(plan, environment, inputs)
        tree.make_folder(work)
        started = format_time(clock())
        outcome = sandbox.run(
            _job(
                plan, environment, python=sandbox.python, inputs=inputs, work=work, limits=limits or Limits()
            )
        )
        finished = format_time(clock())
        if tree.read_tree(inputs) != before:
            raise EvidenceInvalidError("inputs changed while they were mounted read-only: the build is void")
        if outcome.isolation != plan.isolation:
            raise InfrastructureError("another isolation held than the plan was made for")
        if not outcome.ok:
            raise _failure(plan, outcome)
        output = _take_output(plan.recipe, work, scratch)
    return BuildResult(
        output=output,
        log=outcome.log,
        environment=environment,
        isolation=outcome.isolation,
        definition_digest=plan.definition_digest,
        started_on=started,
        finished_on=finished,
    )


@contextlib.contextmanager
def _workspace(scratch: Path) -> Iterator[Path]:
    """A directory that nobody else can enter, removed afterwards whatever a build left in it."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="build-", dir=scratch))
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a tree in which directories may have been made unreadable."""
    for place, names, _ in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                inner = Path(place, name)
                if not inner.is_symlink():
                    inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _stage_inputs(plan: BuildPlan, environment: Environment, target: Path) -> tuple[tree.Entry, ...]:
    """Put copies of all inputs below one directory, each verified while it is copied."""
    reverse = environment.order == "reversed"
    tree.make_folder(target)
    parameters = canonical_json({"order": environment.order})
    tree.write_file(target / "parameters.json", parameters, mode=0o644, digest=sha256_bytes(parameters))
    stage(plan.source, target / "source", reverse=reverse)
    _stage_files(plan.build_tools, target / "build", reverse=reverse)
    _stage_files(plan.dependencies, target / "dependencies", reverse=reverse)
    recipes = {item["name"]: item["digest"]["sha256"] for item in plan.resolved_dependencies()}
    for name in recipe_files():
        tree.copy_file(
            RECIPE_FOLDER / name, target / "recipe" / name, mode=0o644, digest=Digest(recipes[name])
        )
    return tree.read_tree(target)


def _stage_files(inputs: tuple[Input, ...], target: Path, *, reverse: bool) -> None:
    tree.make_folder(target)
    for item in sorted(inputs, key=lambda one: one.path.name, reverse=reverse):
        tree.copy_file(item.path, target / item.path.name, mode=0o644, digest=item.digest)


def _job(
    plan: BuildPlan,
    environment: Environment,
    *,
    python: str,
    inputs: Path,
    work: Path,
    limits: Limits,
) -> Job:
    cache = f"pycache_prefix={environment.path}/pycache"
    return Job(
        argv=(python, "-I", "-X", cache, f"/inputs/recipe/{RECIPES[plan.recipe]}"),
        mounts=(Mount(inputs, "/inputs"),),
        workdir=Workdir(work, environment.path),
        env=environment.variables(plan.source.epoch),
        hostname=environment.hostname,
        umask=environment.umask,
        cpus=environment.cpus,
        limits=limits,
    )


def _failure(plan: BuildPlan, outcome: Outcome) -> BuildFailedError:
    reason = {
        "time-out": "took longer than it may",
        "disk": "wrote more than it may",
    }.get(outcome.stopped, f"ended with code {outcome.returncode}")
    lines = outcome.log.decode(errors="replace").splitlines()[-_LOG_LINES:]
    shown = "\n".join(
        "    " + "".join(char if char.isprintable() else "?" for char in line) for line in lines
    )
    return BuildFailedError(
        f"the build of {plan.project} {reason}:\n{shown}",
        log=outcome.log,
        hint="if it misses a build requirement, add that to the lock of the build tools",
    )


def _take_output(recipe: str, work: Path, scratch: Path) -> Output:
    """Copy the one promised file out of the working directory, which is hostile: no link is followed.

    Every process of the build is dead by now, so nothing moves under our hands.

    Raises:
        EvidenceInvalidError: no file, more than one, not a regular file, an unexpected name, or too large.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        top = os.open(work, flags | os.O_DIRECTORY)
        try:
            folder = os.open("output", flags | os.O_DIRECTORY, dir_fd=top)
        finally:
            os.close(top)
    except OSError as error:
        raise EvidenceInvalidError("the build left no output directory") from error
    try:
        names = os.listdir(folder)  # noqa: PTH208 - by descriptor, so that nothing is looked up again
        if len(names) != 1 or not _PROMISED[recipe].fullmatch(names[0]):
            raise EvidenceInvalidError(
                f"the recipe {recipe} promises one file; the build left {[name[:80] for name in names[:5]]}"
            )
        try:
            fd = os.open(names[0], flags, dir_fd=folder)
        except OSError as error:
            raise EvidenceInvalidError(f"not a regular file: {names[0]}") from error
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise EvidenceInvalidError(f"not a regular file: {names[0]}")
            return _copy_output(fd, names[0], scratch)
        finally:
            os.close(fd)
    finally:
        os.close(folder)


def _copy_output(fd: int, name: str, scratch: Path) -> Output:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(fd, "rb", closefd=False) as incoming:
        path = Path(tempfile.mkdtemp(prefix="built-", dir=scratch)) / name
        with path.open("xb") as outgoing:
            while chunk := incoming.read(_CHUNK):
                size += len(chunk)
                if size > MAX_OUTPUT_BYTES:
                    raise EvidenceInvalidError(f"larger than an output may be: {name}")
                digest.update(chunk)
                outgoing.write(chunk)
            outgoing.flush()
            os.fsync(outgoing.fileno())
    return Output(name, path, Digest(digest.hexdigest()), size)


def verify_output(output: Output) -> None:
    """Check that a build's file is still the one that was built.

    Raises:
        EvidenceInvalidError: it is not.
    """
    if not sha256_file(output.path).matches(output.digest):
        raise EvidenceInvalidError(f"not the file that was built: {output.path}")
