"""Others' evidence at the gate: taken into the journal by `verify --record`, judged again each time."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.cli.main import main
from pratique.errors import EvidenceInvalidError
from pratique.flow.account import export_audit, verify_audit
from pratique.flow.artifact import Artifact
from pratique.flow.config import find_project
from pratique.flow.policy import engine_of, policy_of
from pratique.flow.trust import generate_key_pair, init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.clock import system_clock
from pratique.model.digest import Digest, parse_digest_set, sha256_file
from pratique.policy.evidence import parse_input
from pratique.policy.gate import evaluate
from pratique.policy.vsa import Verifier, vsa_predicate
from pratique.trust.envelope import pae
from pratique.trust.keys import load_private_key
from pratique.trust.publickey import as_public_key
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GITHUB = "https://token.actions.githubusercontent.com"
KINDS = 2
FITS = 50
LEVEL = 3
BUILDER = "https://github.com/slsa-framework/example-trw/.github/workflows/builder_high-perms_slsa3.yml@refs/tags/v2.1.0"
PUBLISH = "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml@refs/tags/*"
PROJECT = """\
[project]
name = "up"
[build]
recipe = "python-wheel"
tools = "build.lock"
inputs = "inputs"
[build.source]
directory = "."
[[scan.advisories]]
name = "none"
path = "advisories"
date = 2026-11-22
licence = "CC0-1.0"
[policy]
profile = "starter"
"""
TRUST = """\
[policy.trust.require]
sbom.artifacts = ["*.whl"]
vulns.artifacts = ["*.whl"]
{require}
[policy.trust.roles.upstream]
signers = [{signer}]
may_sign = ["{claim}"]
"""


class Upstream:
    """A project that takes others' artifacts, and the command line run on it."""

    def __init__(self, folder: Path, evidence: Path, out: Callable[[], str]) -> None:
        self.folder, self.evidence, self._out = folder, evidence, out
        self.home = folder / ".pratique"
        self.run("trust", "init")

    def run(self, *words: str | Path, expect: int = 0) -> str:
        code = main([*map(str, words), "-C", str(self.folder)])
        out = self._out()
        assert code == expect, out
        return out

    def ask(self, *words: str | Path, expect: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*words, "--json", expect=expect).partition("\nerror:")[0])
        return found

    def use(self, root: Path, name: str = "public-good") -> None:
        fingerprint = str(sha256_file(root))
        self.run("trust", "use", root, "--fingerprint", fingerprint, "--name", name)

    def trust(self, signer: str, claim: str = "provenance", require: str = "") -> None:
        text = PROJECT + TRUST.format(signer=signer, claim=claim, require=require)
        (self.folder / "pratique.toml").write_text(text, encoding="utf-8")

    def take(self, target: str, bundle: str, *who: str, expect: int = 0) -> dict[str, Any]:
        """Verify a sample under the public-good root, and record it."""
        named = ("--root", "public-good", "--record")
        return self.ask(
            "verify", self.evidence / target, "--bundle", self.evidence / bundle, *named, *who, expect=expect
        )

    def decision(self, target: str | Path, expect: int = 0) -> dict[str, Any]:
        """Ask the gate, and give the whole decision."""
        path = self.evidence / target
        self.run("gate", path, expect=expect)
        return self.ask("explain", path)

    def workspace(self) -> Workspace:
        return Workspace.open(self.home)


@pytest.fixture
def upstream(tmp_path: Path, test_data: Path, capsys: pytest.CaptureFixture[str]) -> Upstream:
    def out() -> str:
        read = capsys.readouterr()
        return read.out + (f"\nerror:{read.err}" if read.err else "")

    found = Upstream(tmp_path, test_data / "evidence", out)
    found.use(found.evidence / "public-good.trusted_root.json")
    return found


def signer(subject: str, issuer: str = GITHUB, root: str = "public-good") -> str:
    return f'{{issuer = "{issuer}", subject = "{subject}", root = "{root}"}}'


