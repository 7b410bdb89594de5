"""Revocation: what came after the time no longer counts, what is proven to be older does."""

from __future__ import annotations

import datetime as dt
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from pratique.cli.main import main
from pratique.errors import MalformedError, UsageError
from pratique.flow.evidence import gather
from pratique.flow.revoke import Revoked, revoke
from pratique.flow.rotate import Plan, rotate
from pratique.model import predicate
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.audit.export import write_package
from pratique.report.audit.verify import verify_package
from pratique.trust.bundle import parse_bundle
from pratique.trust.identity import role_identity
from pratique.trust.revocation import (
    Revocation,
    RevokedError,
    parse_revocation,
    refuse_revoked,
    revocation_statement,
)
from pratique.trust.signers.statement import CertificateSigner
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State
    from pratique.trust.authority.init import Authority

ARTIFACT = sha256_bytes(b"an artifact")
SUBJECT = Subject("app-1.whl", ARTIFACT.digest_set)


def at(state: State, hours: float) -> dt.datetime:
    """Set the clock to hours after noon."""
    state.clock.now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC) + dt.timedelta(hours=hours)
    return state.clock.now


def claim(state: State, hours: float) -> Digest:
    at(state, hours)
    return state.reopened().record("builder", predicate.PROVENANCE, {"at": hours}, [SUBJECT]).digest


def take_back(state: State, what: str, since: dt.datetime | None = None, reason: str = "") -> Revoked:
    return revoke(state.reopened(), what, since=since, reason=reason, reopen=state.reopened)


def counts(state: State, evidence: Digest) -> bool:
    try:
        state.reopened().verify(evidence)
    except RevokedError:
        return False
    return True


@pytest.mark.parametrize("name", ["ca", "tsa", "ctlog", "log"])
def test_a_stolen_key_undoes_only_what_came_after(state: State, name: str) -> None:
    before, after = claim(state, 1), claim(state, 3)
    theft = at(state, 2)
    at(state, 4)
    done = take_back(state, name, theft, "the laptop was stolen")
    assert done.rotated is not None
    assert done.revocation.log_size == 1
    new = claim(state, 5)
    assert [counts(state, item) for item in (before, after, new)] == [True, False, True]
    with pytest.raises(RevokedError) as caught:
        state.reopened().verify(after)
    for part in ("is revoked since 2026-11-23T14:00:00Z: the laptop was stolen", "2026-11-23T15:00:00Z"):
        assert part in caught.value.message
    gathered = gather(state.reopened(), ARTIFACT)  # what the gate sees
    assert {item.digest for item in gathered.verified} == {before, new}
    assert [item.digest for item in gathered.rejected] == [after]
    state.reopened().journal.verify()


def forge(state: State, stolen: Authority, *, ca: bool, tsa: bool, hours: float) -> Digest:
    """Sign with stolen keys, at a time of the thief's choice where the timestamp key is among them."""
    now = state.clock.now
    state.clock.now = at(state, hours) if ca else now
    workspace = state.reopened()
    issue = (stolen if ca else workspace.authority).issue
    stamp = (stolen if tsa else workspace.authority).timestamp
    identity = role_identity("pratique.local", "builder")
    signed = CertificateSigner(identity, issue, stamp).sign(
        Statement((SUBJECT,), predicate.PROVENANCE, {"forged": True})
    )
    state.clock.now = now
    (recorded,) = state.reopened().journal.append([signed])
    return recorded.digest


def test_who_stole_both_keys_cannot_date_back(state: State) -> None:
    claim(state, 1)
    stolen = state.reopened().authority
    theft = at(state, 2)
    at(state, 4)
    take_back(state, "ca", theft)
    at(state, 5)
    take_back(state, "tsa", theft)
    forged = forge(state, stolen, ca=True, tsa=True, hours=1)
    assert not counts(state, forged)


def test_timestamps_of_a_stolen_authority_count_by_their_place_in_the_log_alone(state: State) -> None:
    before = claim(state, 1)
    workspace = state.reopened()
    at(state, 4)
    done = take_back(state, "tsa", at(state, 4) - dt.timedelta(hours=2))
    root = state.reopened().root
    data = workspace.journal.get(before)
    refuse_revoked(data, root, [done.revocation])
    late = Revocation("key", done.revocation.digest, state.clock.now, 0, done.revocation.since)
    with pytest.raises(RevokedError, match="timestamp authority"):
        refuse_revoked(data, root, [late])
    log = Revocation("key", sha256_bytes(root.tlogs[0].key), state.clock.now, 9, done.revocation.since)
    with pytest.raises(RevokedError):  # neither time nor place proves anything
        refuse_revoked(data, root, [done.revocation, log])


