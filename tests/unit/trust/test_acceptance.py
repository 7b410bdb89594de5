from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.errors import ConfigError
from pratique.model.digest import sha256_bytes
from pratique.trust.acceptance import Acceptance, Artifact, Revocation, Role, evaluate, is_about
from pratique.trust.acceptance_file import parse_acceptance
from pratique.trust.entity import Entity, Envelope, Message
from pratique.trust.established import Established, Moment
from pratique.trust.identity import Identity
from pratique.trust.pattern import IdentityPattern
from pratique.trust.publickey import as_public_key
from pratique.trust.statement import Statement, Subject

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PROVENANCE = "https://slsa.dev/provenance/v1"
ARTIFACT = Artifact({"sha256": "ab" * 32, "sha512": "cd" * 64})
KEY = as_public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
ADA, BOB = Identity("key", "a" * 64), Identity("key", "b" * 64)


def signed(
    signer: Identity, *, at: datetime | None = NOW, digest: dict[str, str] | None = None, **changes: Any
) -> Established:
    subject = Subject("app", digest or {"sha256": "ab" * 32})
    entity = Entity("test", sha256_bytes(b"evidence"), Envelope(b"{}", "t"), b"signature")
    found = Established(
        entity=entity,
        statement=Statement((subject,), PROVENANCE, {}),
        signer=signer,
        key=KEY,
        moments=() if at is None else (Moment(at, "a clock"),),
        logs=(),
    )
    return msgspec.structs.replace(found, **changes)


def role(*signers: Identity, threshold: int = 1, **more: Any) -> Role:
    patterns = tuple(IdentityPattern("key", signer.subject) for signer in signers)
    return Role("release", patterns, threshold=threshold, **more)


def accepted(policy: Acceptance, *evidence: Established) -> bool:
    return evaluate(policy, evidence, ARTIFACT, NOW).accepted


def test_a_threshold_counts_signers_and_not_signatures() -> None:
    policy = Acceptance((role(ADA, BOB, threshold=2),))
    assert not accepted(policy, signed(ADA), signed(ADA), signed(ADA, at=None))
    assert accepted(policy, signed(ADA), signed(BOB))


def test_every_role_has_to_be_filled() -> None:
    policy = Acceptance((role(ADA), role(BOB)))
    assert not accepted(policy, signed(ADA))
    assert accepted(policy, signed(ADA), signed(BOB))


def test_nothing_is_accepted_vacuously() -> None:
    for make in (
        lambda: Acceptance(()),
        lambda: Acceptance((role(),)),
        lambda: Acceptance((role(ADA, threshold=0),)),
    ):
        with pytest.raises(ConfigError):
            make()
    assert not accepted(Acceptance((role(ADA),)))


def test_the_outcome_names_the_rule() -> None:
    outcome = evaluate(Acceptance((role(ADA),)), [signed(ADA), signed(BOB)], ARTIFACT, NOW)
    assert outcome.roles[0].by == ((ADA, IdentityPattern("key", ADA.subject)),)
    assert [(aside.signer, aside.reason) for aside in outcome.aside] == [
        (f"key {BOB.subject}", "matches no role of the policy")
    ]


def test_predicate_types() -> None:
    policy = Acceptance((role(ADA, may_sign=("https://slsa.dev/verification_summary/v1",)),))
    outcome = evaluate(policy, [signed(ADA)], ARTIFACT, NOW)
    assert not outcome.accepted
    assert outcome.aside[0].reason == f"may not sign {PROVENANCE} (role release)"
    bare = signed(ADA, statement=None)
    bare = msgspec.structs.replace(
        bare, entity=msgspec.structs.replace(bare.entity, content=Message("sha256", bytes.fromhex("ab" * 32)))
    )
    assert accepted(Acceptance((role(ADA, may_sign=("signature",)),)), bare)
    assert not accepted(policy, bare)


def test_ages() -> None:
    policy = Acceptance((role(ADA, max_age_days=30),))
    assert accepted(policy, signed(ADA, at=NOW - timedelta(days=30)))
    assert not accepted(policy, signed(ADA, at=NOW - timedelta(days=30, seconds=1)))
    assert not accepted(policy, signed(ADA, at=None))
    assert not accepted(Acceptance((role(ADA),)), signed(ADA, at=NOW + timedelta(hours=1)))
    anybody = Acceptance((Role("r", (IdentityPattern("key", ADA.subject),)),))
    assert accepted(anybody, signed(ADA, at=NOW + timedelta(minutes=5))), "clocks may differ by five minutes"
    assert not accepted(anybody, signed(ADA, at=NOW + timedelta(minutes=5, seconds=1)))


