"""A key in SoftHSM2, made by OpenSC's pkcs11-tool."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from signer_peers import PYTHON, SOURCE, sign_with

MODULE = next(iter(sorted(Path("/usr/lib").glob("**/softhsm/libsofthsm2.so"))), None)
PIN = "271828"

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not PYTHON, reason="set PRATIQUE_SIGNERS_PYTHON to a python that has the extras"),
    pytest.mark.skipif(
        MODULE is None or not shutil.which("pkcs11-tool"), reason="needs the packages softhsm2 and opensc"
    ),
]


class Token(NamedTuple):
    environment: dict[str, str]
    folder: Path

    def run(self, *command: str) -> None:
        environment = {**self.environment, "PATH": "/usr/bin:/bin"}
        subprocess.run(command, check=True, capture_output=True, env=environment)

    def tool(self, *arguments: str, label: str = "pratique") -> None:
        self.run(
            "pkcs11-tool", "--module", str(MODULE), "--token-label", label, "--login", "--pin", PIN,
            *arguments,
        )  # fmt: skip

    def sign(self, attributes: str, secret: str = PIN, query: str = "") -> dict[str, Any]:
        uri = f"pkcs11:{attributes}?module-path={MODULE}{query}"
        return sign_with(uri, self.environment, secret=secret)


@pytest.fixture
def token(tmp_path: Path) -> Token:
    folder = tmp_path / "tokens"
    folder.mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder}\n")
    token = Token({"SOFTHSM2_CONF": str(config)}, tmp_path)
    token.run(
        "softhsm2-util", "--init-token", "--free", "--label", "pratique", "--pin", PIN, "--so-pin", "314159"
    )
    token.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "signing", "--id", "01")
    return token


def test_signing(token: Token) -> None:
    found = token.sign("token=pratique;object=signing")
    assert found["signature"]
    assert found["asked"] == ["PIN"]
    assert PIN not in str(found)
    again = token.sign("token=pratique;id=%01")
    assert again["publicKey"] == found["publicKey"]


def test_the_pin_from_a_file(token: Token) -> None:
    file = token.folder / "pin"
    file.write_text(f"{PIN}\n")
    file.chmod(0o600)
    found = token.sign("object=signing", secret="", query=f"&pin-source=file:{file}")
    assert found["signature"]
    assert found["asked"] == []
    file.chmod(0o644)
    found = token.sign("object=signing", secret="", query=f"&pin-source=file:{file}")
    assert found["message"] == f"{file}: others than its owner can touch this key"


def test_a_wrong_pin(token: Token) -> None:
    found = token.sign("object=signing", secret="000000")
    assert (found["error"], found["asked"]) == ("ConfigError", ["PIN"])
    assert found["message"].endswith("the PIN is wrong")
    assert "do not just try again" in found["hint"]


def test_what_is_not_there(token: Token) -> None:
    assert "no token of that name" in token.sign("token=other;object=signing")["message"]
    assert "no key of that name" in token.sign("object=other")["message"]
    environment = token.environment
    missing = sign_with("pkcs11:object=signing?module-path=/nowhere.so", environment)
    assert missing["message"] == "/nowhere.so: not a PKCS#11 module that can be loaded"
    assert "which PKCS#11 module?" in sign_with("pkcs11:object=signing", environment)["message"]


def test_two_keys_of_one_name(token: Token) -> None:
    token.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "signing", "--id", "02")
    assert "2 keys of that name" in token.sign("object=signing")["message"]
    assert token.sign("object=signing;id=%02")["signature"]


@pytest.mark.parametrize("kind", ["EC:secp384r1", "rsa:2048"])
def test_other_kinds_of_keys(token: Token, kind: str) -> None:
    token.tool("--keypairgen", "--key-type", kind, "--label", "other", "--id", "03")
    assert "not an ECDSA P-256 key" in token.sign("object=other")["message"]


def test_without_the_library(token: Token) -> None:
    found = sign_with(f"pkcs11:object=signing?module-path={MODULE}", token.environment, extras=False)
    assert (found["error"], found["hint"]) == ("ConfigError", "pip install 'pratique[pkcs11]'")


def test_an_authority_whose_keys_are_in_the_token(token: Token) -> None:
    pin, home = token.folder / "pin", token.folder / "home"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    kinds = {"ca": "prime256v1", "tsa": "prime256v1", "ctlog": "prime256v1", "log": "edwards25519"}
    for name, curve in kinds.items():
        token.tool("--keypairgen", "--key-type", f"EC:{curve}", "--label", name)

    def pratique(*arguments: str, fails: bool = False) -> str:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCE), **token.environment}
        command = [PYTHON, "-m", "pratique", *arguments, "--home", str(home)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout

    query = f"?module-path={MODULE}&pin-source=file:{pin}"
    keys = [f"--key={name}=pkcs11:token=pratique;object={name}{query}" for name in kinds]
    pratique("trust", "init", *keys)
    assert sorted(path.name for path in (home / "trust" / "keys").iterdir()) == [
        "ca.uri", "ctlog.uri", "log.uri", "tsa.uri",
    ]  # fmt: skip
    pratique("trust", "keygen", str(token.folder / "ada.key"))
    enrolled = json.loads(
        pratique("trust", "enrol", "ada", "--key", str(token.folder / "ada.key.pub"), "--role", "a", "--json")
    )
    assert "administrator" in pratique("verify", enrolled["evidence"])
    assert "1 entries" in pratique("log", "check")
    token.tool("--keypairgen", "--key-type", "EC:edwards25519", "--label", "log2")
    pratique("trust", "rotate", "--only", "log", f"--key=log=pkcs11:token=pratique;object=log2{query}")
    assert "object=log2" in (home / "trust/keys/log.uri").read_text()
    assert "2 entries" in pratique("log", "check")
    pratique(
        "trust", "rotate", "--only", "log", f"--key=log=pkcs11:token=pratique;object=ca{query}", fails=True
    )
    assert "2 entries" in pratique("log", "check")
