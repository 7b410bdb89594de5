"""Our bundles before Sigstore's own verifiers, and Sigstore's bundle before ours."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pratique.trust.root import parse_root
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pratique.testing.authority import World

PYTHON = os.environ.get("PRATIQUE_SIGSTORE_PYTHON", "")
NODE = os.environ.get("PRATIQUE_SIGSTORE_NODE", "")
needs_python = pytest.mark.skipif(
    not PYTHON, reason="set PRATIQUE_SIGSTORE_PYTHON to a python that has sigstore 4.5"
)
needs_node = pytest.mark.skipif(
    not NODE, reason="set PRATIQUE_SIGSTORE_NODE to a folder with node_modules/@sigstore/verify >= 4.1"
)
pytestmark = pytest.mark.interop

IDENTITY = "spiffe://pratique.local/builder"
ISSUER = "https://pratique.local/pratique"

VERIFY_PY = """
import json, sys
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
root, bundle, identity, issuer = sys.argv[1:]
verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
with open(bundle) as stream:
    loaded = Bundle.from_json(stream.read())
kind, payload = verifier.verify_dsse(loaded, policy.Identity(identity=identity, issuer=issuer))
print(json.dumps([kind, payload.decode()]))
"""

VERIFY_JS = """
const fs = require("fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");
const [root, bundle, identity, keyFile] = process.argv.slice(2);
const read = (path) => JSON.parse(fs.readFileSync(path, "utf8"));
const keys = keyFile ? (hint) => ({
  publicKey: require("crypto").createPublicKey(fs.readFileSync(keyFile)), validFor: () => true,
}) : undefined;
const material = toTrustMaterial(TrustedRoot.fromJSON(read(root)), keys);
const signer = new Verifier(material).verify(
  toSignedEntity(bundleFromJSON(read(bundle))),
  keyFile ? undefined : { subjectAlternativeName: identity });
console.log(JSON.stringify([signer.identity ? signer.identity.subjectAlternativeName : "key"]));
"""


def _files(world: World, folder: Path, bundle: bytes) -> tuple[str, str]:
    (folder / "trusted_root.json").write_bytes(world.authority.trusted_root.data)
    (folder / "bundle.json").write_bytes(bundle)
    return str(folder / "trusted_root.json"), str(folder / "bundle.json")


def _sigstore_python(
    world: World, folder: Path, bundle: bytes, identity: str = IDENTITY
) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-c", VERIFY_PY, *_files(world, folder, bundle), identity, ISSUER]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@needs_python
def test_sigstore_python_accepts(world: World, tmp_path: Path) -> None:
    done = _sigstore_python(world, tmp_path, world.by_certificate)
    assert done.returncode == 0, done.stderr
    kind, payload = json.loads(done.stdout)
    assert kind == "application/vnd.in-toto+json"
    assert payload.encode() == world.statement.encode()


@needs_python
def test_sigstore_python_refuses_what_we_refuse(world: World, tmp_path: Path) -> None:
    wrong = _sigstore_python(world, tmp_path, world.by_certificate, "spiffe://pratique.local/scanner")
    assert wrong.returncode != 0
    document = json.loads(world.by_certificate)
    document["dsseEnvelope"]["payload"] = "e30="
    assert _sigstore_python(world, tmp_path, json.dumps(document).encode()).returncode != 0


@needs_python
def test_we_accept_what_sigstores_staging_instance_signed(test_data: Path) -> None:
    """With the staging root that sigstore-python itself ships."""
    script = "import sigstore, pathlib; print(pathlib.Path(sigstore.__file__).parent / '_store')"
    done = subprocess.run([PYTHON, "-c", script], check=True, capture_output=True, text=True)
    (path,) = Path(done.stdout.strip()).glob("*sigstage*/trusted_root.json")
    bundle = test_data / "evidence" / "sigstore-python" / "a.dsse.staging-rekor-v2.txt.sigstore.json"
    verified = verify_bundle(bundle.read_bytes(), parse_root(path.read_bytes()))
    assert verified.signer.issuer == "https://token.actions.githubusercontent.com"
    assert verified.statement.subjects[0].name == "a.txt"


def _sigstore_node(world: World, folder: Path, bundle: bytes, *key: str) -> subprocess.CompletedProcess[str]:
    script = folder / "verify.js"
    script.write_text(VERIFY_JS)
    command = ["node", str(script), *_files(world, folder, bundle), IDENTITY, *key]
    environment = {**os.environ, "NODE_PATH": str(Path(NODE) / "node_modules")}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@needs_node
def test_sigstore_js_accepts(world: World, tmp_path: Path) -> None:
    done = _sigstore_node(world, tmp_path, world.by_certificate)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [IDENTITY]


@needs_node
def test_sigstore_js_accepts_a_persons_key(world: World, tmp_path: Path) -> None:
    (enrolled,) = world.keys.values()
    key_file = tmp_path / "ann.pem"
    encoded = base64.b64encode(enrolled.public_key).decode()
    key_file.write_text(f"-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n")
    done = _sigstore_node(world, tmp_path, world.by_key, str(key_file))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["key"]


@needs_node
def test_sigstore_js_refuses_what_we_refuse(world: World, tmp_path: Path) -> None:
    document = json.loads(world.by_certificate)
    document["dsseEnvelope"]["payload"] = "e30="
    assert _sigstore_node(world, tmp_path, json.dumps(document).encode()).returncode != 0
