"""However a command ends, it says so in one place: an exit code, an error, a hint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from pratique.cli import main as cli
from pratique.cli.secrets import ask_secret, new_passphrase
from pratique.errors import (
    AwaitingApprovalError,
    ConfigError,
    CouldNotCheckError,
    InfrastructureError,
    PolicyRefusedError,
    SignatureInvalidError,
    UsageError,
)
from pratique.trust.signers.port import Secret

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A verb that fails with the error put in here."""
    errors: list[BaseException] = []

    @click.command("fail")
    @click.option("--json", "as_json", is_flag=True)
    def command(*, as_json: bool) -> None:  # noqa: ARG001 - main looks for the word itself
        raise errors[0]

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: command)
    return errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PolicyRefusedError("no", hint="do this"), 1),
        (UsageError("no", hint="do this"), 2),
        (ConfigError("no", hint="do this"), 2),
        (CouldNotCheckError("no", hint="do this"), 3),
        (SignatureInvalidError("no", hint="do this"), 4),
        (InfrastructureError("no", hint="do this"), 5),
        (AwaitingApprovalError("no", hint="do this"), 6),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_and_their_codes(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    failing.append(error)
    assert cli.main(["fail"]) == code
    assert capsys.readouterr() == ("", "error: no\nhint: do this\n")
    assert cli.main(["fail", "--json"]) == code
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"message": "no", "hint": "do this", "exitCode": code}}
    assert err == ""


def test_an_error_of_the_machine_names_the_file(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(PermissionError(13, "Permission denied", "/some/file"))
    assert cli.main(["fail"]) == 5
    assert capsys.readouterr().err == "error: /some/file: Permission denied\n"


def test_a_defect_is_no_traceback_unless_asked_for(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.append(ZeroDivisionError("oops"))
    monkeypatch.delenv("PRATIQUE_TRACEBACK", raising=False)
    assert cli.main(["fail"]) == 5
    err = capsys.readouterr().err
    assert err.startswith(
        "error: internal error: ZeroDivisionError: oops\nhint: this is a defect of pratique"
    )
    monkeypatch.setenv("PRATIQUE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["fail"])


def test_ctrl_c(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(KeyboardInterrupt())
    assert cli.main(["fail"]) == 130
    assert "error: interrupted\nhint: run the same command again" in capsys.readouterr().err


def test_names_cannot_write_to_the_terminal(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(UsageError("no file called \x1b[2J\x07\u202e.whl,\n  nor é"))
    assert cli.main(["fail"]) == 2
    assert capsys.readouterr().err == "error: no file called \\x1b[2J\\x07\\u202e.whl,\n  nor é\n"


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # noqa: PTH120
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("verb", ["--help", "ship --help", "trust show --json", "trust keygen x.key"])
@pytest.mark.parametrize("into", ["| true", ">/dev/full", ">&-", "2>&- | true"])
def test_nobody_reads_the_output(tmp_path: Path, verb: str, into: str) -> None:
    result = shell(f"pratique {verb} {into}", tmp_path)
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert result.returncode in {0, 2, 5}


def test_a_passphrase_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "passphrase"
    monkeypatch.setenv("PRATIQUE_PASSPHRASE_FILE", str(file))
    with pytest.raises(ConfigError, match=f"{file}: the passphrase cannot be read: No such file"):
        ask_secret(Secret("passphrase", "a.key"))
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        new_passphrase()
    file.write_text("correct horse\n")
    assert ask_secret(Secret("passphrase", "a.key")) == new_passphrase() == b"correct horse"
    file.write_text("\n")
    with pytest.raises(UsageError, match="an empty passphrase protects nothing"):
        new_passphrase()


def test_nobody_is_asked_where_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRATIQUE_PASSPHRASE_FILE", raising=False)
    for stream in (None, open(os.devnull)):  # noqa: PTH123, SIM115
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(UsageError, match="there is no terminal to ask on") as caught:
            ask_secret(Secret("passphrase", "a.key"))
        assert "$PRATIQUE_PASSPHRASE_FILE" in caught.value.hint
        if stream:
            stream.close()
