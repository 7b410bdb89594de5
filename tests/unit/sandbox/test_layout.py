"""The rules about mounts, without a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from pratique.errors import SandboxError
from pratique.sandbox import layout
from pratique.sandbox.host import HostView, host_view
from pratique.sandbox.job import Job, Mount, Workdir

HOST = HostView(
    (Mount(Path("/usr"), "/usr"),),
    {"/lib": "usr/lib"},
    ("/usr/lib/python3/dist-packages",),
    "/usr/bin/python3",
)


def make(tmp_path: Path, *targets: str, work: str = "/build") -> Job:
    mounts = []
    for index, target in enumerate(targets):
        source = tmp_path / f"in{index}"
        source.mkdir()
        mounts.append(Mount(source, target))
    (tmp_path / "work").mkdir()
    return Job(argv=("/bin/true",), mounts=tuple(mounts), workdir=Workdir(tmp_path / "work", work))


@pytest.mark.parametrize(
    ("targets", "work"),
    [
        (("/a", "/a/b"), "/build"),
        (("/a/b", "/a"), "/build"),
        (("/a", "/a"), "/build"),
        (("/build/in",), "/build"),
        (("/build",), "/build/work"),
        (("/usr/share/in",), "/build"),
        (("/lib/in",), "/build"),
        (("/proc/in",), "/build"),
        (("/tmp/in",), "/build"),  # noqa: S108
        (("/dev/shm/in",), "/build"),  # noqa: S108
        (("/etc/passwd",), "/build"),
        (("/etc",), "/build"),
        (("/in",), "/usr/work"),
    ],
)
def test_mounts_that_touch_are_refused(tmp_path: Path, targets: tuple[str, ...], work: str) -> None:
    with pytest.raises(SandboxError, match="may not lie within one another"):
        layout.check_mounts(make(tmp_path, *targets, work=work), HOST)


@pytest.mark.parametrize(
    "target", ["", "/", "//", "relative", "/a/../b", "/a/", "/a//b", "//a", "/a\0b", "/./a"]
)
def test_only_plain_absolute_targets(tmp_path: Path, target: str) -> None:
    with pytest.raises(SandboxError, match="not a plain absolute path"):
        layout.check_mounts(make(tmp_path, target), HOST)


def test_neighbours_with_a_common_prefix_are_fine(tmp_path: Path) -> None:
    layout.check_mounts(make(tmp_path, "/inputs", "/inputs2", "/srv/a", "/srv/b", "/usrlocal"), HOST)


def test_a_symbolic_link_or_nothing_is_no_source(tmp_path: Path) -> None:
    job = make(tmp_path, "/inputs")
    (tmp_path / "in0").rmdir()
    with pytest.raises(SandboxError, match="nothing to mount"):
        layout.check_mounts(job, HOST)
    (tmp_path / "in0").symlink_to("/etc")
    with pytest.raises(SandboxError, match="symbolic link"):
        layout.check_mounts(job, HOST)


@pytest.mark.parametrize("source", ["work", "work/inner", "."])
def test_an_input_that_the_job_could_write_is_refused(tmp_path: Path, source: str) -> None:
    job = make(tmp_path)
    (tmp_path / "work" / "inner").mkdir()
    shared = Job(argv=job.argv, mounts=(Mount(tmp_path / source, "/inputs"),), workdir=job.workdir)
    with pytest.raises(SandboxError, match="shares files"):
        layout.check_mounts(shared, HOST)


def test_a_file_is_no_working_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job = Job(argv=("/bin/true",), workdir=Workdir(tmp_path / "file", "/build"))
    with pytest.raises(SandboxError, match="not a directory"):
        layout.check_mounts(job, HOST)


def written(job: Job) -> list[str]:
    sources = {"/usr": "/usr", "/inputs": "/host/in", "/build": "/host/work"}
    return layout.arguments(job, HOST, sources=sources, data_fds={"/etc/passwd": 7}, fds={"block-fd": 9})


def test_arguments_isolate_and_end_the_making_of_mounts_last(tmp_path: Path) -> None:
    options = written(make(tmp_path, "/inputs"))
    needed = {
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv"),
    }
    assert needed <= set(options)
    at = options.index("--bind")
    assert options[at : at + 3] == ["--bind", "/host/work", "/build"]
    assert options.count("--bind") == 1
    closing = [
        index for index, word in enumerate(options) if word == "--remount-ro" and options[index + 1] == "/"
    ]
    assert closing
    assert closing[0] > at
    assert options[-2:] == ["--", "/bin/true"]


def test_a_relative_command_is_refused(tmp_path: Path) -> None:
    job = make(tmp_path, "/inputs")
    with pytest.raises(SandboxError, match="absolute path"):
        written(Job(argv=("true",), mounts=job.mounts, workdir=job.workdir))


def test_this_machine_shows_its_tool_chain_and_nothing_of_its_people() -> None:
    view = host_view()
    targets = {mount.target for mount in view.mounts}
    assert "/usr" in targets
    assert not targets & {"/", "/home", "/root", "/var", "/run", "/etc", "/proc", "/sys"}
    assert all(any(mask.startswith(target) for target in targets) for mask in view.masks)
