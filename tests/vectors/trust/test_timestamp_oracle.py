"""Our reading of RFC 3161 tokens beside rfc3161-client's: what we accept, it accepts, at the same time."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pytest
import rfc3161_client

from pratique.errors import EvidenceInvalidError
from pratique.trust.root import parse_root
from pratique.trust.timestamp import verify_timestamp

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pratique.testing.authority import World
    from pratique.trust.root import TrustedRoot

pytestmark = pytest.mark.filterwarnings("ignore")


def _theirs(token: bytes, data: bytes, root: TrustedRoot) -> datetime | None:
    (authority,) = root.timestamp_authorities
    first, *_, last = authority.certificates
    builder = rfc3161_client.VerifierBuilder().tsa_certificate(first).add_root_certificate(last)
    try:
        response = rfc3161_client.decode_timestamp_response(token)
        builder.build().verify_message(response, data)
        return response.tst_info.gen_time.astimezone(UTC)
    except Exception:  # noqa: BLE001 - whatever it raises is a no
        return None


def _ours(token: bytes, data: bytes, root: TrustedRoot) -> datetime | None:
    try:
        return verify_timestamp(token, data, root)[0]
    except EvidenceInvalidError:
        return None


def test_ours(world: World) -> None:
    root = world.authority.trusted_root
    token = world.authority.timestamp(b"data")
    assert _ours(token, b"data", root) == _theirs(token, b"data", root) is not None
    assert _ours(token, b"other", root) is _theirs(token, b"other", root) is None
    for at in range(len(token)):
        for mask in (0x01, 0x80):
            changed = token[:at] + bytes([token[at] ^ mask]) + token[at + 1 :]
            assert _ours(changed, b"data", root) is None, at


def test_sigstores(test_data: Path) -> None:
    """A token of Sigstore's staging authority, without a certificate inside."""
    from pratique.trust.bundle import parse_bundle  # noqa: PLC0415 - only here

    folder = test_data / "evidence" / "sigstore-python"
    root = parse_root((folder / "staging.trusted_root.json").read_bytes())
    bundle = parse_bundle((folder / "a.dsse.staging-rekor-v2.txt.sigstore.json").read_bytes())
    ours = _ours(bundle.timestamp, bundle.signature, root)
    assert ours is not None
    assert ours == _theirs(bundle.timestamp, bundle.signature, root)
    for at in range(0, len(bundle.timestamp), 3):
        changed = bundle.timestamp[:at] + bytes([bundle.timestamp[at] ^ 1]) + bundle.timestamp[at + 1 :]
        assert _ours(changed, bundle.signature, root) is None, at
