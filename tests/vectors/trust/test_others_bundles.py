"""Evidence that other projects made, with the real roots of its time (test data `evidence/`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.digest import sha256_bytes
from pratique.testing.authority import START
from pratique.trust.bundle import parse_bundle
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.entity import Message
from pratique.trust.entry import leaf_of
from pratique.trust.foreign.table import read_evidence
from pratique.trust.keyring import KeyRing, make_keyring
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.publickey import as_public_key, load_spki
from pratique.trust.root import TrustedRoot, encode_root, parse_root
from pratique.trust.verify import Established, verify_bundle, verify_entity

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.testing.authority import World

STAGING = "a.dsse.staging-rekor-v2.txt.sigstore.json"
GITHUB = "https://token.actions.githubusercontent.com"
NPM_KEY = (  # as npm publishes it
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7J"
    "lCQiVnkhBktUgg=="
)


@pytest.fixture
def evidence(test_data: Path) -> Path:
    return test_data / "evidence"


@pytest.fixture
def folder(evidence: Path) -> Path:
    return evidence / "sigstore-python"


@pytest.fixture
def public_good(evidence: Path) -> TrustedRoot:
    return parse_root((evidence / "public-good.trusted_root.json").read_bytes())


@pytest.fixture
def staging(folder: Path) -> TrustedRoot:
    return parse_root((folder / "staging.trusted_root.json").read_bytes())


def established(path: Path, root: TrustedRoot, keys: KeyRing | None = None) -> list[Established]:
    entities = read_evidence(path.read_bytes())
    return [verify_entity(entity, root, keys=keys or KeyRing()) for entity in entities]


SIGNED: dict[str, tuple[str, str, str, str, str]] = {
    # file: carrier, signer, issuer, time, kind of log proof
    "pypi/gitlab_oidc_project-0.0.3.tar.gz.publish.attestation": (
        "PyPI attestation (PEP 740)",
        "https://gitlab.com/facutuesca/gitlab-oidc-project//.gitlab-ci.yml@refs/heads/main",
        "https://gitlab.com",
        "2024-11-19T17:37:00+00:00",
        "proof",
    ),
    "pypi/pypi_attestations-0.0.19.tar.gz.publish.attestation": (
        "PyPI attestation (PEP 740)",
        "https://github.com/trailofbits/pypi-attestations/.github/workflows/release.yml@refs/tags/v0.0.19",
        GITHUB,
        "2024-12-04T23:14:01+00:00",
        "proof",
    ),
    "pypi/pypi_attestations-0.0.19.tar.gz.slsa.attestation": (
        "PyPI attestation (PEP 740)",
        "https://github.com/trailofbits/pypi-attestations/.github/workflows/release.yml@refs/tags/v0.0.19",
        GITHUB,
        "2024-12-04T23:13:46+00:00",
        "proof",
    ),
    "pypi/pypi_attestations-0.0.19.tar.gz.provenance": (
        "PyPI attestation (PEP 740)",
        "https://github.com/trailofbits/pypi-attestations/.github/workflows/release.yml@refs/tags/v0.0.19",
        GITHUB,
        "2024-12-04T23:14:01+00:00",
        "proof",
    ),
    "github/MODULE.bazel.intoto.jsonl": (
        "Sigstore bundle 0.3",
        "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml@refs/tags/v0.0.1",
        GITHUB,
        "2025-03-26T23:47:30+00:00",
        "proof",
    ),
    "slsa-generator/delegator-binary-linux-amd64-push-v14.2.build.slsa": (
        "Sigstore bundle 0.2",
        (
            "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_generic_slsa3.yml"
            "@refs/tags/v2.1.0"
        ),
        GITHUB,
        "2025-02-25T21:12:10+00:00",
        "proof",
    ),
    "sigstore-python/bundle_v3_github.whl.sigstore": (
        "Sigstore bundle 0.2",
        "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2",
        GITHUB,
        "2024-03-19T22:41:16+00:00",
        "proof",
    ),
}


@pytest.mark.parametrize("name", SIGNED)
def test_verified_with_the_real_root(evidence: Path, public_good: TrustedRoot, name: str) -> None:
    carrier, signer, issuer, moment, by = SIGNED[name]
    (found,) = established(evidence / name, public_good)
    assert found.entity.carrier == carrier
    assert (found.signer.subject, found.signer.issuer) == (signer, issuer)
    assert found.signed_at is not None
    assert found.signed_at.isoformat() == moment
    assert [(log.origin, log.by) for log in found.logs] == [("rekor.sigstore.dev", by)]
    assert found.ct_logs == ("https://ctfe.sigstore.dev/2022",)


@pytest.mark.parametrize(
    ("name", "artifact"),
    [
        ("pypi/gitlab_oidc_project-0.0.3.tar.gz.publish.attestation", "gitlab_oidc_project-0.0.3.tar.gz"),
        ("pypi/pypi_attestations-0.0.19.tar.gz.slsa.attestation", "pypi_attestations-0.0.19.tar.gz"),
        ("github/MODULE.bazel.intoto.jsonl", "MODULE.bazel"),
        (
            "slsa-generator/delegator-binary-linux-amd64-push-v14.2.build.slsa",
            "delegator-binary-linux-amd64-push-v14.2",
        ),
    ],
)
def test_the_file_is_a_subject(evidence: Path, public_good: TrustedRoot, name: str, artifact: str) -> None:
    (found,) = established(evidence / name, public_good)
    assert found.statement is not None
    digest = sha256_bytes((evidence / name).with_name(artifact).read_bytes())
    assert digest in [subject.sha256 for subject in found.statement.subjects]


def _npm_key(document: Any) -> KeyRing:
    """npm's key, which it publishes under /-/npm/v1/keys, from where the log has it."""
    entry = document["attestations"][0]["bundle"]["verificationMaterial"]["tlogEntries"][0]
    body = json.loads(b64decode(entry["canonicalizedBody"], what="body"))
    pem = b64decode(body["spec"]["content"]["envelope"]["signatures"][0]["publicKey"], what="key")
    key = as_public_key(load_pem_public_key(pem))
    assert b64encode(key.spki) == NPM_KEY
    return make_keyring([key])