@pytest.mark.parametrize(
    ("at", "since", "counts"),
    [
        (NOW, None, False),
        (NOW, NOW, False),
        (NOW - timedelta(seconds=1), NOW, True),
        (None, NOW, False),  # nobody says that it was made before
    ],
)
def test_revoked_keys(at: datetime | None, since: datetime | None, counts: bool) -> None:  # noqa: FBT001
    policy = Acceptance((role(ADA),), (Revocation("key", ADA.subject, since),))
    assert accepted(policy, signed(ADA, at=at)) is counts


def test_a_key_is_revoked_for_whoever_signs_with_it() -> None:
    """A certificate for a stolen key is a new name for it."""
    named = Identity("certificate", "spiffe://a.example/b", "https://a.example")
    policy = Role("r", (IdentityPattern("certificate", named.subject),))
    certified = signed(named)
    assert accepted(Acceptance((policy,)), certified)
    revoked = Acceptance((policy,), (Revocation("key", KEY.key_id),))
    assert not accepted(revoked, certified)
    assert accepted(revoked, signed(named, key=None)), "an SSH or OpenPGP key has no certificate"


def test_a_name_is_not_taken_for_a_key() -> None:
    named = Identity("certificate", "c" * 64, "https://a.example")
    policy = Role("r", (IdentityPattern("certificate", named.subject, "https://a.example"),))
    assert accepted(Acceptance((policy,), (Revocation("key", "c" * 64),)), signed(named))


@pytest.mark.parametrize(
    ("since", "reason", "said"),
    [
        (None, "", "is revoked"),
        (NOW, "", "is revoked since 2026-06-01 00:00:00+00:00"),
        (None, "stolen laptop", "is revoked: stolen laptop"),
        (NOW, "stolen laptop", "is revoked since 2026-06-01 00:00:00+00:00: stolen laptop"),
    ],
)
def test_a_revocation_says_since_when_and_why(since: datetime | None, reason: str, said: str) -> None:
    policy = Acceptance((role(ADA),), (Revocation("key", ADA.subject, since, reason),))
    (aside,) = evaluate(policy, [signed(ADA)], ARTIFACT, NOW).aside
    assert aside.reason == f"its key {ADA.subject[:16]} {said}"


def test_revoked_evidence_artifacts_and_certificates() -> None:
    evidence = sha256_bytes(b"evidence").hex
    certified = signed(ADA)
    certified = msgspec.structs.replace(
        certified, entity=msgspec.structs.replace(certified.entity, certificate=b"certificate")
    )
    for kind, name in (
        ("digest", evidence),
        ("digest", "ab" * 32),
        ("certificate", sha256_bytes(b"certificate").hex),
    ):
        assert not accepted(Acceptance((role(ADA),), (Revocation(kind, name),)), certified)
    assert accepted(Acceptance((role(ADA),), (Revocation("digest", "00" * 32),)), certified)