def who(subject: str, issuer: str = GITHUB) -> tuple[str, ...]:
    return ("--certificate-identity", subject, "--certificate-oidc-issuer", issuer)


def codes(decision: dict[str, Any], status: str) -> set[str]:
    return {result["code"] for result in decision["results"] if result["status"] == status}


def test_githubs_provenance_is_owed_recorded_and_counts_by_its_real_signer(upstream: Upstream) -> None:
    upstream.trust(signer(PUBLISH), require="provenance.threshold = 1")
    target, bundle = "github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl"
    before = upstream.decision(target, expect=1)
    assert "evidence.provenance" in codes(before, "violation")
    taken = upstream.take(target, bundle, *who(PUBLISH))
    (recorded,) = taken["recorded"]
    after = upstream.decision(target)
    assert "evidence.provenance" in codes(after, "success")
    (used,) = after["inputs"]
    assert used == {
        "predicate_type": predicate.PROVENANCE,
        "digest": recorded["evidence"],
        "signer": PUBLISH.replace("*", "v0.0.1"),
        "signer_kind": "certificate",
        "signer_issuer": GITHUB,
        "root": "public-good",
        "signed_at": "2025-03-26T23:47:30Z",
        "log_index": 1,
    }
    again = upstream.take(target, bundle, *who(PUBLISH))
    assert again["recorded"] == [{"evidence": recorded["evidence"], "already": True}]


def test_pypis_attestations_by_the_uri_of_their_type(upstream: Upstream) -> None:
    """Two attestations, each with a record of its own; this policy asks for one of them."""
    publisher = "https://github.com/trailofbits/pypi-attestations/.github/workflows/release.yml@refs/tags/*"
    sample = upstream.evidence / "pypi/pypi_attestations-0.0.19.tar.gz.publish.attestation"
    statement = json.loads(sample.read_bytes())["envelope"]["statement"]
    claim = json.loads(base64.b64decode(statement))["predicateType"]
    owed = f'provenance.artifacts = ["up-*"]\npublish = {{predicate = "{claim}", command = "ask upstream"}}'
    upstream.trust(signer(publisher), claim, owed)
    name = "pypi/pypi_attestations-0.0.19.tar.gz"
    before = upstream.decision(name, expect=1)
    assert codes(before, "violation") > {"evidence.publish"}  # of what nobody knows, everything is asked
    slsa = ("--bundle", str(upstream.evidence / f"{name}.slsa.attestation"))
    taken = upstream.take(name, f"{name}.provenance", *slsa, *who(publisher))
    assert len({one["evidence"] for one in taken["recorded"]}) == KINDS
    decision = upstream.decision(name)
    assert codes(decision, "success") == {"evidence.publish"}
    assert {"evidence.provenance", "evidence.sbom", "evidence.vulns"} <= codes(decision, "skipped")
    (used,) = decision["inputs"]
    assert (used["predicate_type"], used["signer"]) == (claim, publisher.replace("*", "v0.0.19"))


def test_npms_package_by_the_digest_that_its_provenance_names(upstream: Upstream) -> None:
    """The statement knows the tarball by its SHA-512 alone; the record says which SHA-256 that is."""
    publisher = (
        "https://github.com/ramonpetgrave64/gundam-visor/.github/workflows/npm-publish.yml@refs/tags/*"
    )
    upstream.trust(signer(publisher))
    with (upstream.folder / "pratique.toml").open("a") as file:
        file.write(
            '[policy.data.provenance]\nbuilders = ["https://github.com/actions/runner/github-hosted"]\n'
        )
    name = "npm/gundam-visor-cli-v1-tag.tgz"
    upstream.take(name, f"{name}.json", *who(publisher))
    assert "evidence.provenance" in codes(upstream.decision(name), "success")
    other = upstream.folder / "other.tgz"
    other.write_bytes(b"another")
    assert "evidence.provenance" in codes(upstream.decision(other, expect=1), "violation")


