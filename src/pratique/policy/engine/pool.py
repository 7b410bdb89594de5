"""Engine processes that are kept, each with its policy loaded, and what is done when one goes wrong.

A process answers one request at a time. One that took too long, said too much or ended is killed with its
whole process group, and the next request gets a new one; nothing is tried twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from pratique.errors import InfrastructureError
from pratique.policy.engine.port import EngineError, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CHUNK: Final = 1 << 18
_PIPE_BYTES: Final = 1 << 20
_LENGTH: Final = struct.calcsize(">I")
_DONE: Final = b"."
_GRACE_SECONDS: Final = 1.0


class Worker:
    """One engine process: frames in, frames out, and a control pipe that says when an answer's giver is gone.

    An answer is complete with its frame's last byte, and given at once; before the next request is sent,
    whoever gave it has ended.
    """

    def __init__(self, script: Sequence[str], environment: dict[str, str], limits: Limits) -> None:
        """Start it: `script` is a Python file, its first arguments and its import path.

        Raises:
            InfrastructureError: it cannot be started.
        """
        self.limits = limits
        self.answered = 0
        self._settled = True
        self.owner = os.getpid()
        self._control, control = os.pipe()
        numbers = (limits.memory_bytes, int(limits.wall_seconds) + 1, limits.output_bytes, control)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", script[0], *map(str, numbers), *script[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env=environment,
                start_new_session=True,
                pass_fds=(control,),
            )
        except OSError as error:
            os.close(self._control)
            raise InfrastructureError(f"the policy engine cannot be started: {error}") from error
        finally:
            os.close(control)
        assert self._process.stdin and self._process.stdout  # noqa: S101, PT018 - PIPE was asked for
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        for descriptor in (self._in, self._out, self._control):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # whoever may not, writes a request in more turns
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def load(self, *frames: bytes) -> bytes:
        """Send the frames that a new process waits for, and give its answer; see `ask`."""
        return self._exchange(self.limits.start_seconds, *frames)

    def ask(self, *frames: bytes) -> bytes:
        """Send frames, and give the one that answers them.

        Raises:
            EngineError: no answer in time, a malformed or too large one, or the process ended.
        """
        return self._exchange(self.limits.wall_seconds, *frames)

    def _exchange(self, seconds: float, *frames: bytes) -> bytes:
        deadline = time.monotonic() + seconds
        self._settle(deadline)
        pending = memoryview(b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))
        reply = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_WRITE)
            selector.register(self._out, selectors.EVENT_READ)
            selector.register(self._control, selectors.EVENT_READ)
            while len(reply) < _LENGTH or len(reply) < _LENGTH + _length(reply):
                events = selector.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    raise EngineError("timeout", f"the rules took longer than {seconds:g} seconds")
                ready = {key.fd for key, _ in events}
                if self._in in ready:
                    pending = pending[self._send(pending) :]
                    if not pending:
                        selector.unregister(self._in)
                if self._out in ready:
                    reply += self._receive(self._out)
                    if len(reply) > self.limits.output_bytes + _LENGTH:
                        raise EngineError(
                            "limit", f"the engine wrote more than {self.limits.output_bytes} bytes"
                        )
                elif self._control in ready:
                    self._receive(self._control)
                    raise EngineError("crash", "the engine's answer was cut short")
        if pending or len(reply) != _LENGTH + _length(reply):
            raise EngineError("crash", "the engine answered before it was asked, or more than it was asked")
        self._settled = False
        self.answered += 1
        return bytes(reply[_LENGTH:])

    def _settle(self, deadline: float) -> None:
        """Wait until what gave the last answer is gone, and see that it has said nothing after it."""
        if self._settled:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise EngineError("timeout", "the engine answered and did not end")
        if self._receive(self._control) != _DONE:
            raise EngineError("crash", "the engine answered more than it was asked")
        with contextlib.suppress(BlockingIOError):
            self._receive(self._out)
            raise EngineError("crash", "the engine answered before it was asked")
        self._settled = True

    def close(self) -> None:
        """End the process and everything it started, at once."""
        if self.owner == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream and stream.close()
        with contextlib.suppress(OSError):
            os.close(self._control)

    def _send(self, data: memoryview) -> int:
        try:
            return os.write(self._in, data[:_CHUNK])
        except BrokenPipeError:
            raise EngineError("crash", self._end()) from None

    def _receive(self, descriptor: int) -> bytes:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            raise EngineError("crash", self._end())
        return chunk

    def _end(self) -> str:
        try:
            status = self._process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "the engine stopped answering and did not end"
        if status == -signal.SIGXCPU:
            return "the engine used up its processor time"
        if status < 0:
            return f"the engine was killed by signal {-status}, as happens when memory runs out"
        return f"the engine ended with status {status} and without a whole answer"


class Pool:
    """Idle workers by the policy they have loaded; for any number of threads."""

    def __init__(self, start: Callable[[], Worker], *, size: int = 4, requests: int = 1000) -> None:
        """Keep up to `size` idle workers, each for so many requests."""
        self._start = start
        self._size = size
        self._requests = requests
        self._idle: list[tuple[bytes, Worker]] = []
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, _close_all, self._idle)

    @contextlib.contextmanager
    def worker(self, policy: bytes) -> Iterator[Worker]:
        """Lend a worker that has loaded a policy, or a new one that has answered nothing yet.

        It is kept afterwards, unless the caller raises.

        Raises:
            InfrastructureError: no process can be started.
        """
        worker = self._take(policy)
        try:
            yield worker
        except BaseException:
            worker.close()
            raise
        self._give_back(policy, worker)

    def close(self) -> None:
        """End all idle workers."""
        self._finalizer()

    def _take(self, policy: bytes) -> Worker:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                loaded, worker = self._idle[index]
                if loaded == policy and worker.owner == os.getpid():
                    return self._idle.pop(index)[1]
        return self._start()

    def _give_back(self, policy: bytes, worker: Worker) -> None:
        spare = []
        with self._lock:
            if worker.answered < self._requests and self._finalizer.alive:
                self._idle.append((policy, worker))
            else:
                spare.append(worker)
            while len(self._idle) > self._size:
                spare.append(self._idle.pop(0)[1])
        for each in spare:
            each.close()


def _close_all(idle: list[tuple[bytes, Worker]]) -> None:
    while idle:
        idle.pop()[1].close()


def _length(reply: bytearray) -> int:
    """Read how long a frame says it is."""
    length: int = struct.unpack_from(">I", reply)[0]
    return length