def test_a_person_s_key_a_certificate_and_evidence(state: State) -> None:
    key = state.enrol("ada")
    del key
    (key_id,) = state.reopened().community.keys
    first, second = claim(state, 1), claim(state, 2)
    at(state, 3)
    certificate = parse_bundle(state.reopened().journal.get(first)).certificate
    assert certificate is not None
    take_back(state, f"certificate:sha256:{sha256(certificate).hexdigest()}")
    take_back(state, f"evidence:{second}")
    take_back(state, f"key:sha256:{key_id}", at(state, 2))
    assert not counts(state, first)
    assert not counts(state, second)
    assert [item.kind for item in state.reopened().revocations] == ["key", "evidence", "certificate"]


def test_enrolments_after_the_theft_are_named(state: State) -> None:
    state.enrol("ada")
    theft = at(state, 2)
    at(state, 3)
    state.workspace = state.reopened()
    state.enrol("bob")
    at(state, 4)
    assert take_back(state, "ca", theft).people == ("bob",)
    assert {item.person for item in state.reopened().community.keys.values()} == {"ada"}


def test_a_revocation_is_not_undone_by_revoking_what_signed_it(state: State) -> None:
    evidence = claim(state, 1)
    theft = at(state, 2)
    at(state, 3)
    take_back(state, f"evidence:{evidence}")
    at(state, 4)
    take_back(state, "ca", theft)
    assert not counts(state, evidence)


def test_an_auditor_sees_what_was_revoked(state: State, tmp_path: Path) -> None:
    pinned = state.workspace.root.fingerprint
    before, after = claim(state, 1), claim(state, 3)
    theft = at(state, 2)
    at(state, 4)
    take_back(state, "ca", theft)
    workspace = state.reopened()
    exported = write_package(
        tmp_path / "p.tar",
        [ARTIFACT],
        journal=workspace.journal,
        blobs=workspace.blobs,
        root=workspace.root,
        signer=workspace.authority.signer("administrator"),
        version="0.1.0",
    )
    assert list(exported.left_out) == [after]
    audit = verify_package(tmp_path / "p.tar", pinned)
    assert before in audit.evidence
    assert audit.counts["revocation"] == 1


@pytest.mark.parametrize(
    "what", ["cb", "key:sha256:zz", "serial:sha256:" + "ab" * 32, "key:" + "ab" * 32, ""]
)
def test_what_cannot_be_revoked(state: State, what: str) -> None:
    with pytest.raises(UsageError):
        take_back(state, what)


def test_a_time_to_come_is_refused(state: State) -> None:
    with pytest.raises(UsageError, match="yet to come"):
        take_back(state, "ca", state.clock.now + dt.timedelta(days=1))


def test_a_key_replaced_long_ago_can_be_revoked(state: State) -> None:
    before, after = claim(state, 1), claim(state, 3)
    old = sha256_bytes(state.reopened().root.tlogs[0].key)
    at(state, 4)
    rotate(state.reopened(), Plan())
    theft = at(state, 2)
    at(state, 5)
    done = take_back(state, f"key:{old}", theft)
    assert done.rotated is None
    assert [counts(state, before), counts(state, after)] == [True, False]


def test_statements_that_say_something_else_are_refused() -> None:
    statement = revocation_statement(Revocation("key", ARTIFACT, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 0))
    assert parse_revocation(statement).digest == ARTIFACT
    body = statement.predicate
    for changed in (
        {**body, "unless": 1},
        {**body, "logSize": -1},
        {**body, "logSize": True},
        {**body, "revoked": {"kind": "serial", "digest": ARTIFACT.digest_set}},
        {**body, "revoked": {"kind": "key", "digest": sha256_bytes(b"other").digest_set}},
        {**body, "since": "yesterday"},
        {name: value for name, value in body.items() if name != "revokedAt"},
    ):
        with pytest.raises(MalformedError):
            parse_revocation(Statement(statement.subjects, statement.predicate_type, changed))


def test_verify_asks_the_journal(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one's own bundle, and of evidence given by --bundle; what was asked is in the result."""
    evidence = state.provenance()
    bundle = state.folder / "bundle.json"
    bundle.write_bytes(state.workspace.blobs.get(evidence))
    home = ("--home", str(state.folder / "home"), "-C", str(state.folder), "--json")
    by = ("--certificate-identity", "spiffe://pratique.local/builder")
    given = ("--bundle", str(bundle), *by, "--certificate-oidc-issuer", "https://pratique.local/pratique")

    def ask(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["verify", *words, *home])
        return code, json.loads(capsys.readouterr().out)

    code, body = ask(str(bundle))
    assert (code, body["revocationSources"][0]["revocations"]) == (0, 0)
    code, body = ask(str(ARTIFACT), *given)
    asked = {"journal": str(state.folder / "home"), "revocations": 0, "logSize": 1}
    assert (code, body["revocationSources"]) == (0, [asked, {"policy": True, "revocations": 0}])
    revoke(
        state.workspace, f"evidence:{evidence}", since=None, reason="made by mistake", reopen=state.reopened
    )
    code, body = ask(str(bundle))
    assert (code, "made by mistake" in body["error"]["message"]) == (4, True)
    code, body = ask(str(ARTIFACT), *given)
    assert (code, body["revocationSources"][0]["revocations"]) == (1, 1)
    assert "made by mistake" in body["setAside"][0]["reason"]