def test_a_hosted_builders_level_by_its_real_signer(upstream: Upstream) -> None:
    """slsa-github-generator's provenance reaches level 3 where somebody vouches for it, under that root."""
    builder = (
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/"
        "delegator_generic_slsa3.yml@refs/tags/*"
    )
    name = "slsa-generator/delegator-binary-linux-amd64-push-v14.2"
    upstream.take(name, f"{name}.build.slsa", *who(builder))
    for root, level in (("public-good", 3), ("staging", 1)):
        upstream.trust(signer(builder), require="provenance.expect = {min_level = 3}")
        vouch = (
            f'builder = "{BUILDER}"\nsigners = [{signer(builder, root=root)}]\nlevel = 3\nreason = "tried"\n'
        )
        with (upstream.folder / "pratique.toml").open("a") as file:
            file.write(f'[[policy.trust.vouch]]\n{vouch}[policy.data.provenance]\nbuilders = ["{BUILDER}"]\n')
        upstream.run("gate", upstream.evidence / name, expect=0 if level == LEVEL else 1)
        decision = upstream.ask("explain", upstream.evidence / name)
        assert decision["build_level"] == level


def test_an_envelope_without_a_time_is_not_taken(upstream: Upstream) -> None:
    by = (
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml"
        "@refs/tags/*"
    )
    name = "slsa-generator/annotated-tag"
    assert upstream.take(name, f"{name}.intoto.jsonl", *who(by), expect=3)["recorded"] == []
    assert upstream.workspace().journal.find() == []


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (f'{{issuer = "{GITHUB}", subject = "{PUBLISH}"}}', "may not sign provenance"),
        (signer(PUBLISH, root="staging"), "may not sign provenance"),
        (signer(PUBLISH, issuer="https://gitlab.com"), "may not sign provenance"),
        (signer(PUBLISH.replace("publish.yaml", "other.yaml")), "may not sign provenance"),
    ],
)
def test_another_root_issuer_or_subject_is_another_signer(
    upstream: Upstream, pattern: str, reason: str
) -> None:
    upstream.trust(pattern)
    upstream.take("github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl", *who(PUBLISH))
    decision = upstream.decision("github/MODULE.bazel", expect=1)
    assert "evidence.provenance" in codes(decision, "violation")
    assert [reason in item["reason"] for item in decision["set_aside"]] == [True]
    assert "root public-good" in decision["set_aside"][0]["reason"]


def test_a_pinned_root(upstream: Upstream) -> None:
    here = sha256_file(upstream.evidence / "public-good.trusted_root.json")
    upstream.take("github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl", *who(PUBLISH))
    for pin, code in ((here, 0), (Digest("0" * 64), 1)):
        upstream.trust(signer(PUBLISH))
        text = f'[policy.trust.roots]\npublic-good = ["{pin}"]\n'
        with (upstream.folder / "pratique.toml").open("a") as file:
            file.write(text)
        upstream.decision("github/MODULE.bazel", expect=code)


def partner(upstream: Upstream, role: str, claim: str, body: dict[str, Any]) -> tuple[Path, Path]:
    """Let another installation, which calls its trust domain as ours is called, sign for an artifact."""
    home = upstream.folder / "partner"
    init_trust(home, trust_domain="pratique.local", clock=system_clock)
    artifact = upstream.folder / "app.bin"
    artifact.write_bytes(b"an application")
    subject = Subject("app.bin", sha256_file(artifact).digest_set)
    bundle = upstream.folder / "app.sigstore.json"
    bundle.write_bytes(Workspace.open(home).record(role, claim, body, [subject]).bundle)
    upstream.use(home / "trust" / "trusted_root.json", "partner")
    return artifact, bundle


PROVENANCE = {
    "buildDefinition": {
        "buildType": "https://example.org/build",
        "externalParameters": {},
        "internalParameters": {},
        "resolvedDependencies": [],
    },
    "runDetails": {"builder": {"id": "spiffe://pratique.local/builder"}, "metadata": {"invocationId": "1"}},
}
ROLE = "spiffe://pratique.local/builder"
ISSUER = "https://pratique.local/pratique"


