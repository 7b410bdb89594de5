"""The engine's processes: what they may do, how they end, and that no decision leaves anything behind."""

from __future__ import annotations

import errno
import gc
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.policy.engine import confine, regorus
from pratique.policy.engine.port import EngineError, Limits, Module
from pratique.policy.engine.regorus import RegorusEngine

NO_DATA: dict[str, Any] = {"rule_data": {}}
ECHO = {"a.rego": Module(source="package a\ndeny contains [input.x, data.rule_data]")}
LOOP = {
    "a.rego": Module(
        source="package a\ndeny contains 1 if { input.loop; r := numbers.range(1, 20000);"
        " some i in r; some j in r; i + j < 0 }\ndeny contains 2"
    )
}
HUNGRY = {
    "a.rego": Module(
        source="package a\ndeny contains x if { input.eat; some x in numbers.range(1, 9000000) }"
    )
}


def members(engine: RegorusEngine, modules: dict[str, Module], document: dict[str, Any]) -> Any:
    return engine.evaluate(modules, NO_DATA, document).sets[0].members


def workers(engine: RegorusEngine) -> list[int]:
    return [worker._process.pid for _, worker in engine._pool._idle]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


PREPARED = (
    "import os, socket, sys, ctypes\n"
    "from pratique.policy.engine import confine\n"
    "confine.no_new_privileges() and confine.allow_only(confine.COMPUTE) or sys.exit(3)\n"
)


@pytest.mark.parametrize(
    "statement",
    [
        "open('/etc/passwd')",
        "socket.socket()",
        "os.pipe()",
        "os.fork()",
        "os.kill(os.getppid(), 9)",
        "os.execv('/bin/true', ['true'])",
        "os.listdir('/')",
        "os.unlink('/nowhere')",
    ],
)
def test_a_confined_process_can_reach_nothing(statement: str) -> None:
    program = (
        f"{PREPARED}try:\n    {statement}\n"
        f"except OSError as error:\n    os._exit(0 if error.errno == {errno.EPERM} else 1)\nos._exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_filters_are_whole_instructions_and_end_by_refusing(machine: str) -> None:
    program = confine.build_filter(confine.COMPUTE + confine.SUPERVISE, confine.ALLOW, confine.EPERM, machine)
    if machine == "riscv64":
        assert program == b""
    else:
        assert len(program) % 8 == 0
        assert program[-8:] == bytes.fromhex("0600000001000500")


def test_the_decision_says_what_contained_it() -> None:
    answer = RegorusEngine().evaluate(ECHO, NO_DATA, {"x": 1})
    assert answer.isolation == (
        "own-process",
        "rlimits",
        "cleared-environment",
        "no-new-descriptors",
        "no-new-privileges",
        "seccomp",
    )


def test_a_process_is_kept_for_its_policy_and_only_for_it() -> None:
    engine = RegorusEngine()
    members(engine, ECHO, {"x": 1})
    (first,) = workers(engine)
    members(engine, ECHO, {"x": 2})
    assert workers(engine) == [first]
    members(engine, LOOP, {})
    assert len(workers(engine)) == 2
    engine.close()
    assert gone([first])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
WARM = RegorusEngine()


@given(st.lists(st.tuples(VALUES, st.dictionaries(st.text(max_size=3), VALUES, max_size=2)), max_size=4))
@settings(max_examples=30, deadline=None)
def test_nothing_of_one_decision_reaches_the_next(requests: list[tuple[Any, dict[str, Any]]]) -> None:
    for value, data in requests:
        answer = WARM.evaluate(ECHO, {"rule_data": data}, {"x": value})
        assert answer.sets[0].members == ([value, data],)
    assert WARM.evaluate(ECHO, NO_DATA, {}).sets[0].members == ()


def test_input_of_the_decision_before_is_not_there() -> None:
    engine = RegorusEngine()
    modules = {"a.rego": Module(source='package a\ndeny contains object.get(input, "x", "nothing")')}
    assert members(engine, modules, {"x": "secret"}) == ("secret",)
    assert members(engine, modules, {}) == ("nothing",)


@pytest.mark.parametrize(("modules", "bad"), [(LOOP, {"loop": True}), (HUNGRY, {"eat": True})])
def test_after_a_decision_that_ran_away_comes_a_good_one(
    modules: dict[str, Module], bad: dict[str, Any]
) -> None:
    engine = RegorusEngine(Limits(wall_seconds=2))
    members(engine, modules, {})
    (worker,) = workers(engine)
    with pytest.raises(EngineError):
        members(engine, modules, bad)
    assert gone([worker])
    members(engine, modules, {})
    assert worker not in workers(engine)


def test_processor_time_is_counted_for_each_decision_by_itself() -> None:
    """Together the decisions take more than one is allowed."""
    engine = RegorusEngine(Limits(wall_seconds=2.9))
    busy = {
        "a.rego": Module(
            source="package a\ndeny contains 1 if { r := numbers.range(1, 300);"
            " some i in r; some j in r; i + j < 0 }"
        )
    }
    members_seen = []
    spent = 0.0
    while spent < 5:
        start = time.monotonic()
        members_seen.append(members(engine, busy, {}))
        spent += time.monotonic() - start
    assert set(members_seen) == {()}
    assert len(workers(engine)) == 1


def test_threads_share_an_engine() -> None:
    engine = RegorusEngine()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: members(engine, ECHO, {"x": number}), range(20)))
    assert found == [([number, {}],) for number in range(20)]
    assert len(workers(engine)) <= 4


