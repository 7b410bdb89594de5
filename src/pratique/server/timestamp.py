"""RFC 3161 over HTTP (RFC 3161 §3.4), where Sigstore's timestamp authority serves it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pratique.server.http import Call, CallRefusedError, Code, Reply, Route
from pratique.trust.authority.tsq import MAX_QUERY_BYTES, QueryRefusedError, parse_query, rejection

if TYPE_CHECKING:
    from pratique.server.service import Service

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""

    def issue(call: Call) -> Reply:
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != QUERY:
            raise CallRefusedError(
                Code.INVALID_ARGUMENT,
                f"the content type has to be {QUERY}",
                reason="content-type",
                status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        try:
            query = parse_query(call.body)
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
