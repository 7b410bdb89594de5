"""Bundles that other projects made (test data `evidence/`, from sigstore-python's own tests)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust.bundle import parse_bundle
from pratique.trust.entry import hashedrekord_body
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.root import parse_root
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pathlib import Path

STAGING = "a.dsse.staging-rekor-v2.txt.sigstore.json"


@pytest.fixture
def folder(test_data: Path) -> Path:
    return test_data / "evidence" / "sigstore-python"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        # CVE-2022-36056: a bundle whose log entry is about another signature. It signs a bare message, and is
        # refused for that already; test_verify.py has the same attack on a DSSE bundle (step 7).
        ("bundle_cve_2022_36056.txt.sigstore", "message signature"),
        # No log entry; it is a v0.1 bundle, and is refused for that already. test_bundle.py has it as v0.3.
        ("bundle_no_log_entry.txt.sigstore", "version=0.1' is not supported"),
        ("bundle_v3.txt.sigstore", "message signature"),
        ("bundle_v3_github.whl.sigstore", "version=0.2' is not supported"),
    ],
)
def test_out_of_scope_and_said_clearly(folder: Path, name: str, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_bundle((folder / name).read_bytes())


def test_entry_body_equals_what_rekor_v2_logged(folder: Path) -> None:
    """Sigstore's staging instance made this bundle: the entry that it logged is the entry that we rebuild."""
    bundle = parse_bundle((folder / STAGING).read_bytes())
    assert hashedrekord_body(bundle.signed()) == bundle.log.entry_body
    log = bundle.log
    verify_inclusion(leaf_hash(log.entry_body), log.index, log.tree_size, log.hashes, log.root_hash)


def test_an_old_root_does_not_know_the_new_certificate_log(folder: Path) -> None:
    """Timestamp, chain and profile hold (steps 1 to 4); this root predates the SCT.s log."""
    root = parse_root((folder / "staging.trusted_root.json").read_bytes())
    with pytest.raises(
        SignatureInvalidError, match=r"step 5 .*no certificate-transparency log 3e607153746e1892"
    ):
        verify_bundle((folder / STAGING).read_bytes(), root)


def test_another_instances_root(folder: Path) -> None:
    root = parse_root((folder.parent / "public-good.trusted_root.json").read_bytes())
    with pytest.raises(SignatureInvalidError, match=r"step 3 \(timestamp\)"):
        verify_bundle((folder / STAGING).read_bytes(), root)
