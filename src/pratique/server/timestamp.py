"""RFC 3161 over HTTP (RFC 3161 §3.4), where Sigstore's timestamp authority serves it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pratique.model.strict_json import parse_json_object
from pratique.server.http import JSON, Call, CallRefusedError, Code, Reply, Route
from pratique.trust import protojson
from pratique.trust.authority.tsq import (
    MAX_QUERY_BYTES,
    Query,
    QueryRefusedError,
    check_query,
    parse_query,
    rejection,
)

if TYPE_CHECKING:
    from pratique.server.service import Service

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
_NAMES = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""

    def issue(call: Call) -> Reply:
        try:
            query = _query(call)
        except QueryRefusedError as error:
            service.audit.refused("timestamp", error.failure.name.lower().replace("_", "-"), call.address)
            return Reply(HTTPStatus.BAD_REQUEST, rejection(error), REPLY)
        return Reply(HTTPStatus.OK, service.timestamp(query), REPLY)

    def chain(_: Call) -> Reply:
        return Reply(HTTPStatus.OK, service.timestamp_chain.encode(), "application/pem-certificate-chain")

    return [
        Route("POST", "/api/v1/timestamp", issue, MAX_QUERY_BYTES),
        Route("GET", "/api/v1/timestamp/certchain", chain),
    ]


def _query(call: Call) -> Query:
    """Take a DER query, or the JSON that Sigstore's timestamp authority takes beside it and npm sends."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == QUERY:
        return parse_query(call.body)
    if kind != JSON:
        raise CallRefusedError(
            Code.INVALID_ARGUMENT,
            f"the content type has to be {QUERY}",
            reason="content-type",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    request = parse_json_object(call.body, what="query")
    name, nonce, policy = request.get("hashAlgorithm"), request.get("nonce"), request.get("tsaPolicyOID")
    return check_query(
        _NAMES.get(name, "") if isinstance(name, str) else "",
        protojson.blob(request, "artifactHash", "query"),
        nonce=nonce if isinstance(nonce, int) and not isinstance(nonce, bool) else None,
        policy=policy if isinstance(policy, str) and policy else None,
        certificate=request.get("certificates") is True,
        null_parameters=True,
    )
