"""Loads one policy, then has each request answered by a process of its own; `worker` starts it.

It gives up its rights (see `confine`), and only then reads the policy and its data from standard input:
parses them, checks the policy, has it analysed, and keeps the engine. Each request after that is answered by
a fork, which gives up what is left before it reads the request, answers on standard output and ends. So a
decision starts from the policy as loaded, whatever the one before did, and its processor time counts from
zero. The process that lives on reads nothing of any request. It forks ahead: while one fork has its turn,
the next one gets ready.

Frames are four bytes of big-endian length, then JSON. A policy is a frame of modules and one of data; a
request is a frame of data, which may differ from the policy's, and one of input.
After each answer whoever asked is told `.` on the control descriptor, which no fork holds: the process that
gave it is gone, and the next request may come.

Whatever goes wrong is an `error` in the answer; a fork that dies instead takes this process with it, for the
parent to notice. A panic in the engine's Rust code arrives as an exception outside Python's `Exception`
tree, hence `BaseException` below.

Beside `regorus` standard library only.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import regorus

from pratique.policy.engine import confine, rego_check, rego_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The process that lives on only forks and waits; its own time is for loading the policy.
_LIFETIME_CPU = 120
_STANDARD_DESCRIPTORS = 3
_CHUNK = 1 << 16


class Limits(NamedTuple):
    """Bytes of address space, seconds of processor time for an answer, bytes of an answer."""

    memory: int
    cpu: int
    output: int


def serve(limits: Limits, control: int) -> None:
    """Load a policy, and answer requests until nobody can ask any more."""
    turns, found = (os.pipe(), os.pipe()), os.pipe()
    descriptors = {control, *turns[0], *turns[1]}
    confine.limit(cpu=_LIFETIME_CPU, fsize=0, core=0, nofile=found[1] + 3, **{"as": limits.memory})
    isolation = ["no-new-privileges"] if confine.no_new_privileges() else []
    isolation += ["seccomp"] if confine.allow_only(confine.COMPUTE, confine.SUPERVISE) else []

    modules, data = json.loads(_read()), _read().decode()
    examination = _examining(modules, found)
    policy = _attempt(lambda: rego_run.Policy(regorus, modules, data))
    plain = examination()
    failed = next((each for each in (plain, policy) if isinstance(each, dict)), None)
    _write(failed or {}, limits.output)
    os.write(control, b".")
    if failed:
        return
    examined = rego_run.Examined.from_plain(plain)

    def fork(turn: tuple[int, int], *, ahead: bool = True) -> int:
        """Start a process that waits for its turn, and then answers a request."""
        own = os.getpid()
        child = os.fork()
        if child == 0:
            _close(descriptors - {turn[0]})
            confine.die_with(own)
            confine.limit(cpu=limits.cpu, nproc=0, nofile=_STANDARD_DESCRIPTORS)
            confine.allow_only(confine.COMPUTE)
            if ahead:
                policy.warm_up(examined)
            os.read(turn[0], 1)
            answer = _attempt(lambda: policy.answer(examined, _read().decode(), _read().decode()))
            _write({"isolation": isolation, **answer}, limits.output)
            os._exit(0)
        return child

    following = fork(turns[0], ahead=False)  # whoever had the policy loaded is about to ask
    for turn, next_turn in itertools.cycle((turns, turns[::-1])):
        current = following
        os.write(turn[1], b".")
        following = fork(next_turn)
        _await(current)
        os.write(control, b".")


def _examining(modules: dict[str, Any], found: tuple[int, int]) -> Callable[[], Any]:
    """Have modules examined in a process of its own; give what waits for the result, or the error.

    The syntax trees would leave the memory of the process that lives on larger, and in pieces, for each fork
    to copy; and both have something to do meanwhile.
    """
    own = os.getpid()
    child = os.fork()
    if child == 0:
        confine.die_with(own)
        confine.allow_only(confine.COMPUTE)
        _send(found[1], json.dumps(_attempt(lambda: rego_run.examine(regorus, modules))).encode())
        os._exit(0)
    os.close(found[1])

    def result() -> Any:
        data = b"".join(iter(lambda: os.read(found[0], _CHUNK), b""))
        os.close(found[0])
        _await(child)
        return json.loads(data)

    return result


def _attempt(work: Callable[[], Any]) -> Any:
    """Give what some work gives, or the error that it ends with."""
    try:
        return work()
    except rego_check.RegoError as error:
        return _error(error.phase, str(error))
    except BaseException as error:  # noqa: BLE001 - see the module's description
        return _error("eval", rego_run.first_lines(error))


def _await(child: int) -> None:
    """Wait for a fork's end, and end the same way if it was a bad one, or if nobody is there to ask it."""
    poller = select.poll()
    descriptor = os.pidfd_open(child)
    poller.register(descriptor, select.POLLIN)
    poller.register(0, 0)
    if any(event != select.POLLIN for _, event in poller.poll()):
        os.kill(child, signal.SIGKILL)
    os.close(descriptor)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    if status:
        os._exit(os.waitstatus_to_exitcode(status))


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _error(phase: str, message: str) -> dict[str, Any]:
    return {"error": {"phase": phase, "message": message}}


def _read() -> bytes:
    (length,) = struct.unpack(">I", _exactly(4))
    return _exactly(length)


def _exactly(count: int) -> bytes:
    """Read without a buffer that could hold back a part of the next request."""
    chunks = []
    while count:
        chunk = os.read(0, count)
        if not chunk:
            os._exit(0)
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def _write(answer: dict[str, Any], output: int) -> None:
    # As RFC 8785 has it for most values, which whoever asked reads fastest.
    data = json.dumps(answer, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    if len(data) > output:
        data = json.dumps(_error("limit", f"the rules' findings are larger than {output} bytes")).encode()
    _send(1, struct.pack(">I", len(data)) + data)


def _send(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
