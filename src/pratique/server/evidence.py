"""Evidence from other machines: what was signed and logged here by its digest comes into the journal in full.

A runner signs with any Sigstore client, which logs a bare entry, and then hands the finished bundle over. It
is verified as any evidence is, and appended once more, now with its statement, so that the gate finds it.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from pratique.server.http import Call, CallRefusedError, Code, Reply, Route, json_reply
from pratique.server.limits import check_rate
from pratique.trust.authority.ca import LIFETIME
from pratique.trust.encoding import b64encode
from pratique.trust.identity import is_role
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pratique.server.service import Service

MAX_BUNDLE_BYTES: Final = 4 * 1024 * 1024
FRESH: Final = LIFETIME + timedelta(minutes=5)
"""How old a signature may be: bundles are no secret, and old evidence must not come in as if it were new."""


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""

    def add(call: Call) -> Reply:
        verified = verify_bundle(call.body, service.authority.trusted_root)
        if verified.signer.kind != "certificate" or is_role(verified.signer, service.authority.trust_domain):
            raise CallRefusedError(
                Code.PERMISSION_DENIED,
                "taken here is what tokens' identities signed, not roles or people's keys",
                reason="signer-role",
            )
        if service.clock() - verified.signed_at > FRESH:
            raise CallRefusedError(Code.INVALID_ARGUMENT, f"signed at {verified.signed_at}", reason="stale")
        check_rate(service.per_identity, f"evidence {verified.signer}", "identity")
        recorded = service.committer.commit(verified.bundle.signed())
        body = {
            "digest": str(recorded.digest),
            "logIndex": recorded.index,
            "bundle": b64encode(recorded.bundle),
        }
        return json_reply(body, HTTPStatus.CREATED)

    return [Route("POST", "/pratique/v1/evidence", add, MAX_BUNDLE_BYTES)]