@pytest.mark.parametrize(
    ("digest", "about"),
    [
        ({"sha256": "ab" * 32}, True),
        ({"sha512": "cd" * 64}, True),
        ({"sha512": "CD" * 64}, True),
        ({"sha256": "ab" * 32, "gitCommit": "12"}, True),
        ({"sha256": "ab" * 32, "sha512": "00" * 64}, False),
        ({"gitCommit": "ab" * 20}, False),
        ({"sha256": "00" * 32}, False),
    ],
)
def test_subjects(digest: dict[str, str], about: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_about(signed(ADA, digest=digest), ARTIFACT) is about
    assert accepted(Acceptance((role(ADA),)), signed(ADA, digest=digest)) is about


def test_one_subject_of_several_is_enough() -> None:
    other, ours = Subject("b", {"sha256": "00" * 32}), Subject("a", {"sha256": "ab" * 32})
    assert is_about(signed(ADA, statement=Statement((other, ours), PROVENANCE, {})), ARTIFACT)
    assert not is_about(signed(ADA, statement=Statement((other,), PROVENANCE, {})), ARTIFACT)


def test_an_envelope_that_says_nothing_is_about_nothing() -> None:
    assert not is_about(signed(ADA, statement=None), ARTIFACT)


def test_a_directory_is_all_of_its_files_and_no_other() -> None:
    one, two = Subject("a", {"sha256": "ab" * 32}), Subject("b/c", {"sha256": "cd" * 32})
    both = signed(ADA, statement=Statement((one, two), PROVENANCE, {}))
    assert is_about(both, Artifact({}, {"a": "ab" * 32, "b/c": "cd" * 32}))
    assert not is_about(both, Artifact({}, {"a": "ab" * 32}))
    assert not is_about(both, Artifact({}, {"a": "ab" * 32, "b/c": "cd" * 32, "d": "00" * 32}))
    assert not is_about(both, Artifact({}, {"a": "ab" * 32, "b/c": "00" * 32}))
    assert not is_about(
        signed(ADA, statement=Statement((one, one), PROVENANCE, {})), Artifact({}, {"a": "ab" * 32})
    )


def parse(text: str) -> Acceptance:
    return parse_acceptance(text.encode(), what="policy.toml", load_keys=lambda _: ())[0]


def test_the_file() -> None:
    policy = parse(
        f"""
        [roles.release]
        signers = ["key:sha256:{ADA.subject}", {{issuer = "https://a.example", subject = "https://b.example/c/*"}}]
        may_sign = ["provenance", "signature"]
        threshold = 2
        max_age_days = 3

        [[revoked]]
        key = "sha256:{BOB.subject}"
        since = "2026-01-01T00:00:00Z"
        reason = "lost"
        """
    )
    (only,) = policy.roles
    assert only.may_sign == (PROVENANCE, "signature")
    assert (only.threshold, only.max_age_days, len(only.signers)) == (2, 3, 2)
    assert policy.revoked == (Revocation("key", BOB.subject, datetime(2026, 1, 1, tzinfo=UTC), "lost"),)


def test_the_least_that_can_be_asked() -> None:
    (only,) = parse(
        f'[roles.r]\nsigners = ["key:sha256:{ADA.subject}"]\nthreshold = 1\nmax_age_days = 1'
    ).roles
    assert (only.threshold, only.max_age_days) == (1, 1)


def test_no_age_is_above_a_hundred_years() -> None:
    text = f'[roles.r]\nsigners = ["key:sha256:{ADA.subject}"]\nmax_age_days = '
    assert parse(f"{text}36500").roles[0].max_age_days == 36_500
    with pytest.raises(ConfigError, match="max_age_days"):
        parse(f"{text}36501")


def test_a_misspelt_key_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="unknown field") as caught:
        parse("[roles.a]\nsigner = []")
    assert caught.value.hint == "did you mean 'signers'?"
    with pytest.raises(ConfigError, match="unknown field") as caught:
        parse("[roles.a]\nxyzzy = []")
    assert caught.value.hint == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing required field `roles`"),
        ("[roles]", "without a role"),
        ("[roles.a]", "1 different signers are needed, and 0 are named"),
        ("[roles.a]\nsigner = []", "unknown field"),
        (f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}"]\nthreshold = 2', "2 different signers are needed"),
        (
            f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}", "key:sha256:{"a" * 64}"]\nthreshold = 2',
            "2 different signers are needed, and 1 are named",
        ),
        (f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}"]\nthreshold = 0', "threshold"),
        (
            '[roles.a]\nsigners = [{issuer = "https://a.example", subject = "a@b.example", root = "other"}]',
            "under one root",
        ),
        ('[roles.a]\nsigners = ["ada@example.org"]', "who vouches for that name"),
        (f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}"]\nmay_sign = ["provenence"]', "no predicate type"),
        (f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}"]\n[[revoked]]', "names one of key"),
        (
            f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}"]\n[[revoked]]\nkey = ""\ndigest = "{"b" * 64}"',
            "names one of key",
        ),
        (f'[roles.a]\nsigners = ["key:sha256:{"a" * 64}"]\n[[revoked]]\nkey = "12"', "not a digest"),
        ("roles = ", "not TOML"),
    ],
)
def test_files_that_say_too_little_or_too_much(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)
