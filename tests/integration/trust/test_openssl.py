"""Our timestamps before OpenSSL's verifier."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pratique.trust.bundle import parse_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.testing.authority import World

OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="no openssl binary here")


def _verify(world: World, folder: Path, data: bytes) -> subprocess.CompletedProcess[str]:
    ca = world.authority.trusted_root.certificate_authorities[0].certificates[0]
    bundle = parse_bundle(world.by_certificate)
    for name, content in (
        ("ca.pem", ca.public_bytes(Encoding.PEM)),
        ("token.tsr", bundle.timestamp),
        ("data", data),
    ):
        (folder / name).write_bytes(content)
    moment = str(int(world.clock().timestamp()))
    command = [OPENSSL, "ts", "-verify", "-in", "token.tsr", "-data", "data", "-CAfile", "ca.pem"]
    return subprocess.run(
        [*command, "-attime", moment], cwd=folder, check=False, capture_output=True, text=True
    )


def test_openssl_accepts(world: World, tmp_path: Path) -> None:
    done = _verify(world, tmp_path, parse_bundle(world.by_certificate).signature)
    assert (done.returncode, done.stdout.strip()) == (0, "Verification: OK"), done.stderr


def test_openssl_refuses_other_data(world: World, tmp_path: Path) -> None:
    done = _verify(world, tmp_path, b"other")
    assert done.returncode != 0
    assert "message imprint mismatch" in done.stderr
