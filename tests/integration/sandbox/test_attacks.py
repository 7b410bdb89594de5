"""What a hostile build tries, from inside a real sandbox; each must fail, for the reason given."""

from __future__ import annotations

import os
import socket
import tempfile
import textwrap
from pathlib import Path

import pytest

from pratique.errors import SandboxError
from pratique.sandbox import cgroup
from pratique.sandbox.bubblewrap import Bubblewrap
from pratique.sandbox.job import MEBIBYTE, Job, Limits, Mount, Outcome, Workdir

pytestmark = pytest.mark.sandbox


class Bench:
    def __init__(self, folder: Path) -> None:
        self.sandbox = Bubblewrap.find()
        self.work, self.given = folder / "work", folder / "given"
        self.work.mkdir()
        self.given.mkdir()
        (self.given / "file").write_text("as given")

    def job(self, *argv: str, mounts: tuple[Mount, ...] | None = None, **limits: float) -> Job:
        return Job(
            argv=argv,
            mounts=(Mount(self.given, "/inputs"),) if mounts is None else mounts,
            workdir=Workdir(self.work, "/build"),
            env={"PATH": "/usr/bin:/bin"},
            limits=Limits(**{"wall_seconds": 20, **limits}),  # type: ignore[arg-type]
        )

    def python(self, code: str, **limits: float) -> Outcome:
        job = self.job(self.sandbox.python, "-I", "-S", "-c", textwrap.dedent(code), **limits)
        return self.sandbox.run(job)

    def shell(self, code: str, **limits: float) -> Outcome:
        return self.sandbox.run(self.job("/bin/sh", "-c", code, **limits))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_runs_a_command_and_gives_its_log_and_code(bench: Bench) -> None:
    outcome = bench.shell("cat /inputs/file; echo to-stderr >&2; echo made > made; exit 3")
    assert (outcome.returncode, outcome.stopped, outcome.ok) == (3, "", False)
    assert outcome.log == b"as givento-stderr\n"
    assert (bench.work / "made").read_text() == "made\n"


def test_environment_is_only_what_the_job_says(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "do not leak")
    outcome = bench.sandbox.run(bench.job("/usr/bin/env"))
    assert set(outcome.log.decode().split()) == {"PATH=/usr/bin:/bin", "PWD=/build"}


def test_no_descriptor_is_inherited(bench: Bench) -> None:
    with (bench.given / "file").open() as stream:
        os.set_inheritable(stream.fileno(), True)  # noqa: FBT003
        outcome = bench.shell("ls /proc/self/fd | wc -l; read line || echo no-input")
    assert outcome.log.split() == [b"4", b"no-input"]  # 0, 1, 2 and the one that ls reads with


def test_network_is_out_of_reach(bench: Bench) -> None:
    outcome = bench.python(
        """
        import socket
        for kind, target in ((socket.SOCK_STREAM, ("192.0.2.1", 80)), (socket.SOCK_DGRAM, ("192.0.2.1", 53))):
            try:
                socket.socket(socket.AF_INET, kind).connect(target)
                print("connected")
            except OSError as error:
                print(error.errno)
        try:
            socket.getaddrinfo("example.org", 443)
            print("resolved")
        except socket.gaierror:
            print("no name")
        """
    )
    assert outcome.log.split() == [b"101", b"101", b"no", b"name"]  # ENETUNREACH


