"""A rotated root before Sigstore's own verifiers: what was signed under the old keys, and under the new."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pratique.flow.rotate import ALL, Plan, rotate
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.digest import sha256_bytes
from pratique.testing.authority import SettableClock
from pratique.trust.identity import role_identity
from pratique.trust.signers.statement import CertificateSigner
from pratique.trust.statement import Statement, Subject

PYTHON = os.environ.get("PRATIQUE_SIGSTORE_PYTHON", "")
NODE = os.environ.get("PRATIQUE_SIGSTORE_NODE", "")
pytestmark = pytest.mark.interop

IDENTITY = "spiffe://pratique.local/builder"
ISSUER = "https://pratique.local/pratique"
SUBJECT = Subject("app-1.whl", sha256_bytes(b"an artifact").digest_set)

VERIFY_PY = """
import sys
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
root, identity, issuer, *bundles = sys.argv[1:]
verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
for bundle in bundles:
    try:
        verifier.verify_dsse(
            Bundle.from_json(open(bundle).read()), policy.Identity(identity=identity, issuer=issuer))
        print("accepted")
    except Exception as error:
        print("refused", type(error).__name__, error)
"""

VERIFY_JS = """
const fs = require("fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");
const [root, identity, issuer, ...bundles] = process.argv.slice(2);
const read = (path) => JSON.parse(fs.readFileSync(path, "utf8"));
const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(read(root))));
for (const bundle of bundles) {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(read(bundle))), { subjectAlternativeName: identity });
    console.log("accepted");
  } catch (error) { console.log("refused", error.message); }
}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A root rotated twice (all keys, then the certificate authority alone), and what each generation signed.

    The last bundle is what a stolen key of the first certificate authority signs after its end.
    """
    folder = tmp_path_factory.mktemp("rotated")
    clock = SettableClock()
    home = folder / "home"
    init_trust(home, trust_domain="pratique.local", clock=clock)
    first = Workspace.open(home, clock=clock)
    bundles: list[bytes] = []
    for names in (ALL, ("ca",), ()):
        workspace = Workspace.open(home, clock=clock)
        recorded = workspace.record("builder", predicate.PROVENANCE, {"number": len(bundles)}, [SUBJECT])
        bundles.append(recorded.bundle)
        clock.advance(days=30)
        if names:
            rotate(workspace, Plan(names))
            clock.advance(days=30)
    newest = Workspace.open(home, clock=clock)
    stolen = CertificateSigner(
        role_identity("pratique.local", "builder"), first.authority.issue, newest.authority.timestamp
    )
    (forged,) = newest.journal.append([stolen.sign(Statement((SUBJECT,), predicate.PROVENANCE, {}))])
    paths = [home / "trust" / "trusted_root.json"]
    for number, data in enumerate([*bundles, forged.bundle]):
        paths.append(folder / f"{number}.json")
        paths[-1].write_bytes(data)
    return [str(path) for path in paths]


def ask(command: list[str], files: list[str], **environ: str) -> list[str]:
    root, *bundles = files
    done = subprocess.run(
        [*command, root, IDENTITY, ISSUER, *bundles],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
    )
    return [line.partition(" ")[0] for line in done.stdout.splitlines()]


SIGNED, STOLEN = ["accepted", "accepted", "accepted"], ["refused"]


@pytest.mark.skipif(not PYTHON, reason="set PRATIQUE_SIGSTORE_PYTHON to a python that has sigstore 4.5")
def test_sigstore_python(files: list[str]) -> None:
    """It does not hold a certificate to the end of its authority, so the stolen key's bundle is not asked."""
    assert ask([PYTHON, "-c", VERIFY_PY], files[:-1]) == SIGNED


@pytest.mark.skipif(
    not NODE, reason="set PRATIQUE_SIGSTORE_NODE to a folder with node_modules/@sigstore/verify >= 4.1"
)
def test_sigstore_js(files: list[str], tmp_path: Path) -> None:
    script = tmp_path / "verify.js"
    script.write_text(VERIFY_JS)
    assert ask(["node", str(script)], files, NODE_PATH=str(Path(NODE) / "node_modules")) == SIGNED + STOLEN
