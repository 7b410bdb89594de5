"""A key in swtpm, the software TPM 2.0, made by tpm2-tools. It has no resource manager."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator  # noqa: TC003 - fixtures' types are looked at
from pathlib import Path  # noqa: TC003 - a NamedTuple's field
from typing import Any, NamedTuple

import pytest
from signer_peers import free_port, sign_with, wait_for

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not (shutil.which("swtpm") and shutil.which("tpm2_sign")),
        reason="needs the packages swtpm and tpm2-tools",
    ),
]

USES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"


class Tpm(NamedTuple):
    environment: dict[str, str]
    folder: Path

    def run(self, *command: str) -> None:
        environment = {**self.environment, "PATH": "/usr/bin:/bin"}
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=self.folder)

    def make(self, handle: str, *options: str, kind: str = "ecc256:ecdsa-sha256", uses: str = USES) -> None:
        self.run("tpm2_createprimary", "-C", "o", "-G", kind, "-a", uses, "-c", "key.ctx", *options)
        self.run("tpm2_flushcontext", "-t")
        self.run("tpm2_evictcontrol", "-C", "o", "-c", "key.ctx", handle)
        self.run("tpm2_flushcontext", "-t")

    def sign(self, uri: str, secret: str = "") -> dict[str, Any]:
        found = sign_with(uri, self.environment, secret=secret, extras=False)
        self.run("tpm2_flushcontext", "-t")
        return found


@pytest.fixture
def tpm(tmp_path: Path, socket_enabled: None) -> Iterator[Tpm]:  # noqa: ARG001 - lets the test use sockets
    port = free_port(2)  # tpm2-tss expects the control channel on the next one
    process = subprocess.Popen(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={tmp_path}",
         "--flags", "not-need-init,startup-clear",
         "--server", f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port + 1, process)
        yield Tpm({"TPM2TOOLS_TCTI": f"swtpm:host=127.0.0.1,port={port}"}, tmp_path)
    finally:
        process.terminate()
        process.wait(10)


def test_signing(tpm: Tpm) -> None:
    tpm.make("0x81000001")
    found = tpm.sign("tpm:0x81000001")
    assert found["signature"]
    assert found["asked"] == []


def test_a_key_with_a_pin(tpm: Tpm) -> None:
    tpm.make("0x81000001", "-p", "sesame")
    found = tpm.sign("tpm:0x81000001?auth=pin", "sesame")
    assert found["signature"]
    assert found["asked"] == ["PIN"]
    for uri in ("tpm:0x81000001", "tpm:0x81000001?auth=pin"):
        found = tpm.sign(uri, "elderberry")
        assert found["message"].endswith("the TPM refused the PIN of the key")
        assert found["waited"] == []


def test_what_is_not_there(tpm: Tpm) -> None:
    assert tpm.sign("tpm:0x81000009")["message"].endswith("the TPM has no key there")
    assert tpm.sign("tpm:nowhere.ctx")["error"] == "UsageError"
    away = sign_with("tpm:0x81000001", {"TPM2TOOLS_TCTI": "swtpm:host=127.0.0.1,port=1"}, extras=False)
    assert (away["error"], away["message"].endswith("no TPM can be reached")) == ("InfrastructureError", True)


def test_other_kinds_of_keys(tpm: Tpm) -> None:
    tpm.make("0x81000001", kind="rsa2048:rsassa-sha256")
    assert tpm.sign("tpm:0x81000001")["message"].endswith("not an ECDSA P-256 key")
    tpm.make(
        "0x81000002", kind="ecc256", uses="fixedtpm|fixedparent|sensitivedataorigin|userwithauth|decrypt"
    )
    assert tpm.sign("tpm:0x81000002")["error"] in {"ConfigError", "InfrastructureError"}
