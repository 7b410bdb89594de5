"""Evidence attached to images: found, judged, refused; and cosign's and ours before each other."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from registry import debian_registry
from registry_process import serve_registry
from small_image import BUNDLE, refer_to, small_image

from pratique.errors import UsageError
from pratique.flow.evidence import gather
from pratique.flow.image_evidence import attach
from pratique.flow.image_transfer import Access
from pratique.flow.progress import Silent
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.image.reference import parse_reference
from pratique.model import predicate
from pratique.model.clock import system_clock
from pratique.model.digest import parse_digest, sha256_bytes
from pratique.testing.authority import make_world
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COSIGN = os.environ.get("PRATIQUE_COSIGN", "")
pytestmark = pytest.mark.enable_socket
SCANNER = (
    "--certificate-identity", "spiffe://pratique.local/scanner",
    "--certificate-oidc-issuer", "https://pratique.local/pratique",
)  # fmt: skip
POLICY = """[roles.scanner]
signers = [{issuer = "https://pratique.local/pratique", subject = "spiffe://pratique.local/scanner"}]
may_sign = ["test-result"]
"""


@pytest.fixture(scope="module", params=["embedded", "debian"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    if request.param == "debian":
        with debian_registry(folder) as address:
            yield address
    else:
        with serve_registry(folder) as server:
            yield server.url.removeprefix("http://")


def pratique(folder: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "pratique", *arguments, "--json"],
        check=False, capture_output=True, text=True, timeout=120, cwd=folder,
    )  # fmt: skip
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    body: dict[str, Any] = json.loads(done.stdout or done.stderr.splitlines()[-1])
    return body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trust root, an image, and a test-result about it in the journal."""
    pratique_home = tmp_path / ".pratique"
    subprocess.run(
        [sys.executable, "-m", "pratique", "trust", "init"], check=True, cwd=tmp_path, capture_output=True
    )
    assert pratique_home.is_dir()
    small_image(tmp_path, "v1")
    pratique(tmp_path, "image", "check", "layout", "--attest")
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def test_evidence_goes_with_the_image_and_is_asked_before_it_is_pulled(host: str, folder: Path) -> None:
    there = f"{host}/evidence/{folder.name.replace('_', '-').lower()}:v1"
    pratique(folder, "image", "push", "layout:v1", there)
    refused = pratique(folder, "image", "pull", there, "back", "--verify", "policy.toml", code=1)
    assert "does not accept" in refused["error"]["message"]
    assert not (folder / "back").exists()
    (attached,) = pratique(folder, "image", "attach", there)["attached"]
    assert attached["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert pratique(folder, "image", "attach", there)["attached"] == [attached]  # once and for all
    seen = pratique(folder, "image", "verify", there, "--policy", "policy.toml")
    assert (seen["accepted"], len(seen["evidence"])) == (True, 1)
    assert pratique(folder, "image", "pull", there, "back:v1", "--verify", "policy.toml")["referrers"] == 1
    assert pratique(folder, "image", "verify", "back:v1", *SCANNER)["accepted"]
    nobody = pratique(folder, "image", "verify", there, code=1)
    assert not nobody["accepted"]
    builder = POLICY.replace("spiffe://pratique.local/scanner", "spiffe://pratique.local/builder")
    (folder / "other.toml").write_text(builder)
    assert not pratique(folder, "image", "verify", there, "--policy", "other.toml", code=1)["accepted"]


def test_what_anybody_attached_spoils_nothing(folder: Path) -> None:
    layout = pratique(folder, "image", "list", "layout")["names"][0]
    pratique(folder, "image", "attach", "layout:v1")
    from pratique.image.layout import Layout  # noqa: PLC0415 - the fixture made it

    here = Layout(folder / "layout")
    image = here.resolve("v1", None)
    assert str(image.digest) == layout["digest"]
    refer_to(here, image, '{"not": "a bundle"}', BUNDLE)
    (folder / "foreign").mkdir()
    world = make_world(folder / "foreign")
    statement = Statement((Subject("app", image.digest.digest_set),), "https://example.com/x/v1", {})
    refer_to(
        here, image, world.log.append(world.authority.signer("builder").sign(statement)).decode(), BUNDLE
    )
    seen = pratique(folder, "image", "verify", "layout:v1", *SCANNER)
    assert seen["accepted"]
    assert len(seen["unsound"]) == 2


def test_evidence_about_something_else_is_not_attached(folder: Path) -> None:
    from pratique.image.layout import Layout  # noqa: PLC0415 - the fixture made it

    image = Layout(folder / "layout").resolve("v1", None)
    (folder / "foreign").mkdir()
    world = make_world(folder / "foreign")
    other = Subject("app", sha256_bytes(b"other").digest_set)
    bundle = world.log.append(
        world.authority.signer("builder").sign(Statement((other,), "https://example.com/x/v1", {}))
    )
    with pytest.raises(UsageError, match="about something else"):
        attach(parse_reference(str(folder / "layout")), image, [("b", bundle)], Access(), Silent())
    assert len(Layout(folder / "layout").index()) == 1


def test_what_a_partner_attached_is_recorded_for_the_gate(folder: Path) -> None:
    from pratique.image.layout import Layout  # noqa: PLC0415 - the fixture made it

    here = Layout(folder / "layout")
    image = here.resolve("v1", None)
    root = init_trust(folder / "partner", trust_domain="partner.example", clock=system_clock)
    subject = Subject("app", image.digest.digest_set)
    recorded = Workspace.open(folder / "partner").record("builder", predicate.PROVENANCE, {"a": 1}, [subject])
    refer_to(here, image, recorded.bundle.decode(), BUNDLE)
    name = ("--name", "partner", "--fingerprint", str(root.fingerprint))
    pratique(folder, "trust", "use", "partner/trust/trusted_root.json", *name)
    words = (
        "image", "verify", "layout:v1", "--record",
        "--certificate-identity", "spiffe://partner.example/builder",
        "--certificate-oidc-issuer", "https://partner.example/pratique",
    )  # fmt: skip
    pratique(folder, *words, code=2)  # under which root?
    assert pratique(folder, *words, "--root", "partner")["recorded"][0]["already"] is False
    (brought,) = gather(Workspace.open(folder / ".pratique"), image.digest).imported
    assert str(brought.signer) == "spiffe://partner.example/builder (root partner)"


def cosign(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": ""}
    return subprocess.run(
        [COSIGN, *words],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


@pytest.mark.interop
@pytest.mark.skipif(not COSIGN, reason="set PRATIQUE_COSIGN to cosign 3")
def test_cosign_verifies_what_we_attach_and_we_what_it_attaches(host: str, folder: Path) -> None:
    there = f"{host}/cosign/{folder.name.replace('_', '-').lower()}:v1"
    digest = pratique(folder, "image", "push", "layout:v1", there)["digest"]
    pratique(folder, "image", "attach", there)
    flags = (
        "--type=https://in-toto.io/attestation/test-result/v0.1",
        "--trusted-root=.pratique/trust/trusted_root.json",
        "--use-signed-timestamps",
    )
    done = cosign(folder, "verify-attestation", *flags, *SCANNER, there)
    assert done.returncode == 0, done.stderr
    wrong = (SCANNER[0], "spiffe://pratique.local/builder", *SCANNER[2:])
    assert cosign(folder, "verify-attestation", *flags, *wrong, there).returncode != 0

    assert cosign(folder, "generate-key-pair").returncode == 0
    (folder / "predicate.json").write_text('{"buildDefinition": {}, "runDetails": {}}')
    done = cosign(
        folder, "attest", "--yes", "--key=cosign.key", "--use-signing-config=false", "--tlog-upload=false",
        "--type=slsaprovenance1", "--predicate=predicate.json", f"{there.removesuffix(':v1')}@{digest}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    key = ("--key", "cosign.pub", "--root", "none", "--predicate-type", "provenance")
    seen = pratique(folder, "image", "verify", there, *key)
    assert seen["accepted"], seen
    assert not pratique(folder, "image", "verify", there, *key[:5], "vsa", code=1)["accepted"]
    assert len(pratique(folder, "image", "verify", there, *key, "--record")["recorded"]) == 1
    (brought,) = gather(Workspace.open(folder / ".pratique"), parse_digest(digest)).imported
    assert (brought.signer.kind, brought.signer.root) == ("key", "none")
    kept = pratique(folder, "image", "list", there, "--referrers")["referrers"]
    assert [one["type"] for one in kept] == [
        BUNDLE,
        BUNDLE,
    ]  # cosign added to our list, and lost nothing of it


def test_a_build_with_evidence(folder: Path) -> None:
    (folder / "service").mkdir()
    info = folder / "service" / "demo-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    archive = folder / "extra.bin"
    archive.write_bytes(b"extra")
    made = pratique(
        folder, "image", "build", "service:/usr/lib/python3.11/site-packages", "extra.bin",
        "--output", "made", "--name", "v1", "--attest",
    )  # fmt: skip
    kinds = [one["predicateType"] for one in made["attached"]]
    assert kinds == ["https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"]
    builder = ("--certificate-identity", "spiffe://pratique.local/builder", *SCANNER[2:])
    assert pratique(folder, "image", "verify", "made:v1", *builder, "--predicate-type", "provenance")[
        "accepted"
    ]
    assert pratique(folder, "image", "verify", "made:v1", *SCANNER, "--predicate-type", "sbom")["accepted"]
    pulled = pratique(folder, "image", "copy", "made:v1", "oci-archive:made.tar:v1")
    assert pulled["referrers"] == 2
    seen = pratique(folder, "image", "verify", "made.tar:v1", *builder)
    held = next(one for one in seen["evidence"] if one["claims"] == kinds[0])
    assert held["aboutTarget"]
    manifest = next(one["manifest"] for one in made["attached"] if one["predicateType"] == kinds[0])
    from pratique.image.layout import Layout  # noqa: PLC0415 - the build made it
    from pratique.image.registry.evidence import fetch_bundles  # noqa: PLC0415 - likewise

    here = Layout(folder / "made.tar")
    bundle = next(
        one.bundle
        for one in fetch_bundles(here, here.resolve("v1", None).digest)
        if str(one.manifest.digest) == manifest
    )
    statement = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
    assert statement["subject"][0]["digest"]["sha256"] == made["digest"].removeprefix("sha256:")
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    named = {one["name"]: one["digest"]["sha256"] for one in dependencies}
    assert named["extra.bin"] == sha256_bytes(b"extra").hex
    layer = made["layers"][0]["diffId"].removeprefix("sha256:")
    assert named["layer of /usr/lib/python3.11/site-packages"] == layer
