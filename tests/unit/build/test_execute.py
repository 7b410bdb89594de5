"""Taking over outputs from a hostile directory."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from pratique.build import execute
from pratique.errors import EvidenceInvalidError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "hello-1.0-py3-none-any.whl"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work" / "output").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    return tmp_path / "work"


def take(work: Path, recipe: str = "python-wheel") -> execute.Output:
    return execute._take_output(recipe, work, work.parent / "scratch")


def test_the_promised_file_is_copied_and_digested(work: Path) -> None:
    (work / "output" / NAME).write_bytes(b"wheel")
    (work / "output" / NAME).chmod(0o6777)
    output = take(work)
    assert output.path.read_bytes() == b"wheel"
    assert output.digest.hex == hashlib.sha256(b"wheel").hexdigest()
    assert (output.size, output.path.stat().st_mode & 0o7000) == (5, 0)
    execute.verify_output(output)
    output.path.write_bytes(b"other")
    with pytest.raises(EvidenceInvalidError, match="not the file that was built"):
        execute.verify_output(output)


def link(work: Path) -> None:
    (work / "output" / NAME).symlink_to("/etc/passwd")


def link_as_directory(work: Path) -> None:
    (work / "output").rmdir()
    (work / "elsewhere").mkdir()
    (work / "elsewhere" / NAME).touch()
    (work / "output").symlink_to("elsewhere")


def fifo(work: Path) -> None:
    os.mkfifo(work / "output" / NAME)


def directory(work: Path) -> None:
    (work / "output" / NAME).mkdir()


def hard_link(work: Path) -> None:
    (work / "other").write_bytes(b"x")
    os.link(work / "other", work / "output" / NAME)


def extra(work: Path) -> None:
    (work / "output" / NAME).touch()
    (work / "output" / "more").touch()


def nothing(work: Path) -> None:
    assert work.is_dir()


def other_name(work: Path) -> None:
    (work / "output" / "hello-1.0.tar.gz").touch()


def terminal_name(work: Path) -> None:
    (work / "output" / "hello-1.0-py3-none-\x1b[31m.whl").touch()


def no_directory(work: Path) -> None:
    (work / "output").rmdir()


ATTACKS = (
    link,
    link_as_directory,
    fifo,
    directory,
    hard_link,
    extra,
    nothing,
    other_name,
    terminal_name,
    no_directory,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_anything_but_one_regular_file_of_that_name_is_refused(work: Path, attack) -> None:  # noqa: ANN001
    attack(work)
    with pytest.raises(EvidenceInvalidError):
        take(work)
    assert not list((work.parent / "scratch").iterdir())


def test_an_output_may_not_be_too_large(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "MAX_OUTPUT_BYTES", 4)
    (work / "output" / NAME).write_bytes(b"wheel")
    with pytest.raises(EvidenceInvalidError, match="larger than"):
        take(work)
