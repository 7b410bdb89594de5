"""SSH signatures that OpenSSH made (sshsig/openssh.json names the commands), and every way to damage them."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.trust.sshsig import (
    NAMESPACE,
    armor,
    dearmor,
    parse_public_key,
    parse_public_line,
    verify_sshsig,
)

VECTORS = json.loads((Path(__file__).parent / "sshsig" / "openssh.json").read_text())
MESSAGE = VECTORS["message"].encode()
KINDS = sorted(VECTORS["keys"])


def parts(kind: str) -> tuple[bytes, bytes]:
    vector = VECTORS["keys"][kind]
    return parse_public_line(vector["public"]), dearmor(vector["signature"])


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds(kind: str) -> None:
    key, signature = parts(kind)
    verify_sshsig(signature, MESSAGE, key)
    assert armor(signature) == VECTORS["keys"][kind]["signature"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_counts(kind: str) -> None:
    key, signature = parts(kind)
    for position in range(len(signature)):
        damaged = bytearray(signature)
        damaged[position] ^= 1
        with pytest.raises(EvidenceInvalidError):
            verify_sshsig(bytes(damaged), MESSAGE, key)
    for cut in range(len(signature)):
        with pytest.raises(EvidenceInvalidError):
            verify_sshsig(signature[:cut], MESSAGE, key)
    with pytest.raises(EvidenceInvalidError):
        verify_sshsig(signature + b"\0", MESSAGE, key)


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_is_not_for(kind: str) -> None:
    key, signature = parts(kind)
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        verify_sshsig(signature, MESSAGE + b".", key)
    with pytest.raises(SignatureInvalidError, match="was made for 'file'"):
        verify_sshsig(dearmor(VECTORS["keys"][kind]["namespaceFile"]), MESSAGE, key)
    other, _ = parts(KINDS[KINDS.index(kind) - 1])
    with pytest.raises(SignatureInvalidError, match="another key"):
        verify_sshsig(signature, MESSAGE, other)


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa AAAA", "ssh-dss AAAAB3NzaC1kc3M="]
)
def test_lines_that_are_no_key(text: str) -> None:
    with pytest.raises(EvidenceInvalidError):
        parse_public_line(text)


def test_a_line_that_names_another_type() -> None:
    line = VECTORS["keys"]["ed25519"]["public"].replace("ssh-ed25519", "ssh-rsa", 1)
    with pytest.raises(MalformedError, match="names another type"):
        parse_public_line(line)


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def touched(flags: int) -> tuple[bytes, bytes]:
    """A security key's signature, put together as PROTOCOL.u2f says, without the hardware."""
    private, application = Ed25519PrivateKey.generate(), b"ssh:"
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = string(kind) + string(raw) + string(application)
    digest = hashlib.sha512(MESSAGE).digest()
    covered = b"SSHSIG" + string(NAMESPACE.encode()) + string(b"") + string(b"sha512") + string(digest)
    tail = bytes([flags]) + (7).to_bytes(4, "big")
    signed = private.sign(hashlib.sha256(application).digest() + tail + hashlib.sha256(covered).digest())
    signature = string(kind) + string(signed) + tail
    head = b"SSHSIG" + (1).to_bytes(4, "big") + string(blob) + string(NAMESPACE.encode())
    return blob, head + string(b"") + string(b"sha512") + string(signature)


def test_a_security_key_that_was_touched() -> None:
    key, signature = touched(1)
    verify_sshsig(signature, MESSAGE, key)
    assert parse_public_key(key).application == b"ssh:"


def test_a_security_key_that_was_not_touched() -> None:
    key, signature = touched(0)
    with pytest.raises(SignatureInvalidError, match="was not touched"):
        verify_sshsig(signature, MESSAGE, key)


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs the package openssh-client")
def test_openssh_takes_the_same_security_key(tmp_path: Path) -> None:
    """The signature above is put together by the test: OpenSSH says that it is one."""

    key, signature = touched(1)
    line = f"sk-ssh-ed25519@openssh.com {base64.b64encode(key).decode()}"
    (tmp_path / "allowed").write_text(f"ada {line}\n")
    (tmp_path / "signature").write_text(armor(signature))
    command = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "ada", "-n", NAMESPACE, "-s", "signature"]
    for message, holds in ((MESSAGE, True), (MESSAGE + b".", False)):
        done = subprocess.run(command, input=message, cwd=tmp_path, check=False, capture_output=True)
        assert (done.returncode == 0) == holds
