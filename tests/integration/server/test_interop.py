"""Unmodified Sigstore clients sign against the server, and verify what they signed."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from oidc_issuer import Issuer, issuer_on_loopback, make_tls
from server_process import ServerProcess, serve

import pratique
from pratique.flow.trust_repository import SERVED, export_trust, use_trust
from pratique.flow.workspace import Workspace
from pratique.journal.check import verify_log
from pratique.model.clock import system_clock
from pratique.store.blobs import BlobStore
from pratique.trust.authority.init import initialise
from pratique.trust.signingconfig import encode_signing_config
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.trust.root import TrustedRoot

PYTHON = os.environ.get("PRATIQUE_SIGSTORE_PYTHON", "")
NODE = os.environ.get("PRATIQUE_SIGSTORE_NODE", "")
COSIGN = os.environ.get("PRATIQUE_COSIGN", "")
needs_python = pytest.mark.skipif(
    not PYTHON, reason="set PRATIQUE_SIGSTORE_PYTHON to a python that has sigstore 4.5"
)
needs_node = pytest.mark.skipif(
    not NODE, reason="set PRATIQUE_SIGSTORE_NODE to a folder with node_modules/sigstore"
)
needs_cosign = pytest.mark.skipif(not COSIGN, reason="set PRATIQUE_COSIGN to cosign >= 3")
pytestmark = [pytest.mark.interop, pytest.mark.enable_socket]

ADA = {"sub": "user-17", "email": "ada@example.org", "email_verified": True}
ARTIFACT = b"hello"
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "artifact", "digest": {"sha256": hashlib.sha256(ARTIFACT).hexdigest()}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {"buildType": "https://example.org/build", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://example.org/builder"}},
    },
}


class Site(NamedTuple):
    folder: Path
    root: TrustedRoot
    issuer: Issuer
    server: ServerProcess
    ca: Path

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {name: str(self.ca) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")}
        return subprocess.run(
            command, cwd=self.folder, check=False, capture_output=True, text=True,
            env={**os.environ, **own, "HOME": str(self.folder), **environment},
        )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    home = folder / "home"
    root = initialise(home / "trust", trust_domain="localhost", clock=system_clock)
    ca = make_tls(folder / "tls")
    with issuer_on_loopback() as issuer:
        config = f"""
            listen = "127.0.0.1:0"
            [tls]
            certificate = "{folder}/tls/tls.pem"
            key = "{folder}/tls/tls.key"
            [[issuers]]
            url = "{issuer.url}"
            type = "email"
        """
        with serve(home, config) as server:
            server.url = server.url.replace("127.0.0.1", "localhost")
            server.context = ssl.create_default_context(cafile=str(ca))
            start = root.tlogs[0].valid_for.start
            signing = encode_signing_config(server.url, start, "test", [issuer.url])
            trust = {
                "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                "trustedRoot": json.loads(root.data),
                "signingConfig": json.loads(signing),
            }
            (folder / "trusted_root.json").write_bytes(root.data)
            (folder / "signing_config.json").write_bytes(signing)
            (folder / "trust_config.json").write_text(json.dumps(trust))
            (folder / "artifact").write_bytes(ARTIFACT)
            (folder / "predicate.json").write_text(json.dumps(STATEMENT["predicate"]))
            (folder / "statement.json").write_text(json.dumps(STATEMENT))
            exported = export_trust(
                home, home / "trust" / SERVED, url=server.url, oidc=[issuer.url], root_keys=[],
                online_key=None, days=1, clock=system_clock,
            )  # fmt: skip
            (folder / "root.json").write_bytes(exported.root.read_bytes())
            yield Site(folder, root, issuer, server, ca)
            assert server.stop() == 0
            verify_log(home / "journal", root=root, blobs=BlobStore(home / "blobs"))


@needs_python
def test_sigstore_python_signs_a_file(site: Site) -> None:
    sigstore = Path(PYTHON).with_name("sigstore")
    trust = ("--trust-config", "trust_config.json")
    signed = site.run(
        sigstore, *trust, "sign", "--identity-token", site.issuer.token(**ADA),
        "--bundle", "python.json", "artifact",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    for identity, code in (("ada@example.org", 0), ("eve@example.org", 1)):
        verified = site.run(
            sigstore, *trust, "verify", "identity", "--cert-identity", identity,
            "--cert-oidc-issuer", site.issuer.url, "--bundle", "python.json", "artifact",
        )  # fmt: skip
        assert verified.returncode == code, verified.stderr


@needs_python
def test_pratique_verifies_what_sigstore_python_attested(site: Site) -> None:
    sigstore = Path(PYTHON).with_name("sigstore")
    signed = site.run(
        sigstore, "--trust-config", "trust_config.json", "attest", "--identity-token",
        site.issuer.token(**ADA), "--predicate", "predicate.json", "--predicate-type",
        "https://slsa.dev/provenance/v1", "--bundle", "attest.json", "artifact",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    bundle = (site.folder / "attest.json").read_bytes()
    verified = verify_bundle(bundle, site.root)
    assert (verified.signer.subject, verified.signer.issuer) == ("ada@example.org", site.issuer.url)
    answer = site.server.request("POST", "/pratique/v1/evidence", bundle)
    assert answer.status == 201, answer.body
    assert json.loads(answer.body)["logIndex"] > verified.log_index


SIGN_JS = """
const fs = require("fs");
const { bundleToJSON } = require("@sigstore/bundle");
const { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } = require("@sigstore/sign");
const [url, token, statement, out] = process.argv.slice(2);
const identityProvider = { getToken: async () => token };
const signer = new FulcioSigner({ fulcioBaseURL: url, identityProvider });
const witnesses = [
  new RekorWitness({ rekorBaseURL: url, majorApiVersion: 2, entryType: "hashedrekord" }),
  new TSAWitness({ tsaBaseURL: url }),
];
new DSSEBundleBuilder({ signer, witnesses })
  .create({ data: fs.readFileSync(statement), type: "application/vnd.in-toto+json" })
  .then((bundle) => fs.writeFileSync(out, JSON.stringify(bundleToJSON(bundle))))
  .catch((error) => { console.error(error, error.cause); process.exit(1); });