@pytest.mark.enable_socket
def test_the_hosts_loopback_is_another(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = bench.python(
            f"import socket\ntry: socket.create_connection(('127.0.0.1', {port}), 2); print('in')\n"
            "except OSError as error: print(error.errno)"
        )
        socket.create_connection(("127.0.0.1", port), 2).close()
    assert outcome.log.split() == [b"111"]


@pytest.mark.parametrize(
    "path",
    [
        "/inputs/file",
        "/inputs/new",
        "/usr/new",
        "/new",
        "/etc/passwd",
        "/dev/new",
        "/proc/sys/kernel/core_pattern",
    ],
)
def test_nothing_but_the_working_directory_is_writable(bench: Bench, path: str) -> None:
    outcome = bench.shell(f"echo x > {path} && echo WRITTEN; chmod 777 {path} && echo CHANGED")
    assert b"WRITTEN" not in outcome.log
    assert b"CHANGED" not in outcome.log
    assert (bench.given / "file").read_text() == "as given"


def test_device_nodes_of_the_host_keep_their_mode(bench: Bench) -> None:
    before = Path("/dev/null").stat().st_mode
    assert bench.shell("chmod 600 /dev/null").returncode != 0
    assert Path("/dev/null").stat().st_mode == before


def test_the_hosts_files_are_not_there(bench: Bench) -> None:
    secret = bench.work.parent / "secret"
    secret.write_text("host secret")
    outcome = bench.shell(f"cat {secret} /root/.bashrc /etc/shadow; ls /home /var; cat /oldroot/etc/shadow")
    assert b"host secret" not in outcome.log
    assert b"root:x" not in outcome.log
    assert outcome.log.count(b"No such file") == 6


def test_other_processes_are_invisible_and_out_of_reach(bench: Bench) -> None:
    outcome = bench.shell(
        f"ls -d /proc/[0-9]* | wc -l; kill -0 {os.getpid() + 100000} || echo none; ls /proc/1/root/"
    )
    assert int(outcome.log.split()[0]) <= 4
    assert b"none" in outcome.log


CALLS = {
    "ptrace": "libc.ptrace(16, 1, 0, 0)",
    "mount": "libc.mount(b'none', b'/build', b'tmpfs', 0, None)",
    "umount": "libc.umount2(b'/inputs', 2)",
    "user-namespace": "libc.unshare(0x10000000)",
    "mount-namespace": "libc.unshare(0x00020000)",
    "clone-user-namespace": "libc.syscall(56 if x86 else 220, 0x10000000 | 17, 0, 0, 0, 0)",
    "keyring": "libc.syscall(250 if x86 else 219, 0, -3, 0, 0)",
    "bpf": "libc.syscall(321 if x86 else 280, 0, 0, 0)",
    "perf": "libc.syscall(298 if x86 else 241, 0, 0, -1, -1, 0)",
    "userfaultfd": "libc.syscall(323 if x86 else 282, 1)",
    "read-memory": "libc.syscall(310 if x86 else 270, 1, 0, 0, 0, 0, 0)",
    "new-mount-api": "libc.syscall(430, b'tmpfs', 0)",
    "chroot": "libc.chroot(b'/build')",
    "io-uring": "libc.syscall(425, 1, 0)",
    "clone3": "libc.syscall(435, 0, 0)",
}


def test_system_calls_that_builds_do_not_need_are_refused(bench: Bench) -> None:
    attempts = "\n".join(f"attempt({name!r}, lambda: {call})" for name, call in CALLS.items())
    outcome = bench.python(
        "import ctypes, platform\n"
        "x86 = platform.machine() == 'x86_64'\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def attempt(name, call):\n"
        "    ctypes.set_errno(0)\n"
        "    print(name, call(), ctypes.get_errno())\n" + attempts
    )
    results = dict(line.split(" ", 1) for line in outcome.log.decode().splitlines())
    assert results == {name: "-1 38" if name in ("io-uring", "clone3") else "-1 1" for name in CALLS}


def test_set_user_id_gains_nothing(bench: Bench) -> None:
    outcome = bench.shell("grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status; id -u; su -c id")
    assert b"NoNewPrivs:\t1" in outcome.log
    assert outcome.log.count(b"0000000000000000") == 2
    assert b"uid=0" not in outcome.log


def test_a_flood_of_log_is_bounded_and_marked(bench: Bench) -> None:
    outcome = bench.shell("echo first; head -c 50000000 /dev/zero; echo last", log_bytes=10_000)
    assert len(outcome.log) < 10_100
    assert outcome.log.startswith(b"first\n")
    assert outcome.log.endswith(b"last\n")
    assert outcome.log_dropped == 50_000_011 - 10_000
    assert b"bytes of log left out" in outcome.log


def test_a_time_out_kills_the_whole_tree(bench: Bench) -> None:
    outcome = bench.shell("(while :; do date +%N > tick; done) & sleep 60", wall_seconds=0.5)
    assert (outcome.stopped, outcome.returncode) == ("time-out", -1)
    before = (bench.work / "tick").read_bytes()
    assert [(bench.work / "tick").read_bytes() for _ in range(200)] == [before] * 200


def test_a_daemon_dies_with_the_job(bench: Bench) -> None:
    outcome = bench.python(
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for fd in (0, 1, 2): os.close(fd)
                while True:
                    with open("tick", "w") as out: out.write(str(time.monotonic_ns()))
            os._exit(0)
        while not os.path.exists("tick"): time.sleep(0.01)
        """
    )
    assert outcome.ok
    before = (bench.work / "tick").read_bytes()
    assert [(bench.work / "tick").read_bytes() for _ in range(200)] == [before] * 200


def test_a_fork_bomb_meets_its_limit(bench: Bench) -> None:
    outcome = bench.python(
        """
        import os, time
        made = 0
        try:
            while made < 500:
                if os.fork() == 0:
                    time.sleep(30); os._exit(0)
                made += 1
        except OSError as error:
            print(error.errno, made < 64, flush=True)
        """,
        processes=64,
    )
    assert outcome.log.split() == [b"11", b"True"]  # EAGAIN


def test_memory_has_a_limit(bench: Bench) -> None:
    outcome = bench.python(
        "data = []\nfor _ in range(64): data.append(b'x' * (16 << 20))\nprint('HAD IT ALL')",
        memory_bytes=256 * MEBIBYTE,
    )
    assert not outcome.ok
    assert b"HAD IT ALL" not in outcome.log


def test_disk_has_a_limit(bench: Bench) -> None:
    outcome = bench.shell(
        "i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero > f$i; i=$((i+1)); sleep 0.1; done",
        disk_bytes=5 * MEBIBYTE,
    )
    assert outcome.stopped == "disk"
    outcome = bench.shell("head -c 3000000 /dev/zero > big", file_bytes=MEBIBYTE)
    assert not outcome.ok
    assert (bench.work / "big").stat().st_size <= MEBIBYTE


def test_temporary_space_has_a_limit(bench: Bench) -> None:
    outcome = bench.shell(
        "head -c 9000000 /dev/zero > /tmp/x; head -c 9000000 /dev/zero > /dev/shm/x; du -b /tmp/x /dev/shm/x",
        tmp_bytes=MEBIBYTE,
    )
    sizes = [int(line.split()[0]) for line in outcome.log.decode().splitlines() if line.endswith("/x")]
    assert len(sizes) == 2
    assert max(sizes) <= MEBIBYTE


def test_cve_2026_87766_a_mount_below_untrusted_content_is_refused(bench: Bench) -> None:
    outside = bench.work.parent / "outside"
    outside.mkdir()
    (bench.given / "trap").symlink_to(f"/oldroot{outside}")
    other = bench.work.parent / "other"
    other.mkdir()
    mounts = (Mount(bench.given, "/inputs"), Mount(other, "/inputs/trap/made-on-the-host"))
    with pytest.raises(SandboxError, match="may not lie within one another"):
        bench.sandbox.run(bench.job("/bin/true", mounts=mounts))
    assert list(outside.iterdir()) == []


def test_a_working_directory_that_others_can_reach_is_refused(bench: Bench) -> None:
    bench.work.parent.chmod(0o755)
    with pytest.raises(SandboxError, match="others can reach"):
        bench.shell("true")


def test_a_command_that_is_not_there_is_said_to_be_missing(bench: Bench) -> None:
    with pytest.raises(SandboxError, match=r"no-such-program: No such file"):
        bench.sandbox.run(bench.job("/usr/bin/no-such-program"))


def test_processors_and_host_name_are_as_asked(bench: Bench) -> None:
    job = Job(
        argv=("/bin/sh", "-c", "nproc; hostname; umask"),
        workdir=Workdir(bench.work, "/elsewhere/deep"),
        env={"PATH": "/usr/bin:/bin"},
        hostname="another",
        umask=0o077,
        cpus=1,
    )
    assert bench.sandbox.run(job).log.split() == [b"1", b"another", b"0077"]


def test_preflight_says_what_it_saw() -> None:
    seen = Bubblewrap.find().preflight().to_json()
    assert (seen["class"], seen["network"], seen["privileges"]) == ("namespaces", "none", "none")
    assert seen["hostUser"] == ("dropped-from-root" if os.geteuid() == 0 else "unprivileged")
    assert seen["seccomp"].startswith("sha256:")


def test_no_control_group_or_stage_is_left_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    remove = cgroup._remove
    monkeypatch.setattr(cgroup, "_remove", lambda path: (made.append(path), remove(path)))
    stages: list[str] = []
    mkdtemp = tempfile.mkdtemp
    monkeypatch.setattr(
        tempfile, "mkdtemp", lambda **options: stages.append(mkdtemp(**options)) or stages[-1]
    )
    bench.sandbox.preflight()
    made.clear()
    stages.clear()
    bench.shell("true")
    assert not [path for path in (*made, *map(Path, stages)) if path.exists()]
    assert len(stages) == (1 if os.geteuid() == 0 else 0)
