"""write_atomic leaves old or new and nothing else; locked lets one in and says who keeps others out."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pratique.errors import InfrastructureError
from pratique.store import atomic
from pratique.store.atomic import locked, remove_temporary, write_all_atomic, write_atomic


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_writes_private_file_and_makes_private_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(target.parent.parent.stat().st_mode) == 0o700


def test_replaces_what_was_there(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    write_atomic(tmp_path / "file", b"new", 0o400)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o400
    assert files_under(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_at_any_step_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write_atomic(tmp_path / "file", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail) if step == "fsync" else monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InfrastructureError, match=r"cannot write .*No space left"):
        write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert files_under(tmp_path) == ["file"]


def test_folder_in_the_way_is_an_infrastructure_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError, match="cannot write"):
        write_atomic(tmp_path / "file" / "below", b"x")


def test_file_is_synced_before_its_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(handle: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def record_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    write_atomic(tmp_path / "file", b"x")
    assert events == ["file", "rename", "folder"]


def test_large_batch_is_synced_as_a_whole_before_and_after_its_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = atomic._sync_file_system, Path.replace

    def record_sync(path: Path) -> None:
        events.append("sync")
        sync(path)

    def record_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(atomic, "_sync_file_system", record_sync)
    monkeypatch.setattr(Path, "replace", record_replace)
    files = [(tmp_path / f"{n}" / "file", b"%d" % n) for n in range(9)]
    write_all_atomic(files)
    assert events == ["sync", *["rename"] * 9, "sync"]
    assert all(path.read_bytes() == data for path, data in files)


def test_sync_of_the_file_system_reports_the_kernel_s_refusal(tmp_path: Path) -> None:
    atomic._sync_file_system(tmp_path)
    with pytest.raises(FileNotFoundError):
        atomic._sync_file_system(tmp_path / "absent")


def test_remove_temporary_takes_only_leftovers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    left = atomic.write_temporary(tmp_path / "a", b"x", 0o600)
    write_atomic(tmp_path / "a" / "kept", b"x")
    assert left.exists()
    remove_temporary(tmp_path)
    assert files_under(tmp_path) == ["a/kept"]


def test_lock_held_by_another_process_names_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pratique.store.atomic import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(InfrastructureError, match=f"held by process {holder.pid}\\b") as caught,
        locked(tmp_path / "lock", wait=0.05),
    ):
        pass
    assert str(holder.pid) in caught.value.hint
    holder.kill()  # the kernel frees a dead holder's lock
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    with locked(tmp_path / "lock", wait=5):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_lock_excludes_threads_of_one_process_too(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locked(tmp_path / "lock", wait=30):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1


def test_shared_holders_meet_and_keep_an_exclusive_one_out(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock, shared=True), locked(lock, shared=True, wait=0):  # noqa: SIM117 - two claims, two lines
        with pytest.raises(InfrastructureError, match="another process"), locked(lock, wait=0):
            pass
    with locked(lock, wait=0), pytest.raises(InfrastructureError), locked(lock, shared=True, wait=0):
        pass


def test_lock_that_cannot_be_made_is_an_infrastructure_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InfrastructureError, match="cannot open the lock"), locked(tmp_path / "link"):
        pass
    assert not (tmp_path / "elsewhere").exists()