"""
VERIFY_JS = """
const fs = require("fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");
const [bundle, identity] = process.argv.slice(2);
const read = (path) => JSON.parse(fs.readFileSync(path, "utf8"));
new Verifier(toTrustMaterial(TrustedRoot.fromJSON(read("trusted_root.json"))))
  .verify(toSignedEntity(bundleFromJSON(read(bundle))), { subjectAlternativeName: identity });
"""


@needs_node
def test_npm_signs_and_verifies(site: Site) -> None:
    (site.folder / "sign.js").write_text(SIGN_JS)
    (site.folder / "verify.js").write_text(VERIFY_JS)
    modules = {"NODE_PATH": str(Path(NODE) / "node_modules")}
    signed = site.run(
        "node", "sign.js", site.server.url, site.issuer.token(**ADA), "statement.json", "npm.json", **modules
    )
    assert signed.returncode == 0, signed.stderr
    for identity, code in (("ada@example.org", 0), ("eve@example.org", 1)):
        verified_js = site.run("node", "verify.js", "npm.json", identity, **modules)
        assert verified_js.returncode == code, verified_js.stderr
    verified = verify_bundle((site.folder / "npm.json").read_bytes(), site.root)
    assert verified.signer.subject == "ada@example.org"


@needs_cosign
def test_cosign_signs_a_blob(site: Site) -> None:
    signed = site.run(
        COSIGN, "sign-blob", "--yes", "--signing-config", "signing_config.json", "--trusted-root",
        "trusted_root.json", "--identity-token", site.issuer.token(**ADA), "--bundle", "cosign.json",
        "artifact",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    for identity, good in (("ada@example.org", True), ("eve@example.org", False)):
        verified = site.run(
            COSIGN, "verify-blob", "--trusted-root", "trusted_root.json", "--bundle", "cosign.json",
            "--certificate-identity", identity, "--certificate-oidc-issuer", site.issuer.url, "artifact",
        )  # fmt: skip
        assert (verified.returncode == 0) == good, verified.stderr


@needs_cosign
def test_cosign_attests_a_blob(site: Site) -> None:
    signed = site.run(
        COSIGN, "attest-blob", "--yes", "--signing-config", "signing_config.json", "--trusted-root",
        "trusted_root.json", "--identity-token", site.issuer.token(**ADA), "--type", "slsaprovenance1",
        "--predicate", "predicate.json", "--bundle", "cosign-attest.json", "artifact",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    for identity, good in (("ada@example.org", True), ("eve@example.org", False)):
        verified = site.run(
            COSIGN, "verify-blob-attestation", "--trusted-root", "trusted_root.json",
            "--bundle", "cosign-attest.json", "--type", "slsaprovenance1", "--certificate-identity",
            identity, "--certificate-oidc-issuer", site.issuer.url, "artifact",
        )  # fmt: skip
        assert (verified.returncode == 0) == good, verified.stderr


@needs_python
def test_sigstore_python_finds_everything_by_tuf(site: Site) -> None:
    sigstore, repository = Path(PYTHON).with_name("sigstore"), f"{site.server.url}/tuf"
    trusted = site.run(sigstore, "--instance", repository, "trust-instance", "root.json")
    assert trusted.returncode == 0, trusted.stderr
    signed = site.run(
        sigstore, "--instance", repository, "sign", "--identity-token", site.issuer.token(**ADA),
        "--bundle", "tuf.json", "artifact",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    verified = site.run(
        sigstore, "--instance", repository, "verify", "identity", "--cert-identity", "ada@example.org",
        "--cert-oidc-issuer", site.issuer.url, "--bundle", "tuf.json", "artifact",
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr


@needs_cosign
def test_cosign_finds_everything_by_tuf(site: Site) -> None:
    home = {"HOME": str(site.folder / "cosign-home")}
    made = site.run(COSIGN, "initialize", "--mirror", f"{site.server.url}/tuf", "--root", "root.json", **home)
    assert made.returncode == 0, made.stderr
    signed = site.run(
        COSIGN, "sign-blob", "--yes", "--identity-token", site.issuer.token(**ADA), "--bundle",
        "cosign-tuf.json", "artifact", **home,
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    verified = site.run(
        COSIGN, "verify-blob", "--bundle", "cosign-tuf.json", "--certificate-identity", "ada@example.org",
        "--certificate-oidc-issuer", site.issuer.url, "artifact", **home,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr


NPM_TUF = """
const fs = require("fs");
const sigstore = require("sigstore");
const [mirror, cache, bundle, artifact, identity, issuer] = process.argv.slice(2);
sigstore.verify(JSON.parse(fs.readFileSync(bundle)), fs.readFileSync(artifact), {
  tufMirrorURL: mirror, tufRootPath: "root.json", tufCachePath: cache,
  certificateIdentityURI: undefined, certificateIdentityEmail: identity, certificateIssuer: issuer,
}).catch((error) => { console.error(error); process.exit(1); });
"""


@needs_node
@needs_python
def test_npm_verifies_by_tuf_what_python_signed(site: Site) -> None:
    sigstore = Path(PYTHON).with_name("sigstore")
    signed = site.run(
        sigstore, "--trust-config", "trust_config.json", "sign", "--identity-token",
        site.issuer.token(**ADA), "--bundle", "for-npm.json", "artifact",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    (site.folder / "tuf.js").write_text(NPM_TUF)
    modules = {"NODE_PATH": str(Path(NODE) / "node_modules")}
    for identity, code in (("ada@example.org", 0), ("eve@example.org", 1)):
        verified = site.run(
            "node", "tuf.js", f"{site.server.url}/tuf", "npm-cache", "for-npm.json", "artifact",
            identity, site.issuer.url, **modules,
        )  # fmt: skip
        assert verified.returncode == code, verified.stderr


def test_trust_use_over_tls(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(site.ca))
    pinned = (site.folder / "root.json").read_bytes()
    assert use_trust(tmp_path, f"{site.server.url}/tuf", pinned=pinned).root == site.root


SIGNERS = os.environ.get("PRATIQUE_SIGNERS_PYTHON", "")


@pytest.mark.skipif(not SIGNERS, reason="set PRATIQUE_SIGNERS_PYTHON to a python that has the extras")
def test_pratique_signs_keyless(site: Site) -> None:
    source = str(Path(pratique.__file__).parents[1])
    token = site.issuer.token(**ADA)

    def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        home = str(site.folder / "keyless")
        return site.run(SIGNERS, "-m", "pratique", *command, "--home", home, PYTHONPATH=source, **environment)

    (site.folder / "keyless.file").write_bytes(ARTIFACT)
    assert run("trust", "init").returncode == 0
    key = ("--key", "sigstore:trust_config.json")
    signed = run("sign", "keyless.file", *key, SIGSTORE_ID_TOKEN=token)
    assert signed.returncode == 0, signed.stderr
    verified = site.run(
        Path(SIGNERS).with_name("sigstore"), "--trust-config", "trust_config.json", "verify", "identity",
        "--cert-identity", "ada@example.org", "--cert-oidc-issuer", site.issuer.url,
        "--bundle", "keyless.file.sigstore.json", "keyless.file",
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    claim = (
        "attest",
        "keyless.file",
        "--predicate-type",
        "provenance",
        "--predicate",
        "predicate.json",
        *key,
    )
    attested = run(*claim, "--bundle", "keyless.json", SIGSTORE_ID_TOKEN=token)
    assert attested.returncode == 0, attested.stderr
    found = verify_bundle((site.folder / "keyless.json").read_bytes(), site.root)
    assert (found.signer.subject, found.signer.issuer) == ("ada@example.org", site.issuer.url)
    for bad in ("", "no.token.atall"):
        refused = run(*claim, "--bundle", "refused.json", SIGSTORE_ID_TOKEN=bad)
        assert refused.returncode == 2, refused.stderr
        assert not (site.folder / "refused.json").exists()


RUNNER = """\
[project]
name = "app"
[build]
recipe = "python-wheel"
tools = "build.lock"
[build.source]
directory = "."
[[scan.advisories]]
name = "none"
path = "advisories"
date = 2026-11-22
licence = "CC0-1.0"
[trust]
server = "{url}"
root = "team"
ca = "{ca}"
"""


@pytest.mark.skipif(not SIGNERS, reason="set PRATIQUE_SIGNERS_PYTHON to a python that has the extras")
def test_a_runner_attests_into_the_teams_journal(site: Site) -> None:
    """It has a token and the team's root, and neither keys nor a journal of its own."""
    folder = site.folder / "runner"
    folder.mkdir()
    (folder / "pratique.toml").write_text(RUNNER.format(url=site.server.url, ca=site.ca))
    source = str(Path(pratique.__file__).parents[1])
    token = site.issuer.token(**ADA)

    def run(*command: str, code: int = 0) -> str:
        words = (SIGNERS, "-m", "pratique", *command, "-C", "runner")
        done = site.run(*words, PYTHONPATH=source, SIGSTORE_ID_TOKEN=token)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    claim = (
        "attest", "artifact", "--predicate-type", "provenance", "--predicate", "predicate.json",
        "--key", "sigstore:trust_config.json", "--bundle",
    )  # fmt: skip
    assert "no root 'team' is in use here" in run(*claim, "early.json", code=2)
    assert not (site.folder / "early.json").exists()
    run("trust", "use", f"{site.server.url}/tuf", "--root", "root.json", "--name", "team")
    answer = json.loads(run(*claim, "sent.json", "--json"))
    bundle = (site.folder / "sent.json").read_bytes()
    verified = verify_bundle(bundle, site.root)
    assert (str(verified.digest), verified.log_index) == (answer["evidence"], answer["logIndex"])
    assert verified.signer.subject == "ada@example.org"
    team = Workspace.open(site.folder / "home")
    assert team.verify(verified.digest).statement == verified.statement
    assert not (folder / ".pratique" / "journal").exists()

    again = json.loads(run("log", "send", "sent.json", "--json"))["sent"][0]
    assert again["logIndex"] > answer["logIndex"]

    config = folder / "pratique.toml"
    config.write_text(config.read_text().replace(site.server.url, "https://localhost:1"))
    said = run(*claim, "kept.json", code=5)
    assert "it is not known to be in the journal of https://localhost:1" in said
    assert "pratique log send kept.json" in said
    kept = verify_bundle((site.folder / "kept.json").read_bytes(), site.root)
    config.write_text(config.read_text().replace("https://localhost:1", site.server.url))
    run("log", "send", "kept.json")
    assert verify_bundle((site.folder / "kept.json").read_bytes(), site.root).log_index > kept.log_index
