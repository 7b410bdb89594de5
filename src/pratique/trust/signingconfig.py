"""Where clients sign: Sigstore's `signing_config.v0.2.json` (protobuf-specs sigstore_trustroot.proto)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.model.clock import format_time
from pratique.model.strict_json import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.signingconfig.v0.2+json"


def encode_signing_config(url: str, start: datetime, operator: str, oidc: Sequence[str] = ()) -> bytes:
    """Write the signing configuration of one server that is authority for certificates, time and log.

    Args:
        url: the server's, as clients reach it, without a path.
        start: since when it is to be used.
        operator: who runs it.
        oidc: issuers that a person can log in at, best first.
    """
    base = url.rstrip("/")

    def service(address: str, version: int) -> dict[str, object]:
        return {
            "url": address,
            "majorApiVersion": version,
            "validFor": {"start": format_time(start)},
            "operator": operator,
        }

    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "caUrls": [service(base, 1)],
            "oidcUrls": [service(item, 1) for item in oidc],
            "rekorTlogUrls": [service(base, 2)],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [service(f"{base}/api/v1/timestamp", 1)],
            "tsaConfig": {"selector": "ANY"},
        }
    )
