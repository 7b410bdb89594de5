"""The service of an environment: at most one, found through its pid file whoever started it.

The pid file says which process it is (pid, start time, boot), which release and which plan it runs. It is
written by the launcher before the service's first instruction, under the start lock, so a deployer that was
killed at any point leaves either no service or one that the next deployer finds.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.deploy.target import process
from pratique.deploy.target.process import Process
from pratique.deploy.wire import parse_struct
from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.deploy.plan import DeploymentPlan

LOG_LIMIT: Final = 8 << 20
_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_MAX_PID_FILE: Final = 4096
_LAUNCH_SECONDS: Final = 30
_KILL_SECONDS: Final = 10
_SETTLE_SECONDS: Final = 1
_POLL_SECONDS: Final = 0.02


class Running(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The pid file: a service that was started.

    Attributes:
        pid: its process, and its session.
        start: the process's start time in clock ticks since boot.
        boot: the boot's id.
        release: the artifact it runs from, `sha256:<hex>`.
        plan: digest of the plan it was started by, `sha256:<hex>`.
        stop_seconds: how long it may take to end.
    """

    pid: int
    start: int
    boot: str
    release: str
    plan: str
    stop_seconds: int

    @property
    def process(self) -> Process:
        """Which process it is."""
        return Process(self.pid, self.start, self.boot)

    @property
    def marker(self) -> bytes:
        """The environment entry by which its children are known."""
        return f"PRATIQUE_ARTIFACT_DIGEST={self.release}".encode()


class ServiceHost:
    """Starts and stops the service of one environment.

    Args:
        state: the environment's own folder for state, not a release's.
        python: what `{python}` in a command stands for.
        log_limit: bytes of each of the two pieces of log that are kept.
    """

    def __init__(self, state: Path, *, python: Path | None = None, log_limit: int = LOG_LIMIT) -> None:
        self._state = state
        self._python = python or Path(sys.executable)
        self._pid_file = state / "service.json"
        self._log_limit = log_limit
        self.log = state / "service.log"

    def running(self) -> Running | None:
        """Give the service if it is alive.

        Raises:
            InfrastructureError: the pid file cannot be read or makes no sense.
        """
        started = self._started()
        return started if started and process.is_alive(started.process) else None

    def is_at_work(self, plan: DeploymentPlan, release: Path) -> bool:
        """Say whether the service runs, by exactly this plan, in exactly this directory.

        A release that was moved away from under its service, because it was tampered with and replaced, is
        not this directory any more.
        """
        found = self.running()
        return (
            found is not None
            and found.plan == str(plan.digest)
            and process.working_directory(found.pid) == str(release.resolve())
        )

    def start(self, plan: DeploymentPlan, release: Path) -> None:
        """Have the plan's service running from a release, and no other; nothing happens if it is already.

        Returns once the command is executed, which is not to say that it works.

        Raises:
            InfrastructureError: the old service does not end, the port is a stranger's, or the command cannot
                be executed.
        """
        with self._start_lock() as lock:
            if self.is_at_work(plan, release):
                return
            self._stop()
            self.refuse_strangers(plan)
            self._launch(plan, release.resolve(), lock)

    def stop(self) -> None:
        """Have no service running.

        Raises:
            InfrastructureError: it does not end.
        """
        with self._start_lock():
            self._stop()

    def refuse_strangers(self, plan: DeploymentPlan) -> None:
        """Make sure that nobody but the environment's own service listens on the plan's port.

        Raises:
            InfrastructureError: somebody does.
        """
        if plan.service is None:
            return
        settled = time.monotonic() + _SETTLE_SECONDS
        while (strangers := self.strangers(plan.service.port)) and time.monotonic() < settled:
            time.sleep(_POLL_SECONDS)  # the socket of a process that is just dying is nobody's for a moment
        if strangers:
            raise InfrastructureError(
                f"port {plan.service.port} is in use by {process.holder_of(strangers)},"
                f" which is not the service of environment {plan.environment}",
                hint=f"stop it, or give environment {plan.environment} another port",
            )

    def strangers(self, port: int) -> set[int]:
        """Give the sockets listening on a port that are not held by the environment's service alone."""
        listening = process.loopback_listeners(port)
        if not listening:
            return listening
        started = self._started()
        own = process.session_of(started.process, started.marker) if started else []
        for member in own:
            listening -= process.sockets_of(member.pid)
        return listening

    def _started(self) -> Running | None:
        try:
            data = self._pid_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InfrastructureError(f"cannot read {self._pid_file}: {error.strerror}") from error
        try:
            value = parse_json_object(data, what=str(self._pid_file), max_bytes=_MAX_PID_FILE)
            return parse_struct(value, Running, what=str(self._pid_file))
        except EvidenceInvalidError as error:
            raise InfrastructureError(
                f"{error.message}: which service runs is not known",
                hint=f"stop the service by hand, then remove {self._pid_file}",
            ) from error

    def _launch(self, plan: DeploymentPlan, release: Path, lock: int) -> None:
        service = plan.service
        if service is None:
            return
        digest = str(plan.artifact_digest)
        specification = {
            "argv": service.argv(python=str(self._python), release=str(release)),
            "environment": {
                "PYTHONDONTWRITEBYTECODE": "1",  # a cache written into the release would be drift
                **service.environment,
                "PORT": str(service.port),
                "PRATIQUE_ARTIFACT_DIGEST": digest,
            },
            "release": str(release),
            "pidFile": str(self._pid_file.absolute()),
            "identity": {
                "boot": process.boot_id(),
                "release": digest,
                "plan": str(plan.digest),
                "stopSeconds": service.stop_seconds,
            },
            "log": str(self.log.absolute()),
            "logLimit": self._log_limit,
            "lock": lock,
        }
        try:
            launched = subprocess.run(
                [sys.executable, "-I", "-S", str(_LAUNCHER), str(self._state.absolute())],
                input=json.dumps(specification).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                env={},
                timeout=_LAUNCH_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InfrastructureError(f"cannot start the service of {plan.environment}: {error}") from error
        if launched.returncode or launched.stdout:
            said = launched.stdout.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise InfrastructureError(f"cannot start the service of {plan.environment}: {said[-1]}")

    def _stop(self) -> None:
        started = self._started()
        if started is None:
            return
        grace = time.monotonic() + started.stop_seconds
        for member in process.session_of(started.process, started.marker):
            _signal(member, signal.SIGTERM)
        while members := process.session_of(started.process, started.marker):
            if time.monotonic() >= grace + _KILL_SECONDS:
                raise InfrastructureError(f"process {members[0].pid} does not end, even by SIGKILL")
            if time.monotonic() >= grace:
                for member in members:
                    _signal(member, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        self._pid_file.unlink(missing_ok=True)

    @contextmanager
    def _start_lock(self) -> Iterator[int]:
        """Wait for a launcher that a killed deployer left on its way; it holds this very lock."""
        handle = os.open(self._state / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + _LAUNCH_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise InfrastructureError(f"another start of {self._state} does not end") from None
                    time.sleep(_POLL_SECONDS)
            yield handle
        finally:
            os.close(handle)


def _signal(member: Process, number: signal.Signals) -> None:
    try:
        process.send(member, number)
    except PermissionError as error:
        raise InfrastructureError(f"process {member.pid} of the service belongs to another user") from error