@pytest.mark.parametrize(
    ("name", "version", "by"),
    [("gundam-visor-cli-v1-tag", "0.2", "proof"), ("provenance-npm-test-ossf", "0.1", "promise")],
)
def test_npm(evidence: Path, public_good: TrustedRoot, name: str, version: str, by: str) -> None:
    path = evidence / "npm" / f"{name}.tgz.json"
    publish, provenance = established(path, public_good, _npm_key(json.loads(path.read_bytes())))
    assert publish.entity.carrier == f"Sigstore bundle {version} in npm's list"
    assert publish.signer.kind == "key"
    assert provenance.signer.issuer == GITHUB
    assert [log.by for log in (*publish.logs, *provenance.logs)] == [by, by]
    with pytest.raises(CouldNotCheckError, match=r"step 4 .*SHA256:jl3bws.* is not among the 0 given"):
        established(path, public_good)


def test_bare_signatures_of_the_staging_instance(folder: Path, staging: TrustedRoot) -> None:
    (found,) = established(folder / "bundle_v3.txt.sigstore", staging)
    assert (found.signer.subject, found.statement) == ("william@yossarian.net", None)


def test_the_staging_instances_attestation_for_pypi(evidence: Path, staging: TrustedRoot) -> None:
    (found,) = established(evidence / "pypi" / "rfc8785-0.1.2-py3-none-any.whl.publish.attestation", staging)
    assert found.statement is not None
    assert found.statement.predicate_type.endswith("/attestations/publish/v1")


