"""SSH keys: OpenSSH signs, we verify; what we carry, OpenSSH verifies."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator  # noqa: TC003 - fixtures' types are looked at
from pathlib import Path  # noqa: TC003
from typing import Any

import pytest

from pratique.trust.sshsig import NAMESPACE, armor

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs the package openssh-client"),
]

KINDS = ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-3072"]


def make_key(folder: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    path = folder / kind
    name, _, bits = kind.partition("-")
    size = ["-b", bits] if bits else []
    subprocess.run(["ssh-keygen", "-q", "-t", name, *size, "-N", passphrase, "-f", path], check=True)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key(project: Any, tmp_path: Path, kind: str) -> None:
    path = make_key(tmp_path, kind)
    enrolled = project.enrol(f"{path}.pub")
    shown = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True)
    fingerprint = shown.stdout.split()[1].removeprefix("SHA256:")
    assert bytes.fromhex(enrolled["key"].removeprefix("sha256:")) == base64.b64decode(f"{fingerprint}=")
    evidence = project.ok(*project.attest(f"ssh:{path}"))["evidence"]
    verified = project.ok("verify", evidence)
    assert (verified["person"], verified["predicate"]) == ("ada", {"reviewed": True})
    assert project.run("log", "check").returncode == 0


def test_openssh_verifies_what_we_carry(project: Any, tmp_path: Path) -> None:
    path = make_key(tmp_path)
    project.enrol(f"ssh:{path}")
    evidence = project.ok(*project.attest(f"ssh:{path}"))["evidence"]
    envelope = project.bundle(evidence)["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    covered = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    (tmp_path / "signature").write_text(armor(base64.b64decode(envelope["signatures"][0]["sig"])))
    (tmp_path / "allowed").write_text(f"ada@app.example {(tmp_path / 'ed25519.pub').read_text()}")
    command = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed", "-I", "ada@app.example"]
    command += ["-n", NAMESPACE, "-s", tmp_path / "signature"]
    subprocess.run(command, input=covered, check=True, capture_output=True)
    assert subprocess.run(command, input=covered + b" ", check=False, capture_output=True).returncode != 0


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    socket = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(socket):  # noqa: PTH110 - a socket
            assert process.poll() is None
        yield socket
    finally:
        process.terminate()
        process.wait(10)


def test_a_key_in_an_agent(project: Any, tmp_path: Path, agent: str) -> None:
    path = make_key(tmp_path)
    project.environment["SSH_AUTH_SOCK"] = agent
    subprocess.run(["ssh-add", "-q", path], check=True, env={**os.environ, "SSH_AUTH_SOCK": agent})
    path.unlink()
    project.enrol(f"{path}.pub")
    project.ok(*project.attest(f"ssh:{path}.pub"))
    subprocess.run(["ssh-add", "-q", "-D"], check=True, env={**os.environ, "SSH_AUTH_SOCK": agent})
    error = project.fails(*project.attest(f"ssh:{path}.pub"))
    assert "neither file nor agent has the private key" in error["message"]
    del project.environment["SSH_AUTH_SOCK"]
    assert project.fails(*project.attest(f"ssh:{path}.pub"))["hint"]


def test_a_passphrase_and_no_terminal(project: Any, tmp_path: Path) -> None:
    path = make_key(tmp_path, passphrase="correct horse")
    project.enrol(f"{path}.pub")
    error = project.fails(*project.attest(f"ssh:{path}"))
    assert error["hint"] == "load the key into an agent (ssh-add), and name its .pub file"


def test_a_public_key_that_is_not_the_private_keys(project: Any, tmp_path: Path) -> None:
    path, other = make_key(tmp_path), make_key(tmp_path, "ecdsa-256")
    shutil.copy(f"{other}.pub", f"{path}.pub")
    project.enrol(f"{path}.pub")
    before = project.ok("log", "list")
    error = project.fails(*project.attest(f"ssh:{path}"))
    assert error["message"] == f"ssh:{path}: FILE.pub is not the private key's public half"
    assert project.ok("log", "list") == before


def test_weak_and_unknown_keys_are_not_enrolled(project: Any, tmp_path: Path) -> None:
    path = make_key(tmp_path, "rsa-1024")
    options = ["--email", "a@b.example", "--role", "approver"]
    assert "weak" in project.fails("trust", "enrol", "ada", "--key", f"{path}.pub", *options)["message"]
    private = project.fails("trust", "enrol", "ada", "--key", str(path), *options)
    assert private["message"] == f"{path}: a private key"
