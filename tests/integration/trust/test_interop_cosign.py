"""cosign before our bundles, and our verifier before cosign's: offline, in a namespace without a network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pratique.errors import SignatureInvalidError
from pratique.flow.verify import Given, find_target, judge, load_keys
from pratique.model.digest import sha256_bytes
from pratique.testing.authority import START, World, make_world
from pratique.trust.foreign.table import read_evidence
from pratique.trust.root import parse_root
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import verify_entity

if TYPE_CHECKING:
    from pathlib import Path

COSIGN = os.environ.get("PRATIQUE_COSIGN", "")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not COSIGN, reason="set PRATIQUE_COSIGN to cosign 3"),
]
BLOB = b"an application\n"
BUILDER = (
    "--certificate-identity=spiffe://pratique.local/builder",
    "--certificate-oidc-issuer=https://pratique.local/pratique",
)


def _cosign(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    cut = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": ""}
    command = [*cut, COSIGN, *words]
    return subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, env=environment, timeout=120
    )


@pytest.fixture
def ours(tmp_path: Path) -> World:
    """A world whose bundles about `app` are in the folder, with root and key."""
    world = make_world(tmp_path)
    (tmp_path / "app").write_bytes(BLOB)
    subject = Subject("app", sha256_bytes(BLOB).digest_set)
    statement = Statement((subject,), "https://slsa.dev/provenance/v1", {"answer": 42})
    (tmp_path / "builder.json").write_bytes(
        world.log.append(world.authority.signer("builder").sign(statement))
    )
    (tmp_path / "ann.json").write_bytes(world.log.append(world.key_signer.sign(statement)))
    (tmp_path / "root.json").write_bytes(world.authority.trusted_root.data)
    (key,) = world.keys.values()
    pem = base64.encodebytes(key.public_key).decode()
    (tmp_path / "ann.pub").write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")
    return world


def _verify(folder: Path, bundle: str, *who: str, blob: str = "app") -> subprocess.CompletedProcess[str]:
    return _cosign(
        folder,
        "verify-blob-attestation",
        f"--bundle={bundle}",
        "--trusted-root=root.json",
        "--type=slsaprovenance1",
        "--use-signed-timestamps",
        *who,
        blob,
    )


@pytest.mark.usefixtures("ours")
def test_cosign_accepts_ours(tmp_path: Path) -> None:
    for done in (
        _verify(tmp_path, "builder.json", *BUILDER),
        _verify(tmp_path, "ann.json", "--key=ann.pub"),
    ):
        assert done.returncode == 0, done.stderr
        assert "Verified OK" in done.stdout + done.stderr


@pytest.mark.usefixtures("ours")
def test_cosign_refuses_what_we_refuse(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"another application\n")
    assert _verify(tmp_path, "builder.json", *BUILDER, blob="other").returncode != 0
    scanner = ("--certificate-identity=spiffe://pratique.local/scanner", BUILDER[1])
    assert _verify(tmp_path, "builder.json", *scanner).returncode != 0
    document = json.loads((tmp_path / "builder.json").read_bytes())
    proof = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    proof["hashes"] = [*proof["hashes"][:-1], base64.b64encode(bytes(32)).decode()]
    (tmp_path / "builder.json").write_text(json.dumps(document))
    assert _verify(tmp_path, "builder.json", *BUILDER).returncode != 0


@pytest.mark.parametrize("verb", ["sign-blob", "attest-blob"])
def test_we_accept_what_cosign_made_with_a_key(ours: World, tmp_path: Path, verb: str) -> None:
    assert _cosign(tmp_path, "generate-key-pair").returncode == 0
    more = []
    if verb == "attest-blob":
        (tmp_path / "predicate.json").write_text('{"buildDefinition": {}, "runDetails": {}}')
        more = ["--type=slsaprovenance1", "--predicate=predicate.json"]
    flags = ["--yes", "--key=cosign.key", "--use-signing-config=false", "--tlog-upload=false"]
    done = _cosign(tmp_path, verb, *flags, "--bundle=made.json", *more, "app")
    assert done.returncode == 0, done.stderr
    made, root = tmp_path / "made.json", ours.authority.trusted_root
    given = Given(keys=(tmp_path / "cosign.pub",))
    for blob, accepted in (("app", True), ("ann.pub", False)):
        target = find_target(blob, tmp_path / blob)
        outcome = judge(target, [made], root, given, now=START).outcome
        assert outcome is not None
        assert outcome.accepted is accepted
    (entity,) = read_evidence(made.read_bytes())
    assert entity.key_hint in load_keys(tmp_path / "cosign.pub").by_hint
    spoiled = json.loads(made.read_bytes())
    content = spoiled.get("messageSignature") or spoiled["dsseEnvelope"]["signatures"][0]
    name = "signature" if "signature" in content else "sig"
    raw = bytearray(base64.b64decode(content[name]))
    raw[-1] ^= 1
    content[name] = base64.b64encode(raw).decode()
    (entity,) = read_evidence(json.dumps(spoiled).encode())
    with pytest.raises(SignatureInvalidError, match=r"step 6 \(signature\)"):
        verify_entity(entity, root, keys=load_keys(tmp_path / "cosign.pub"))


def test_both_accept_the_public_instances_bundle(test_data: Path, tmp_path: Path) -> None:
    evidence = test_data / "evidence"
    root, blob = evidence / "public-good.trusted_root.json", evidence / "sigstore-python/bundle_v3_github.whl"
    bundle = blob.with_name("bundle_v3_github.whl.sigstore")
    identity = "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2"
    issuer = "https://token.actions.githubusercontent.com"
    done = _cosign(
        tmp_path,
        "verify-blob",
        f"--bundle={bundle}",
        f"--trusted-root={root}",
        f"--certificate-identity={identity}",
        f"--certificate-oidc-issuer={issuer}",
        str(blob),
    )
    assert done.returncode == 0, done.stderr
    trusted = parse_root(root.read_bytes())
    given = Given(identity=identity, issuer=issuer)
    outcome = judge(find_target("", blob), [bundle], trusted, given, now=START).outcome
    assert outcome is not None
    assert outcome.accepted
