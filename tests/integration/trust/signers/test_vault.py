"""A key of HashiCorp Vault's transit engine, in a real Vault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator  # noqa: TC003 - fixtures' types are looked at
from pathlib import Path  # noqa: TC003
from typing import Any

import pytest
from signer_peers import SOURCE, free_port, sign_with, wait_for

VAULT = os.environ.get("PRATIQUE_VAULT", "")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not VAULT, reason="set PRATIQUE_VAULT to HashiCorp Vault's program"),
]


class Vault:
    def __init__(self, address: str) -> None:
        self.environment = {"VAULT_ADDR": address, "VAULT_TOKEN": "root"}

    def call(self, path: str, body: dict[str, Any], method: str = "POST") -> Any:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.environment['VAULT_ADDR']}/v1/{path}",
            json.dumps(body).encode(),
            {"X-Vault-Token": "root"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read() or b"{}")

    def sign(self, uri: str, **environment: str) -> dict[str, Any]:
        return sign_with(uri, {**self.environment, **environment}, extras=False)


@pytest.fixture
def vault(tmp_path: Path, socket_enabled: None) -> Iterator[Vault]:  # noqa: ARG001 - lets the test use sockets
    port = free_port()
    process = subprocess.Popen(
        [VAULT, "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", "-dev-root-token-id=root",
         "-dev-no-store-token"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        wait_for(port, process)
        found = Vault(f"http://127.0.0.1:{port}")
        found.call("sys/mounts/transit", {"type": "transit"})
        found.call("transit/keys/signing", {"type": "ecdsa-p256"})
        yield found
    finally:
        process.terminate()
        process.wait(30)


def test_signing_and_rotation(vault: Vault) -> None:
    first = vault.sign("vault:signing")
    assert first["signature"], first
    vault.call("transit/keys/signing/rotate", {})
    assert vault.sign("vault:signing")["publicKey"] != first["publicKey"]
    assert vault.sign("vault:signing?version=1")["publicKey"] == first["publicKey"]
    assert "no version" in vault.sign("vault:signing?version=9")["message"]


def test_what_goes_wrong(vault: Vault) -> None:
    assert "permission denied" in vault.sign("vault:signing", VAULT_TOKEN="expired")["message"]
    assert "no such key" in vault.sign("vault:other")["message"]
    vault.call("transit/keys/ed", {"type": "ed25519"})
    assert "ed25519, not ecdsa-p256" in vault.sign("vault:ed")["message"]
    vault.call("sys/policies/acl/reader", {"policy": 'path "transit/keys/*" { capabilities = ["read"] }'})
    token = vault.call("auth/token/create", {"policies": ["reader"]})["auth"]["client_token"]
    reader = vault.sign("vault:signing", VAULT_TOKEN=token)
    assert "transit/sign/… (update)" in reader["hint"]
    assert token not in str(reader)
    vault.call("sys/seal", {}, "PUT")
    sealed = vault.sign("vault:signing")
    assert (sealed["error"], len(sealed["waited"])) == ("InfrastructureError", 3)
    assert "sealed" in sealed["message"].lower()


def test_no_vault(vault: Vault) -> None:
    assert "where is Vault?" in vault.sign("vault:signing", VAULT_ADDR="")["message"]
    assert "is no https address" in vault.sign("vault:signing", VAULT_ADDR="http://vault.example")["message"]
    gone = vault.sign("vault:signing", VAULT_ADDR=f"http://127.0.0.1:{free_port()}")
    assert (gone["error"], len(gone["waited"])) == ("InfrastructureError", 3)
    assert "no Vault token" in vault.sign("vault:signing", VAULT_TOKEN="", HOME="/nowhere")["message"]


def test_the_logs_key_in_a_vault(vault: Vault, tmp_path: Path) -> None:
    vault.call("transit/keys/log", {"type": "ed25519"})
    home = tmp_path / "home"

    def pratique(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "pratique", *arguments, "--home", str(home)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(SOURCE)}
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env={**environment, **vault.environment}
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert "not ed25519" in pratique("trust", "init", "--key", "log=vault:signing", code=2)
    pratique("trust", "init", "--key", "log=vault:log")
    pratique("trust", "keygen", str(tmp_path / "ada.key"))
    pratique("trust", "enrol", "ada", "--key", str(tmp_path / "ada.key.pub"), "--role", "a")
    assert "1 entries" in pratique("log", "check")
