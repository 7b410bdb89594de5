from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pratique.deploy.target.health import request_status
from pratique.deploy.target.process import is_alive
from pratique.deploy.target.service import ServiceHost
from pratique.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from pratique.model.digest import Digest

pytestmark = pytest.mark.enable_socket
IDLE = "import time; time.sleep(600)"


def test_a_release_is_served_replaced_and_rolled_back(world: Any) -> None:
    one, two = world.application("1"), world.application("2")
    outcome = world.deploy(*one)
    assert (outcome.phase, outcome.facts.previous, outcome.facts.health.status) == ("live", None, 200)
    answer = world.ask()
    assert (answer.version, answer.cwd) == ("1", str(world.target.release(one[0])))
    assert answer.environment == {
        "MODE": "test",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PORT": str(world.port),
        "PRATIQUE_ARTIFACT_DIGEST": str(one[0]),
    } | {name: value for name, value in answer.environment.items() if name == "LC_CTYPE"}
    assert answer.argv == [str(world.target.release(one[0]) / "app.py"), str(world.port)]

    outcome = world.deploy(*two)
    assert (outcome.phase, outcome.facts.previous) == ("live", one[0])
    assert world.ask().version == "2"
    assert world.deploy(*one).facts.previous == two[0]
    assert world.ask().version == "1"
    assert len(world.services()) == 1
    assert world.phases == ["rolling-out", "live"] * 3
    assert world.target.inspect().problems == ()


def test_the_same_deployment_again_changes_nothing(world: Any) -> None:
    one, two = world.application("1"), world.application("2")
    world.deploy(*one)
    first = world.deploy(*two)
    pid = world.ask().pid
    again = world.deploy(*two, again=True)
    assert again.facts.previous == first.facts.previous == one[0]
    assert again.facts.content == first.facts.content
    assert world.ask().pid == pid


def test_the_same_release_with_other_settings_is_restarted(world: Any) -> None:
    digest, path = world.application("1")
    world.deploy(digest, path)
    pid = world.ask().pid
    world.deploy(digest, path, plan=world.plan(digest, environment={"MODE": "other"}))
    answer = world.ask()
    assert answer.environment["MODE"] == "other"
    assert answer.pid != pid
    assert len(world.services()) == 1


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"health": 503}, "answers 503 after 1 s"),
        ({"health": 302}, "answers 302 after 1 s"),
        ({"extra": "sys.exit(3)"}, "the service has ended"),
        ({"extra": "import time; time.sleep(60)"}, "does not answer after 1 s"),
        ({"extra": "a syntax error"}, "the service has ended"),
    ],
)
def test_an_unhealthy_release_makes_way_for_the_one_before(world: Any, broken: Any, says: str) -> None:
    one, bad = world.application("1"), world.application("bad", **broken)
    world.deploy(*one)
    outcome = world.deploy(*bad, plan=world.plan(bad[0], start_seconds=1))
    assert (outcome.phase, outcome.facts.serving) == ("failed", one[0])
    assert says in outcome.facts.reason
    assert world.phases[2:] == ["rolling-out", "failed"]
    assert world.ask().version == "1"
    assert world.target.current() == one[0]
    assert len(world.services()) == 1
    assert world.deploy(*world.application("3")).facts.previous == one[0]


def test_an_unhealthy_first_release_leaves_nothing(world: Any) -> None:
    bad = world.application("bad", health=500)
    outcome = world.deploy(*bad, plan=world.plan(bad[0], start_seconds=1))
    assert (outcome.phase, outcome.facts.serving, outcome.facts.health.status) == ("failed", None, 500)
    assert world.target.current() is None
    assert world.services() == {}


def test_a_command_that_cannot_be_executed_is_named(world: Any) -> None:
    digest, path = world.application("1")
    outcome = world.deploy(digest, path, plan=world.plan(digest, command=("{release}/missing",)))
    assert outcome.phase == "failed"
    assert "missing" in outcome.facts.reason
    assert "No such file" in outcome.facts.reason