def test_another_roots_builder_is_not_ones_own_of_the_same_name(upstream: Upstream) -> None:
    artifact, bundle = partner(upstream, "builder", predicate.PROVENANCE, PROVENANCE)
    words = ("verify", artifact, "--bundle", bundle, "--root", "partner", "--record", *who(ROLE, ISSUER))
    upstream.run(*words)
    upstream.trust(signer(PUBLISH))  # the shipped role builder is spiffe://pratique.local/builder, too
    decision = upstream.decision(artifact, expect=1)
    assert f"{ROLE} (issuer {ISSUER}, root partner)" in decision["set_aside"][0]["reason"]
    upstream.trust(signer(ROLE, ISSUER, "partner"))
    assert "evidence.provenance" in codes(upstream.decision(artifact), "success")


@pytest.mark.parametrize("claim", [predicate.APPROVAL, predicate.WAIVER, predicate.ENROLMENT])
def test_what_only_ones_own_people_can_say_is_not_taken(upstream: Upstream, claim: str) -> None:
    artifact, bundle = partner(upstream, "builder", claim, {})
    words = ("verify", artifact, "--bundle", bundle, "--root", "partner", "--record", *who(ROLE, ISSUER))
    assert "outside of the journal it was made for" in upstream.run(*words, expect=4)
    assert upstream.workspace().journal.find() == []


def test_a_predicate_that_no_decision_could_hold_is_not_taken(upstream: Upstream) -> None:
    """Else every later decision on the artifact would fail, and not say why."""
    artifact, envelope = upstream.folder / "app.bin", upstream.folder / "app.intoto.json"
    artifact.write_bytes(b"an application")
    key = upstream.folder / "chains.key"
    generate_key_pair(key, passphrase=None)
    subject = {"name": "app.bin", "digest": sha256_file(artifact).digest_set}
    for depth in (FITS, 60):
        body = '{"a":' * depth + "{}" + "}" * depth
        kind = f'"_type": "https://in-toto.io/Statement/v1", "predicateType": "{predicate.RELEASE}"'
        payload = f'{{{kind}, "subject": [{json.dumps(subject)}], "predicate": {body}}}'.encode()
        signature = load_private_key(key).sign(
            pae(predicate.PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256())
        )
        parts = {"payload": base64.b64encode(payload).decode(), "payloadType": predicate.PAYLOAD_TYPE}
        signed = {"signatures": [{"sig": base64.b64encode(signature).decode()}]}
        envelope.write_text(json.dumps(parts | signed))
        words = ("verify", artifact, "--bundle", envelope, "--key", f"{key}.pub", "--root", "none")
        upstream.run(*words)
        upstream.run(*words, "--record", expect=0 if depth == FITS else 4)