def test_no_process_outlives_a_killed_parent() -> None:
    program = (
        "import sys, threading, time\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import test_engine_processes as t\n"
        "engine = t.RegorusEngine()\n"
        "t.members(engine, t.ECHO, {'x': 1})\n"
        "threading.Thread(target=lambda: t.members(engine, t.LOOP, {'loop': True}), daemon=True).start()\n"
        "time.sleep(1)\n"
        "print(*t.workers(engine), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    idle = [int(pid) for pid in parent.stdout.readline().split()]
    below = children(parent.pid)
    assert len(idle) == 1
    assert set(idle) < set(below)
    below += [each for pid in below for each in children(pid)]
    assert len(below) >= 3
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(below)


def children(pid: int) -> list[int]:
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if parent_of(stat) == pid]


def parent_of(stat: Path) -> int:
    try:
        return int(stat.read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


FRAME = "import os, struct, sys, time\ndef say(data): os.write(1, struct.pack('>I', len(data)) + data)\n"
LOADED = (
    FRAME + "control = int(sys.argv[4])\nos.read(0, 65536)\nsay(b'{}')\nos.write(control, b'.')\n"
    "os.read(0, 65536)\n"
)
SETS = 'say(b\'{"sets":[{"package":"a","name":"deny","members":[]}]}\')\n'
WORKERS = {
    "silence": ("", "status 0 and without a whole answer"),
    "a cut answer": (
        FRAME + "os.write(1, b'\\0\\0\\0\\x09{'); os.write(int(sys.argv[4]), b'.'); time.sleep(9)",
        "cut short",
    ),
    "half a length": (
        FRAME + "os.write(1, b'\\0\\0'); os.write(int(sys.argv[4]), b'.'); time.sleep(9)",
        "cut short",
    ),
    "a second answer": (
        FRAME + "os.write(1, b'\\0\\0\\0\\2{}\\0\\0\\0\\2{}'); time.sleep(9)",
        "more than it was asked",
    ),
    "no rules": (LOADED + "say(b'{}'); os.write(control, b'.'); time.sleep(9)", "no rules were evaluated"),
    "no JSON": (LOADED + "say(b'xx'); os.write(control, b'.'); time.sleep(9)", "cannot be read"),
    "another shape": (
        LOADED + "say(b'{\"sets\":1}'); os.write(control, b'.'); time.sleep(9)",
        "cannot be read",
    ),
    "an end without an answer": (LOADED + "os.write(control, b'.'); time.sleep(9)", "cut short"),
    "an answer to the policy alone": (LOADED, "status 0"),
    "a failure": (LOADED + "sys.exit(3)", "status 3"),
    "a signal": ("import os; os.kill(os.getpid(), 11)", "signal 11"),
    "a flood": ("import os\nwhile True: os.write(1, b'x' * 65536)", "wrote more than"),
    "sleep": ("import time; time.sleep(60)", "longer than"),
    "sleep after closing": ("import os, time; os.close(1); time.sleep(60)", "did not end"),
}
# Those whose one answer is right, and who then do something else than to end.
LINGERERS = {
    "no end": ("time.sleep(9)", "did not end"),
    "a wrong end": ("os.write(control, b'..'); time.sleep(9)", "more than it was asked"),
    "an early answer": (
        "time.sleep(0.5)\n" + SETS + "os.write(control, b'.'); time.sleep(9)",
        "it was asked",
    ),
    "a crash": ("sys.exit(3)", "status 3"),
}


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_gone_wrong_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    source, expected = WORKERS[name]
    engine = scripted(source, monkeypatch, tmp_path)
    with pytest.raises(EngineError, match=expected):
        engine.evaluate(ECHO, NO_DATA, {})
    assert workers(engine) == []


@pytest.mark.parametrize("name", LINGERERS)
def test_no_request_goes_to_a_worker_whose_last_answer_did_not_end(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, expected = LINGERERS[name]
    engine = scripted(f"{LOADED}{SETS}{source}", monkeypatch, tmp_path)
    assert engine.evaluate(ECHO, NO_DATA, {}).sets[0].members == ()
    with pytest.raises(EngineError, match=expected):
        engine.evaluate(ECHO, NO_DATA, {})
    assert workers(engine) == []


def scripted(source: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> RegorusEngine:
    worker = folder / "worker.py"
    worker.write_text(source)
    monkeypatch.setattr(regorus, "_WORKER", worker)
    return RegorusEngine(Limits(wall_seconds=2, start_seconds=2, output_bytes=100_000))


def test_open_descriptors_do_not_pile_up() -> None:
    engine = RegorusEngine()
    members(engine, ECHO, {"x": 1})
    gc.collect()  # other tests' engines close theirs when they are collected, at any moment
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        members(engine, ECHO, {"x": 1})
        with pytest.raises(EngineError):
            members(engine, {"a.rego": Module(source="package a")}, {})
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