def test_going_back_to_a_release_that_was_tampered_with_is_refused(world: Any) -> None:
    one, bad = world.application("1"), world.application("bad", health=500)
    world.deploy(*one)
    (world.target.release(one[0]) / "app.py").write_text("evil")
    outcome = world.deploy(*bad, plan=world.plan(bad[0], start_seconds=1))
    assert outcome.facts.serving is None
    assert "could not be restored" in outcome.facts.reason
    assert "app.py: content changed" in outcome.facts.reason


def test_tampering_with_the_live_release_is_drift_and_a_redeployment_repairs_it(world: Any) -> None:
    digest, path = world.application("1")
    content = world.deploy(digest, path).facts.content
    assert world.target.inspect().content == content
    pid = world.ask().pid
    (world.target.release(digest) / "app.py").write_text("evil")
    observed = world.target.inspect()
    assert observed.problems == ("app.py: content changed",)
    assert observed.content != content
    assert world.deploy(digest, path).facts.content == content
    assert world.target.inspect().problems == ()
    answer = world.ask()
    assert (answer.version, answer.cwd) == ("1", str(world.target.release(digest)))
    assert answer.pid != pid
    assert len(world.services()) == 1


def test_a_port_in_use_by_a_stranger_fails_before_anything_is_touched(world: Any) -> None:
    one, two = world.application("1"), world.application("2")
    world.deploy(*one)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        outcome = world.deploy(*two, plan=world.plan(two[0], port=port))
    assert outcome.phase == "failed"
    assert f"port {port} is in use by process {os.getpid()}" in outcome.facts.reason
    assert not world.target.release(two[0]).exists()
    assert outcome.facts.serving == one[0]
    assert world.ask().version == "1"


STRANGER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
class Server(http.server.HTTPServer):
    allow_reuse_port = True
    def server_bind(self):
        import socket
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_stranger_who_answers_200_does_not_make_the_release_healthy(world: Any) -> None:
    """The release never listens; a process that is not its child takes the port after the first check."""
    out = world.folder / "stranger.py"
    out.write_text(STRANGER)
    hijack = (
        "import subprocess, time;"
        f"subprocess.Popen([sys.executable, '-I', {str(out)!r}, os.environ['PORT']],"
        " start_new_session=True);"
        "time.sleep(60)"
    )
    digest, path = world.application("1", extra=hijack)
    outcome = world.deploy(digest, path)
    assert outcome.phase == "failed"
    assert "is answered by process" in outcome.facts.reason
    assert "not by the release" in outcome.facts.reason


def test_sharing_the_port_with_a_stranger_is_not_healthy(world: Any) -> None:
    reuse = (
        "def server_bind(self):\n"
        "        import socket, subprocess, time\n"
        "        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
        "        super().server_bind()\n"
        f"        other = {str(world.folder / 's.py')!r}\n"
        "        subprocess.Popen([sys.executable, '-I', other, os.environ['PORT']],"
        " start_new_session=True)\n"
        "        time.sleep(1)\n"
    )
    (world.folder / "s.py").write_text(STRANGER)
    outcome = world.deploy(*world.application("1", server=reuse))
    assert outcome.phase == "failed"
    assert "not by the release" in outcome.facts.reason


def test_a_service_that_ignores_sigterm_is_killed_with_its_children(world: Any) -> None:
    stubborn = (
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen([sys.executable, '-I', '-c', {IDLE!r}, 'app.py'])"
    )
    one, two = world.application("1", extra=stubborn), world.application("2")
    world.deploy(*one, plan=world.plan(one[0], stop_seconds=1))
    assert len(world.services()) == 2
    world.deploy(*two)
    assert world.ask().version == "2"
    assert len(world.services()) == 1


def test_children_of_a_service_that_died_are_ended_too(world: Any) -> None:
    parent = f"import subprocess; subprocess.Popen([sys.executable, '-I', '-c', {IDLE!r}, 'app.py'])"
    one, two = world.application("1", extra=parent), world.application("2")
    world.deploy(*one)
    os.kill(world.ask().pid, signal.SIGKILL)
    assert world.deploy(*two).facts.reason is None
    assert len(world.services()) == 1