REFUSED: dict[str, tuple[str, type[Exception], str]] = {
    # CVE-2022-36056: the log entry is about another signature.
    "bundle_cve_2022_36056.txt.sigstore": ("staging", SignatureInvalidError, r"step 7 \(log entry\)"),
    "bundle_no_log_entry.txt.sigstore": ("staging", MalformedError, "neither a log entry nor a timestamp"),
    "../npm/provenance-npm-test-ossf-invalidsigprov.tgz.json": (
        "public",
        SignatureInvalidError,
        r"step 6 \(signature\)",
    ),
    # Sound evidence of another instance: never by this root.
    "bundle_v3.txt.sigstore": ("public", SignatureInvalidError, r"step 3 .*no transparency log d32f30a3c32d"),
    "../github/MODULE.bazel.intoto.jsonl": ("staging", SignatureInvalidError, r"step 3 .*c0d23d6ad406973f"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_for_its_own_reason(
    folder: Path, public_good: TrustedRoot, staging: TrustedRoot, name: str
) -> None:
    which, kind, message = REFUSED[name]
    path = folder / name
    keys = _npm_key(json.loads(path.read_bytes())) if "npm" in name else KeyRing()
    with pytest.raises(kind, match=message):
        established(path, public_good if which == "public" else staging, keys)


def test_an_envelope_without_a_time_is_unknown_and_never_a_pass(
    evidence: Path, public_good: TrustedRoot
) -> None:
    with pytest.raises(CouldNotCheckError, match="nothing here says when"):
        established(evidence / "slsa-generator" / "annotated-tag.intoto.jsonl", public_good)


def test_a_publisher_that_did_not_sign(evidence: Path, public_good: TrustedRoot) -> None:
    """A provenance object's publisher is not signed: each attestation is held to it."""
    document = json.loads((evidence / "pypi" / "pypi_attestations-0.0.19.tar.gz.provenance").read_bytes())
    publisher = document["attestation_bundles"][0]["publisher"]
    for change in ({"repository": "trailofbits/pypi-attestation"}, {"workflow": "other.yml"}):
        document["attestation_bundles"][0]["publisher"] = {**publisher, **change}
        (entity,) = read_evidence(json.dumps(document).encode())
        with pytest.raises(SignatureInvalidError, match="as publisher"):
            verify_entity(entity, public_good, keys=KeyRing())


def test_a_predicate_type_that_npm_only_announces(evidence: Path, public_good: TrustedRoot) -> None:
    document = json.loads((evidence / "npm" / "gundam-visor-cli-v1-tag.tgz.json").read_bytes())
    document["attestations"][1]["predicateType"] = "https://slsa.dev/provenance/v0.2"
    entity = read_evidence(json.dumps(document).encode())[1]
    with pytest.raises(SignatureInvalidError, match=r"announces .https://slsa\.dev/provenance/v0\.2"):
        verify_entity(entity, public_good, keys=KeyRing())


def test_our_own_journal_takes_none_of_them(folder: Path) -> None:
    for name in ("bundle_v3.txt.sigstore", "bundle_v3_github.whl.sigstore"):
        with pytest.raises(MalformedError):
            parse_bundle((folder / name).read_bytes())


def test_entry_body_equals_what_rekor_v2_logged(folder: Path) -> None:
    """Sigstore's staging instance made this bundle: the entry that it logged is the entry that we rebuild."""
    bundle = parse_bundle((folder / STAGING).read_bytes())
    assert leaf_of(bundle.signed()) == bundle.log.entry_body
    log = bundle.log
    verify_inclusion(leaf_hash(log.entry_body), log.index, log.tree_size, log.hashes, log.root_hash)


def test_an_old_root_does_not_know_the_new_certificate_log(folder: Path, staging: TrustedRoot) -> None:
    """Timestamp, chain and profile hold (steps 1 to 4); this root predates the SCT's log."""
    with pytest.raises(
        SignatureInvalidError, match=r"step 5 .*no certificate-transparency log 3e607153746e1892"
    ):
        verify_bundle((folder / STAGING).read_bytes(), staging)


def test_another_instances_root(folder: Path, public_good: TrustedRoot) -> None:
    with pytest.raises(EvidenceInvalidError, match=r"step 3 \(timestamp\)"):
        verify_bundle((folder / STAGING).read_bytes(), public_good)


def _rewrapped_for_old_cosign(folder: Path) -> dict[str, Any]:
    """A bundle of Sigstore's public instance in the form that cosign wrote before it wrote bundles."""
    bundle = json.loads((folder / "bundle_v3_github.whl.sigstore").read_bytes())
    material = bundle["verificationMaterial"]
    (entry,) = material["tlogEntries"]
    der = material["x509CertificateChain"]["certificates"][0]["rawBytes"]
    pem = f"-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n"
    return {
        "base64Signature": bundle["messageSignature"]["signature"],
        "cert": b64encode(pem.encode()),
        "rekorBundle": {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logIndex": int(entry["logIndex"]),
                "logID": b64decode(entry["logId"]["keyId"], what="id").hex(),
            },
        },
    }


def _verify_all(data: bytes, root: TrustedRoot) -> list[Established]:
    return [verify_entity(entity, root, keys=KeyRing()) for entity in read_evidence(data)]


def test_cosigns_old_bundles(folder: Path, public_good: TrustedRoot) -> None:
    document = _rewrapped_for_old_cosign(folder)
    (entity,) = read_evidence(json.dumps(document).encode())
    found = verify_entity(entity, public_good, keys=KeyRing())
    assert found.entity.carrier == "cosign bundle (before version 3)"
    assert found.logs[0].by == "promise"
    assert isinstance(entity.content, Message)
    assert entity.content.digest.hex() == sha256_bytes((folder / "bundle_v3_github.whl").read_bytes()).hex
    for name, value in (("integratedTime", 1), ("logIndex", 1), ("logID", "00" * 32)):
        changed = json.loads(json.dumps(document))
        changed["rekorBundle"]["Payload"][name] = value
        (entity,) = read_evidence(json.dumps(changed).encode())
        with pytest.raises(SignatureInvalidError, match="step 3"):
            verify_entity(entity, public_good, keys=KeyRing())
    for name in ("rekorBundle", "base64Signature", "cert"):
        changed = {key: value for key, value in document.items() if key != name}
        with pytest.raises((MalformedError, CouldNotCheckError)):
            _verify_all(json.dumps(changed).encode(), public_good)


def test_githubs_list_and_one_bundle_a_line(evidence: Path, public_good: TrustedRoot) -> None:
    bundle = json.loads((evidence / "github" / "MODULE.bazel.intoto.jsonl").read_bytes())
    listed = {"attestations": [{"bundle": bundle, "repository_id": 1}]}
    (entity,) = read_evidence(json.dumps(listed).encode())
    assert entity.carrier == "Sigstore bundle 0.3 in GitHub's list"
    assert verify_entity(entity, public_good, keys=KeyRing()).signer.issuer == GITHUB
    line = json.dumps(bundle).encode()
    assert len(read_evidence(line + b"\n" + line + b"\n")) == 2
    with pytest.raises(MalformedError, match="empty"):
        read_evidence(b'{"attestations": []}')
    with pytest.raises(MalformedError, match="without a bundle"):
        read_evidence(b'{"attestations": [{"bundle_url": "https://example.org"}]}')


def test_runs_that_chains_signed(world: World) -> None:
    """The form of Chains' annotations (pkg/chains/storage/tekton), around an envelope of our own."""
    bundle = parse_bundle(world.by_key)
    envelope = {
        "payload": b64encode(bundle.payload),
        "payloadType": bundle.payload_type,
        "signatures": [{"keyid": "SHA256:whatever", "sig": b64encode(bundle.signature)}],
    }
    notes = {"chains.tekton.dev/signature-taskrun-1": b64encode(json.dumps(envelope).encode())}
    run = {"kind": "TaskRun", "metadata": {"name": "build", "annotations": notes}}
    (entity,) = read_evidence(json.dumps(run).encode())
    (enrolled,) = world.keys.values()
    keys = make_keyring([load_spki(enrolled.public_key)])
    found = verify_entity(entity, world.authority.trusted_root, keys=keys)
    assert (found.entity.carrier, found.moments, found.logs) == ("Tekton Chains annotation", (), ())
    assert found.statement == world.statement
    with pytest.raises(CouldNotCheckError, match="not among the 0 given"):
        verify_entity(entity, world.authority.trusted_root, keys=KeyRing())
    notes["chains.tekton.dev/cert-taskrun-1"] = b64encode(b"junk")
    with pytest.raises(MalformedError):
        read_evidence(json.dumps(run).encode())


def test_an_envelope_gains_nothing_by_leaving_its_log_entry_behind(world: World) -> None:
    """A certificate's signature with a good timestamp, re-wrapped as Witness would: this root has a log."""
    signed = parse_bundle(world.by_certificate).signed()
    pem = f"-----BEGIN CERTIFICATE-----\n{b64encode(signed.certificate or b'')}\n-----END CERTIFICATE-----\n"
    stamp = {"type": "tsp", "data": b64encode(signed.timestamp)}
    signature = {
        "sig": b64encode(signed.signature),
        "certificate": b64encode(pem.encode()),
        "timestamps": [stamp],
    }
    envelope = {
        "payload": b64encode(signed.payload),
        "payloadType": signed.payload_type,
        "signatures": [signature],
    }
    (entity,) = read_evidence(json.dumps(envelope).encode())
    with pytest.raises(SignatureInvalidError, match=r"step 7 .*no log entry, and this trusted root has logs"):
        verify_entity(entity, world.authority.trusted_root, keys=KeyRing())


@pytest.mark.parametrize(
    ("part", "step"),
    [("tlogs", 3), ("certificate_authorities", 4), ("ctlogs", 5)],
)
def test_each_part_of_the_root_is_needed(
    evidence: Path, public_good: TrustedRoot, staging: TrustedRoot, part: str, step: int
) -> None:
    """The public root with one part of the staging instance's: refused at the step that it is for."""
    names = ("tlogs", "certificate_authorities", "ctlogs", "timestamp_authorities")
    parts = {name: getattr(public_good, name) for name in names} | {part: getattr(staging, part)}
    root = parse_root(encode_root(*(parts[name] for name in names)))
    with pytest.raises(SignatureInvalidError, match=f"step {step} "):
        established(evidence / "github" / "MODULE.bazel.intoto.jsonl", root)


def test_signatures_of_an_envelope_are_timestamped_one_by_one(world: World) -> None:
    """A key's signature in an envelope, with Witness's timestamps: they have to hold, and then say when."""
    bundle = parse_bundle(world.by_key)
    signature = {
        "sig": b64encode(bundle.signature),
        "timestamps": [{"type": "tsp", "data": b64encode(bundle.timestamp)}],
    }
    envelope = {
        "payload": b64encode(bundle.payload),
        "payloadType": bundle.payload_type,
        "signatures": [signature],
    }
    (enrolled,) = world.keys.values()
    keys = make_keyring([load_spki(enrolled.public_key)])
    (entity,) = read_evidence(json.dumps(envelope).encode())
    assert verify_entity(entity, world.authority.trusted_root, keys=keys).signed_at == START
    signature["timestamps"] = [{"type": "tsp", "data": b64encode(world.authority.timestamp(b"other"))}]
    (entity,) = read_evidence(json.dumps(envelope).encode())
    with pytest.raises(SignatureInvalidError, match=r"step 3 .*over other bytes"):
        verify_entity(entity, world.authority.trusted_root, keys=keys)
