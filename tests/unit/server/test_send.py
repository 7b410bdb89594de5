"""Handing evidence over, from the client's side: what is believed of the server's answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import (
    EvidenceInvalidError,
    InfrastructureError,
    PolicyRefusedError,
    SignatureInvalidError,
)
from pratique.flow.send import Team, send
from pratique.testing.authority import make_world
from pratique.trust.identity import Identity
from pratique.trust.signers.service import RefusedError, Service
from pratique.trust.signers.statement import CertificateSigner
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from serving_desk import Desk

RUNNER = Identity("certificate", "https://ci.example.org/app", "https://issuer.example.org")
STATEMENT = Statement((Subject("app", {"sha256": "ab" * 32}),), "https://slsa.dev/provenance/v1", {"a": 1})
URL = "https://team.example.org"


class Line:
    """The network between client and server; what comes back can be changed on the way."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.change: dict[str, Any] = {}

    def call(self, method: str, path: str, body: bytes, *, max_bytes: int) -> Any:
        from pratique.server.http import CallRefusedError  # noqa: PLC0415 - as the server's own

        assert max_bytes
        try:
            reply = self.desk.call(method, path, body)
        except CallRefusedError as error:
            raise RefusedError(error.status, error.message) from error
        return json.loads(reply.body) | self.change


@pytest.fixture
def line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Line:
    found = Line(desk)
    monkeypatch.setattr(Service, "call", found.call)
    return found


@pytest.fixture
def team(desk: Desk) -> Team:
    return Team(URL, desk.service.authority.trusted_root)


def signed(desk: Desk, who: Identity = RUNNER) -> bytes:
    authority = desk.service.authority
    made = CertificateSigner(who, authority.issue, authority.timestamp).sign(STATEMENT)
    (recorded,) = desk.service.journal.append([made])
    return recorded.bundle


def test_what_comes_back_is_the_evidence_in_the_servers_journal(desk: Desk, line: Line, team: Team) -> None:
    assert line
    sent = send(team, signed(desk), what="b.json")
    assert sent.bundle == desk.service.journal.get(sent.digest)
    assert verify_bundle(sent.bundle, team.root).log_index == sent.index == 1


def test_a_server_that_does_not_take_it(desk: Desk, line: Line, team: Team) -> None:
    assert line
    role = desk.service.authority.signer("builder").identity
    with pytest.raises(PolicyRefusedError, match="not roles or people's keys"):
        send(team, signed(desk, role), what="b.json")


def test_a_server_that_answers_with_something_else(desk: Desk, line: Line, team: Team) -> None:
    bundle, other = signed(desk), Identity("certificate", "https://ci.example.org/other", RUNNER.issuer)
    another = json.loads(desk.call("POST", "/pratique/v1/evidence", signed(desk, other)).body)
    for change in (another, {"logIndex": 0}):
        line.change = change
        with pytest.raises(SignatureInvalidError, match="answers with other evidence"):
            send(team, bundle, what="b.json")
    line.change = {"bundle": "e30="}
    with pytest.raises(EvidenceInvalidError):
        send(team, bundle, what="b.json")
    line.change = {"logIndex": "1"}
    with pytest.raises(InfrastructureError, match="without a place in the log"):
        send(team, bundle, what="b.json")


def test_evidence_of_another_root_is_not_even_sent(
    line: Line, team: Team, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = make_world(tmp_path_factory.mktemp("other"))
    with pytest.raises(EvidenceInvalidError, match=r"^b\.json"):
        send(team, world.by_certificate, what="b.json")
    assert line.desk.service.journal.head().size == 0