def test_a_key_alone_counts_as_itself_and_has_no_age(upstream: Upstream) -> None:
    artifact, envelope = upstream.folder / "app.bin", upstream.folder / "app.intoto.json"
    artifact.write_bytes(b"an application")
    key = upstream.folder / "chains.key"
    generate_key_pair(key, passphrase=None)
    subject = Subject("app.bin", sha256_file(artifact).digest_set)
    payload = Statement((subject,), predicate.RELEASE, {"purl": "pkg:generic/app"}).encode()
    private = load_private_key(key)
    signature = private.sign(pae(predicate.PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    parts = {"payload": base64.b64encode(payload).decode(), "payloadType": predicate.PAYLOAD_TYPE}
    envelope.write_text(json.dumps(parts | {"signatures": [{"sig": base64.b64encode(signature).decode()}]}))
    words = ("verify", artifact, "--bundle", envelope, "--key", f"{key}.pub", "--record")
    assert "needs the name of a root" in upstream.run(*words, expect=2)
    upstream.run(*words, "--root", "none")
    key_id = as_public_key(private.public_key()).key_id
    named = f'{{key = "sha256:{key_id}", root = "none"}}'
    spared = 'provenance.artifacts = ["up-*"]\nrelease.command = "ask upstream"'

    def owed(pattern: str, more: str = "") -> list[str]:
        upstream.trust(pattern, "release", f"{spared}\n{more}")
        upstream.run("gate", artifact, expect=1)
        results = upstream.ask("explain", artifact)["results"]
        (found,) = [item for item in results if item["code"] == "evidence.release"]
        return [found["status"], found["msg"]]

    upstream.trust(named, "release", spared)
    assert codes(upstream.decision(artifact), "success") == {"evidence.release"}
    status, message = owed(named, "release.max_age_days = 3650")
    assert (status, "says nowhere when it was signed" in message) == ("violation", True)
    status, message = owed(named, 'release.distinct = "keys"')
    assert (status, "which is no enrolled key" in message) == ("violation", True)
    status, message = owed(f'"key:sha256:{key_id}"')  # an enrolled person's, that would be
    assert (status, "may not sign release" in message) == ("violation", True)


def test_what_is_not_accepted_is_not_recorded(upstream: Upstream) -> None:
    target, bundle = "github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl"
    assert upstream.take(target, bundle, expect=1)["recorded"] == []
    assert upstream.take(target, bundle, *who(PUBLISH.replace("bazel", "basel")), expect=1)["recorded"] == []
    spoilt = upstream.folder / "spoilt.json"
    spoilt.write_bytes((upstream.evidence / bundle).read_bytes().replace(b'"sig":"MEU', b'"sig":"MEV', 1))
    upstream.run(
        "verify", upstream.evidence / target, "--bundle", spoilt, "--root", "public-good", "--record",
        *who(PUBLISH), expect=4,
    )  # fmt: skip
    for root in ((), ("--root", str(upstream.evidence / "public-good.trusted_root.json")), ("--root", "no")):
        words = ("verify", upstream.evidence / target, "--bundle", upstream.evidence / bundle, "--record")
        upstream.run(*words, *root, *who(PUBLISH), expect=2)
    assert upstream.workspace().journal.find() == []


def test_a_bare_signature_claims_nothing(upstream: Upstream) -> None:
    name = "sigstore-python/bundle_v3_github.whl"
    found = upstream.ask(
        "verify", upstream.evidence / name, "--bundle", upstream.evidence / f"{name}.sigstore", "--root",
        "public-good", expect=1,
    )  # fmt: skip
    by = found["evidence"][0]["signer"]
    out = upstream.run(
        "verify", upstream.evidence / name, "--bundle", upstream.evidence / f"{name}.sigstore", "--root",
        "public-good", *who(by["subject"], by["issuer"]), "--record", expect=4,
    )  # fmt: skip
    assert "a bare signature claims nothing" in out


@pytest.fixture
def taken(upstream: Upstream) -> Upstream:
    upstream.trust(signer(PUBLISH))
    upstream.take("github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl", *who(PUBLISH))
    upstream.decision("github/MODULE.bazel")
    return upstream


def rejected(upstream: Upstream) -> str:
    decision = upstream.decision("github/MODULE.bazel", expect=1)
    assert "evidence.provenance" in codes(decision, "violation")
    reason: str = decision["rejected"][0]["reason"]
    return reason


def test_a_root_that_is_given_up(taken: Upstream) -> None:
    folder = taken.home / "roots" / "public-good"
    folder.rename(taken.folder / "gone")
    assert "not in use here any more" in rejected(taken)


def test_a_root_that_stopped_believing_its_log(taken: Upstream) -> None:
    """The record keeps the root of then; who holds to that name by now has to agree."""
    document = json.loads((taken.evidence / "public-good.trusted_root.json").read_bytes())
    for log in document["tlogs"]:
        log["publicKey"]["validFor"]["end"] = "2024-01-01T00:00:00Z"
    changed = taken.folder / "changed.json"
    changed.write_text(json.dumps(document))
    taken.use(changed)
    assert "step 3 (timestamp)" in rejected(taken) or "step 8" in rejected(taken)


def test_revoked_by_the_file_or_by_the_logs_key(taken: Upstream) -> None:
    bundle = sha256_file(taken.evidence / "github/MODULE.bazel.intoto.jsonl")
    taken.run("trust", "revoke", f"evidence:{bundle}", "--reason", "made by mistake")
    assert "made by mistake" in rejected(taken)


@pytest.mark.parametrize(
    ("since", "reason"), [("2025-03-01T00:00:00Z", "its signer's key"), ("2025-04-01T00:00:00Z", "")]
)
def test_a_signers_key_revoked_from_a_time_on(taken: Upstream, since: str, reason: str) -> None:
    found = taken.ask(
        "verify", taken.evidence / "github/MODULE.bazel", "--bundle",
        taken.evidence / "github/MODULE.bazel.intoto.jsonl", "--root", "public-good", expect=1,
    )  # fmt: skip
    key = found["evidence"][0]["key"]["sha256"]
    taken.run("trust", "revoke", f"key:sha256:{key}", "--compromised-since", since)
    if reason:
        assert reason in rejected(taken)
    else:
        taken.decision("github/MODULE.bazel")


def test_an_audit_verifies_it_again_from_the_package_alone(taken: Upstream) -> None:
    workspace, project = taken.workspace(), find_project(taken.folder)
    path, package = taken.evidence / "github/MODULE.bazel", taken.folder / "audit.tar"
    artifact = Artifact("MODULE.bazel", sha256_file(path))
    export_audit(workspace, [artifact], package)
    audited = verify_audit(package, workspace.root.fingerprint, engine_of(project))
    (brought,) = audited.result.imported.values()
    assert brought.signer.root == "public-good"
    assert audited.replayed == 1
    assert "build" not in audited.result.artifacts[0].chain.missing


@pytest.mark.parametrize("missing", ["root", "evidence"])
def test_without_the_root_or_the_file_nothing_is_exported(taken: Upstream, missing: str) -> None:
    workspace = taken.workspace()
    (reference,) = workspace.journal.find(predicate_type=predicate.IMPORTED)
    source = workspace.imported(workspace.verify(reference.digest)).source
    workspace.blobs.path(getattr(source, missing)).unlink()
    path = taken.evidence / "github/MODULE.bazel"
    assert "not in the package" in taken.run(
        "audit", "export", path, "-o", taken.folder / "audit.tar", expect=4
    )
    assert not (taken.folder / "audit.tar").exists()
    assert str(getattr(source, missing)) in rejected(taken)


def test_a_verifier_that_told_policy_something_else_is_found_out(taken: Upstream) -> None:
    workspace, project = taken.workspace(), find_project(taken.folder)
    path, package = taken.evidence / "github/MODULE.bazel", taken.folder / "audit.tar"
    artifact = Artifact("MODULE.bazel", sha256_file(path))
    digest = parse_digest_set(taken.ask("explain", path)["input_digest"])
    given = parse_input(workspace.blobs.get(digest))
    (item,) = given.evidence
    body = json.loads(json.dumps(item.predicate))
    body["runDetails"]["builder"]["id"] = "https://elsewhere.example/builder"
    lie = msgspec.structs.replace(given, evidence=(msgspec.structs.replace(item, predicate=body),))
    gated = evaluate(lie, policy_of(workspace, project), engine_of(project))
    for data in (gated.policy_bytes, gated.input_bytes, gated.decision.encode()):
        workspace.blobs.put(data)
    verifier = Verifier(
        identity=workspace.authority.signer("verifier").identity.subject,
        resource_uri=f"pratique:{project.name}/{artifact.name}",
        policy_uri="https://pratique.dev/policy/shipped",
    )
    claim = vsa_predicate(gated.decision, verifier)
    workspace.record("verifier", predicate.VSA, claim, [Subject(artifact.name, artifact.digest.digest_set)])
    export_audit(workspace, [artifact], package)
    with pytest.raises(EvidenceInvalidError, match="its input says otherwise of evidence"):
        verify_audit(package, workspace.root.fingerprint, engine_of(project))
