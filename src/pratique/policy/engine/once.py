"""Run a program once, to its end or its limit."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

from pratique.errors import InfrastructureError
from pratique.policy.engine.port import EngineError, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK: Final = 65536
_GRACE_SECONDS: Final = 1.0
_MESSAGE: Final = 300


def run(command: Sequence[str], limits: Limits) -> bytes:
    """Give what a command wrote on standard output, with whatever exit code but a signal's.

    Raises:
        EngineError: it took too long, wrote too much or nothing, or was killed.
        InfrastructureError: it cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={},
            start_new_session=True,
        )
    except OSError as error:
        raise InfrastructureError(f"the policy engine cannot be started: {error}") from error
    with process:
        try:
            out, said = _read(process, time.monotonic() + limits.wall_seconds, limits)
            status = process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise EngineError("timeout", "the engine answered and did not end") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if status < 0:
        raise EngineError("crash", f"the engine was killed by signal {-status}")
    if not out:
        text = " ".join(said.decode("utf-8", "replace").split())[:_MESSAGE]
        raise EngineError("crash", f"the engine ended with status {status} and said nothing but: {text}")
    return out


def _read(process: subprocess.Popen[bytes], deadline: float, limits: Limits) -> tuple[bytes, bytes]:
    """Read both pipes to their ends within the deadline and the size allowed."""
    assert process.stdout and process.stderr  # noqa: S101, PT018 - PIPE was asked for
    found = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for descriptor in found:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            events = selector.select(max(0.0, deadline - time.monotonic()))
            if not events:
                raise EngineError("timeout", f"the rules took longer than {limits.wall_seconds:g} seconds")
            for key, _ in events:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fd)
                found[key.fd] += chunk
                if len(found[key.fd]) > limits.output_bytes:
                    raise EngineError("limit", f"the engine wrote more than {limits.output_bytes} bytes")
    out, said = found.values()
    return bytes(out), bytes(said)
