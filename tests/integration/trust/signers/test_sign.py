"""What `pratique sign` writes, before Sigstore's own cosign and npm verifiers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

COSIGN = os.environ.get("PRATIQUE_COSIGN", "")
NODE = os.environ.get("PRATIQUE_SIGSTORE_NODE", "")
pytestmark = pytest.mark.interop

VERIFY_JS = """
const fs = require("fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");
const [root, bundle, key, file] = process.argv.slice(2);
const read = (path) => JSON.parse(fs.readFileSync(path, "utf8"));
const keys = (hint) => ({
  publicKey: require("crypto").createPublicKey(fs.readFileSync(key)), validFor: () => true,
});
const material = toTrustMaterial(TrustedRoot.fromJSON(read(root)), keys);
new Verifier(material).verify(toSignedEntity(bundleFromJSON(read(bundle)), fs.readFileSync(file)));
console.log("held");
"""


@pytest.fixture
def signed(project: Any) -> Any:
    project.ok("trust", "keygen", "ada.key")
    project.ok("sign", "file.whl", "--key", "ada.key")
    return project


def _tampered(folder: Path) -> None:
    (folder / "file.whl").write_bytes(b"another artifact")


@pytest.mark.skipif(not COSIGN, reason="set PRATIQUE_COSIGN to cosign 3")
def test_cosign_verifies_it(signed: Any) -> None:
    command = [
        COSIGN, "verify-blob", "--key", "ada.key.pub", "--bundle", "file.whl.sigstore.json",
        "--trusted-root", ".pratique/trust/trusted_root.json", "file.whl",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=signed.folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _tampered(signed.folder)
    assert subprocess.run(command, cwd=signed.folder, check=False, capture_output=True).returncode != 0


@pytest.mark.skipif(not NODE, reason="set PRATIQUE_SIGSTORE_NODE to a folder with @sigstore/verify >= 4.1")
def test_sigstore_js_verifies_it(signed: Any) -> None:
    (signed.folder / "verify.js").write_text(VERIFY_JS)
    root = ".pratique/trust/trusted_root.json"
    command = ["node", "verify.js", root, "file.whl.sigstore.json", "ada.key.pub", "file.whl"]
    environment = {**os.environ, "NODE_PATH": str(Path(NODE) / "node_modules")}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=signed.folder, check=False, capture_output=True, text=True, env=environment
        )

    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "held\n"
    _tampered(signed.folder)
    assert run().returncode != 0


def test_the_bundle_has_one_of_everything(signed: Any) -> None:
    bundle = json.loads((signed.folder / "file.whl.sigstore.json").read_bytes())
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    material = bundle["verificationMaterial"]
    assert len(material["tlogEntries"]) == 1
    assert len(material["timestampVerificationData"]["rfc3161Timestamps"]) == 1
    assert "dsseEnvelope" not in bundle
