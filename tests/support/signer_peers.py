"""Keys in real tokens, TPMs and services: signing with one in an environment that has the extras."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

import pratique

PYTHON = os.environ.get("PRATIQUE_SIGNERS_PYTHON", "")
SOURCE = Path(pratique.__file__).parents[1]
DRIVER = Path(__file__).with_name("sign_with.py")
DATA = b"what is signed"


def run_driver(python: str, uri: str, environment: dict[str, str], secret: str) -> dict[str, Any]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [python, str(DRIVER), uri],
        input=DATA,
        capture_output=True,
        check=False,
        env={**kept, "PYTHONPATH": str(SOURCE), "TEST_SECRET": secret, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert secret not in done.stdout.decode() or not secret
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def sign_with(
    uri: str, environment: dict[str, str], *, secret: str = "", extras: bool = True
) -> dict[str, Any]:
    """Sign with a key by its URI and give what the driver says; a signature it gives has been verified."""
    found = run_driver(PYTHON if extras else sys.executable, uri, environment, secret)
    if "signature" in found:
        key = load_der_public_key(base64.b64decode(found["publicKey"]))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)
        key.verify(base64.b64decode(found["signature"]), DATA, ec.ECDSA(hashes.SHA256()))
    return found


def free_port(count: int = 1) -> int:
    """Give the first of so many free ports in a row."""
    while True:
        with ExitStack() as held:
            first = held.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for further in range(1, count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port + further))
            except OSError:
                continue
            return port


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the service ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nobody listens on port {port}")
