from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.digest import sha256_bytes
from pratique.trust.root import parse_root
from pratique.trust.verify import log_public_key

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.testing.authority import World


def test_our_root_in_the_published_shape(world: World) -> None:
    root = world.authority.trusted_root
    document = json.loads(root.data)
    assert document["mediaType"] == "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
    (tlog,) = document["tlogs"]
    assert tlog["baseUrl"] == "https://pratique.local"
    assert tlog["publicKey"]["keyDetails"] == "PKIX_ED25519"
    assert tlog["publicKey"]["validFor"] == {"start": "2026-06-01T09:00:00Z"}
    assert root.fingerprint == sha256_bytes(root.data)
    assert root.tlogs[0].origin == "pratique.local"
    assert len(document["timestampAuthorities"][0]["certChain"]["certificates"]) == 2


def test_sigstores_own_root(test_data: Path) -> None:
    root = parse_root((test_data / "evidence" / "public-good.trusted_root.json").read_bytes())
    assert [log.origin for log in root.tlogs] == ["rekor.sigstore.dev", "log2025-1.rekor.sigstore.dev"]
    first = root.certificate_authorities[0].valid_for
    assert first.end == datetime(2022, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    assert log_public_key(root.tlogs[1])
    with pytest.raises(SignatureInvalidError, match="only Ed25519"):
        log_public_key(root.tlogs[0])


def _edit(data: bytes, path: str, value: Any) -> bytes:
    document = json.loads(data)
    *parents, last = path.split(".")
    place: Any = document
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("mediaType", "application/json"),
        ("tlogs", {}),
        ("tlogs", ["x"]),
        ("tlogs.0.hashAlgorithm", "SHA1"),
        ("tlogs.0.publicKey", None),
        ("tlogs.0.publicKey.rawBytes", "***"),
        ("tlogs.0.publicKey.validFor", {}),
        ("tlogs.0.publicKey.validFor", {"start": "yesterday"}),
        ("tlogs.0.publicKey.validFor", {"start": "2026-11-23T09:00:00"}),
        ("tlogs.0.publicKey.validFor", {"start": "2026-11-23T09:00:00Z", "end": 3}),
        ("tlogs.0.logId", {}),
        ("tlogs.0.baseUrl", ""),
        ("certificateAuthorities.0.certChain", {"certificates": []}),
        ("certificateAuthorities.0.subject", None),
    ],
)
def test_refused(world: World, path: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        parse_root(_edit(world.authority.trusted_root.data, path, value))


def test_a_log_whose_id_is_not_its_keys(world: World) -> None:
    root = parse_root(_edit(world.authority.trusted_root.data, "tlogs.0.baseUrl", "https://other.example"))
    with pytest.raises(SignatureInvalidError, match="is not its key's"):
        log_public_key(root.tlogs[0])


def test_broken_keys_and_certificates_of_a_root(world: World) -> None:
    data = world.authority.trusted_root.data
    with pytest.raises(EvidenceInvalidError):
        log_public_key(parse_root(_edit(data, "tlogs.0.publicKey.rawBytes", "AAAA")).tlogs[0])
    broken = {"certificates": [{"rawBytes": "AAAA"}]}
    root = parse_root(_edit(data, "certificateAuthorities.0.certChain", broken))
    with pytest.raises(MalformedError, match="certificate authority does not parse"):
        _ = root.certificate_authorities[0].certificates
