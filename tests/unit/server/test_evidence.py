from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pratique.model.digest import sha256_bytes
from pratique.model.predicate import APPROVAL, TEST_RESULT
from pratique.testing.authority import make_world
from pratique.trust.encoding import b64decode
from pratique.trust.identity import Identity
from pratique.trust.imported import verify_import
from pratique.trust.signers.statement import CertificateSigner
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from serving_desk import Desk

    from pratique.testing.authority import World
    from pratique.trust.bundle import Signed

ADD = ("POST", "/pratique/v1/evidence")
RUNNER = Identity("certificate", "https://ci.example.org/app", "https://issuer.example.org")
STATEMENT = Statement((Subject("app", {"sha256": "ab" * 32}),), "https://slsa.dev/provenance/v1", {"a": 1})


def runner_signed(desk: Desk) -> Signed:
    authority = desk.service.authority
    return CertificateSigner(RUNNER, authority.issue, authority.timestamp).sign(STATEMENT)


def logged(desk: Desk, signed: Signed) -> bytes:
    (recorded,) = desk.service.journal.append([signed])
    return recorded.bundle


def test_a_runners_evidence_is_found_in_the_journal(desk: Desk) -> None:
    reply = desk.call(*ADD, logged(desk, runner_signed(desk)))
    assert reply.status == 201
    answer = json.loads(reply.body)
    found = desk.service.journal.find(predicate_type=STATEMENT.predicate_type)[0]
    assert (str(found.digest), found.index) == (answer["digest"], answer["logIndex"])
    assert b64decode(answer["bundle"], what="bundle") == desk.service.journal.get(found.digest)
    verified = verify_bundle(desk.service.journal.get(found.digest), desk.service.authority.trusted_root)
    assert (verified.signer, verified.statement) == (RUNNER, STATEMENT)
    assert desk.service.journal.verify().size == 2


def test_a_changed_bundle(desk: Desk) -> None:
    bundle = json.loads(logged(desk, runner_signed(desk)))
    bundle["dsseEnvelope"]["payload"] = "e30="
    assert desk.refusal(*ADD, bundle).status == 400
    for body in (b"", b"{}", b"[]"):
        assert desk.refusal(*ADD, body).status == 400


def test_what_a_role_signed(desk: Desk) -> None:
    signed = desk.service.authority.signer("builder").sign(STATEMENT)
    assert desk.refusal(*ADD, logged(desk, signed)).reason == "signer-role"


def test_old_evidence_does_not_come_in_as_new(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = logged(desk, runner_signed(desk))
    clock = desk.service.clock
    monkeypatch.setattr(desk.service, "clock", lambda: clock() + timedelta(minutes=16))
    assert desk.refusal(*ADD, bundle).reason == "stale"


def test_evidence_of_another_root(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    world = make_world(tmp_path_factory.mktemp("other"))
    assert desk.refusal(*ADD, world.by_certificate).status == 400


@pytest.fixture
def partner(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A root of others that serve.toml names."""
    world = make_world(tmp_path_factory.mktemp("partner"))
    desk.service.roots = {"ci": world.authority.trusted_root}
    return world


def made(world: World, statement: Statement = STATEMENT) -> bytes:
    return world.log.append(world.authority.signer("scanner").sign(statement))


def test_a_partners_evidence_is_recorded_as_the_partners(desk: Desk, partner: World) -> None:
    bundle = made(partner)
    answer = json.loads(desk.call(*ADD, bundle).body)
    record = verify_bundle(b64decode(answer["bundle"], what="bundle"), desk.service.authority.trusted_root)
    assert record.signer == desk.service.authority.signer("verifier").identity
    found = verify_import(record, desk.service.journal.blobs.get)
    assert (found.source.evidence, found.signer.root) == (sha256_bytes(bundle), "ci")
    assert json.loads(desk.call(*ADD, bundle).body) == answer
    assert desk.service.journal.head().size == 1


@pytest.mark.parametrize(
    "statement",
    [
        Statement(STATEMENT.subjects, APPROVAL, {}),
        Statement((*STATEMENT.subjects, Subject("b", {"sha256": "cd" * 32})), TEST_RESULT, {}),
    ],
)
def test_what_a_partner_cannot_hand_over(desk: Desk, partner: World, statement: Statement) -> None:
    assert desk.refusal(*ADD, made(partner, statement)).status == 400
    assert desk.service.journal.head().size == 0
