from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.testing.authority import START, MemoryLog, make_authority
from pratique.trust.enrolment import Enrolment, enrolled_keys, enrolment_statement, parse_enrolment
from pratique.trust.identity import role_identity
from pratique.trust.keys import generate_key, spki
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.statement import KeySigner
from pratique.trust.statement import Statement, Subject, parse_statement
from pratique.trust.verify import Verified, verify_bundle

REPOSITORY = Path(__file__).resolve().parents[3]
KEY = spki(ec.derive_private_key(7, ec.SECP256R1()).public_key())
ADMINISTRATOR = role_identity("pratique.local", "administrator")
HOUR = timedelta(hours=1)


def enrolment(**changes: Any) -> Enrolment:
    fields = {"person": "ann", "roles": ("approver",), "public_key": KEY, "enrolled_at": START, **changes}
    return Enrolment(**fields)


@pytest.mark.parametrize("limit", [None, START + HOUR])
def test_round_trip_through_a_statement_that_meets_the_schema(limit: datetime | None) -> None:
    original = enrolment(not_after=limit, emails=("ann@example.org", "ann@home.example"))
    statement = parse_statement(enrolment_statement(original).encode())
    assert parse_enrolment(statement) == original
    schema = json.loads((REPOSITORY / "docs" / "spec" / "enrolment.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(statement.predicate)
    assert statement.subjects == (Subject("ann", {"sha256": original.key_id}),)


def test_the_example_in_the_specification_is_valid() -> None:
    text = (REPOSITORY / "docs" / "spec" / "enrolment.md").read_text()
    example = text.split("```json\n")[1].split("```")[0]
    assert parse_enrolment(parse_statement(example.encode())).person == "ann@example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"person": ""},
        {"person": "  "},
        {"person": "a\nb"},
        {"roles": ("a", "a")},
        {"roles": ("",)},
        {"roles": tuple(f"r{n}" for n in range(33))},
        {"public_key": b"junk"},
        {"emails": ("not an address",)},
        {"emails": (" ann@example.org",)},
        {"emails": tuple(f"a{n}@example.org" for n in range(33))},
    ],
)
def test_enrolments_that_make_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        enrolment_statement(enrolment(**changes))


def test_only_p256_keys() -> None:
    key = spki(ec.derive_private_key(7, ec.SECP384R1()).public_key())
    with pytest.raises(SignatureInvalidError):
        enrolment_statement(enrolment(public_key=key))


@pytest.mark.parametrize(
    "change",
    [
        {"person": "bob"},
        {"person": None},
        {"roles": "approver"},
        {"roles": [1]},
        {"roles": None},
        {"key": None},
        {"key": {"scheme": "ed25519", "spki": "AAAA"}},
        {"key": {"scheme": "ecdsa-sha2-nistp256"}},
        {"enrolledAt": None},
        {"enrolledAt": "2026-11-23"},
        {"notAfter": 5},
        {"notAfter": ""},
        {"onlyFor": "staging"},
        {"key": {"scheme": "ecdsa-sha2-nistp256", "spki": "AAAA", "use": "test"}},
    ],
)
def test_statements_that_are_no_enrolment(change: dict[str, Any]) -> None:
    good = enrolment_statement(enrolment())
    with pytest.raises(MalformedError):
        parse_enrolment(Statement(good.subjects, good.predicate_type, {**good.predicate, **change}))


def test_the_subject_is_the_key() -> None:
    good = enrolment_statement(enrolment())
    other = Subject("ann", {"sha256": "00" * 32})
    for subjects in ((other,), (*good.subjects, other)):
        with pytest.raises(MalformedError, match="not the key that it enrols"):
            parse_enrolment(Statement(subjects, good.predicate_type, good.predicate))
    with pytest.raises(MalformedError, match="predicate type"):
        parse_enrolment(Statement(good.subjects, "https://example.com", good.predicate))


class Office:
    """Enrols people with a real authority, log and clock."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.clock = make_authority(folder)
        self.log = MemoryLog(self.authority)
        self.evidence: list[Verified] = []

    def enrol(self, *, role: str = "administrator", **changes: Any) -> None:
        one = enrolment(**{"enrolled_at": self.clock(), **changes})
        signed = self.authority.signer(role).sign(enrolment_statement(one))
        self.evidence.append(verify_bundle(self.log.append(signed), self.authority.trusted_root))

    def key(self, spki_der: bytes = KEY) -> Any:
        keys = enrolled_keys(reversed(self.evidence), administrator=ADMINISTRATOR)
        return keys[enrolment(public_key=spki_der).key_id]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_key_counts_from_its_enrolment_on(office: Office) -> None:
    office.enrol()
    key = office.key()
    assert key.person == "ann"
    assert key.valid_at(START)
    assert not key.valid_at(START - timedelta(seconds=1))
    assert key.roles_at(START) == ("approver",)
    assert key.roles_at(START - timedelta(seconds=1)) == ()


def test_enrolment_cannot_be_backdated_but_postponed(office: Office) -> None:
    office.enrol(enrolled_at=START - 100 * HOUR)
    assert office.key().not_before == START
    later = spki(ec.derive_private_key(8, ec.SECP256R1()).public_key())
    office.enrol(public_key=later, enrolled_at=START + HOUR)
    assert office.key(later).not_before == START + HOUR


def test_a_later_grant_never_reaches_back(office: Office) -> None:
    office.enrol(roles=())
    office.clock.advance(hours=1)
    office.enrol(roles=("approver", "deployer"))
    key = office.key()
    assert key.roles_at(START) == ()
    assert key.roles_at(START + HOUR) == ("approver", "deployer")
    assert key.not_before == START


def test_revocation_may_reach_back(office: Office) -> None:
    office.enrol()
    office.clock.advance(hours=5)
    office.enrol(not_after=START + 2 * HOUR)
    key = office.key()
    assert key.valid_at(START + 2 * HOUR - timedelta(seconds=1))
    assert not key.valid_at(START + 2 * HOUR)


def test_only_the_administrator_enrols(office: Office) -> None:
    office.enrol(role="builder")
    with pytest.raises(EvidenceInvalidError, match=r"signed by spiffe://pratique\.local/builder"):
        office.key()


def test_an_administrator_of_another_domain_is_none(office: Office) -> None:
    office.enrol()
    stranger = role_identity("pratique.example", "administrator")
    with pytest.raises(EvidenceInvalidError, match="not by"):
        enrolled_keys(office.evidence, administrator=stranger)


def test_a_key_stands_for_one_person(office: Office) -> None:
    office.enrol()
    office.enrol(person="bob")
    with pytest.raises(EvidenceInvalidError, match="already stands for another person"):
        office.key()


def test_an_enrolled_person_signs(office: Office, tmp_path: Path) -> None:
    key = LocalKey(generate_key(tmp_path / "ann.pem"))
    signer = KeySigner(key, office.authority.timestamp)
    office.enrol(public_key=key.public_key)
    office.clock.advance(minutes=5)
    statement = Statement((Subject("x", {"sha256": "11" * 32}),), "https://example.com/p", {})
    data = office.log.append(signer.sign(statement))
    keys = enrolled_keys(office.evidence, administrator=ADMINISTRATOR)
    assert verify_bundle(data, office.authority.trusted_root, keys=keys).signer == signer.identity


def test_nobody_enrolled() -> None:
    assert enrolled_keys([], administrator=ADMINISTRATOR) == {}