def test_a_dead_service_is_started_again_by_a_redeployment(world: Any) -> None:
    digest, path = world.application("1")
    world.deploy(digest, path)
    os.kill(world.ask().pid, signal.SIGKILL)
    assert world.deploy(digest, path).phase == "live"
    assert world.ask().version == "1"


def test_a_pid_that_became_a_strangers_is_never_signalled(world: Any) -> None:
    digest, path = world.application("1")
    world.deploy(digest, path)
    host = ServiceHost(world.target.state)
    file = world.target.state / "service.json"
    genuine = file.read_text()
    running = host.running()
    assert running is not None
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as other:
        file.write_text(genuine.replace(f'"pid": {running.pid}', f'"pid": {other.pid}'))
        assert host.running() is None
        host.stop()
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0
    assert is_alive(running.process)
    file.write_text(genuine.replace(running.boot, "00000000-0000-0000-0000-000000000000"))
    host.stop()
    assert is_alive(running.process)
    file.write_text(genuine)
    host.stop()
    assert not is_alive(running.process)
    assert not file.exists()


@pytest.mark.parametrize("content", ["", "{}", '{"pid": 1}', "[]"])
def test_a_pid_file_that_makes_no_sense_stops_everything(world: Any, content: str) -> None:
    digest, path = world.application("1")
    world.target.state.mkdir(parents=True)
    file = world.target.state / "service.json"
    file.write_text(content)
    with pytest.raises(InfrastructureError, match="which service runs is not known"):
        ServiceHost(world.target.state).running()
    assert world.deploy(digest, path).phase == "failed"


def test_the_log_is_private_and_bounded(world: Any) -> None:
    noisy = "for n in range(3000): print('line', n, 'x' * 100, flush=True)"
    digest, path = world.application("1", extra=noisy)
    host = ServiceHost(world.target.state, log_limit=100_000)
    with world.target.locked():
        world.target.install(digest, "app.tar", path)
    host.start(world.plan(digest), world.target.release(digest))
    deadline = time.monotonic() + 20
    while not request_status(world.port, "/health", 1) and time.monotonic() < deadline:
        time.sleep(0.05)
    host.stop()
    logs = [host.log, Path(f"{host.log}.1")]
    while any(b"line 2999 " in log.read_bytes() for log in logs if log.exists()) is False:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for log in logs:
        if log.exists():
            assert log.stat().st_size < 100_000 + 65_536
            assert log.stat().st_mode & 0o777 == 0o600
    assert {p.name for p in world.target.state.glob("service.log*")} <= {"service.log", "service.log.1"}


def test_a_release_without_a_service_stops_the_one_before(world: Any) -> None:
    one, two = world.application("1"), world.application("2")
    world.deploy(*one)
    outcome = world.deploy(*two, plan=world.plan(two[0], service=False))
    assert (outcome.phase, outcome.facts.health) == ("live", None)
    assert world.services() == {}


def test_a_directory_that_somebody_else_deploys_to_is_left_alone(world: Any) -> None:
    digest, path = world.application("1")
    world.target.path.mkdir()
    (world.target.path / "releases" / ("c" * 64)).mkdir(parents=True)
    (world.target.path / "current").symlink_to(f"releases/{'c' * 64}")
    with pytest.raises(UsageError, match="does not say by which plan"):
        world.deploy(digest, path)
    assert world.recorded == []


def test_nothing_is_touched_when_the_journal_refuses(world: Any) -> None:
    digest, path = world.application("1")

    class Full:
        def append(self, _: object) -> None:
            raise InfrastructureError("journal is full")

    world.recorded = Full()
    with pytest.raises(InfrastructureError, match="journal is full"):
        world.deploy(digest, path)
    assert not world.target.release(digest).exists()
    assert world.target.current() is None


def test_old_releases_are_pruned(world: Any) -> None:
    digests: list[Digest] = []
    for version in range(7):
        digest, path = world.application(str(version))
        outcome = world.deploy(digest, path, plan=world.plan(digest, service=False))
        digests.append(digest)
    assert outcome.pruned == (digests[1],)
    kept = {path.name for path in (world.target.path / "releases").iterdir()}
    assert kept == {digest.hex for digest in digests[2:]}
