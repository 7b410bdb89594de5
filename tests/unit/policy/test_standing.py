from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import policy_scenario as s
import pytest

from pratique.model.predicate import WAIVER
from pratique.policy.build_facts import definition_digest
from pratique.policy.shipped import shipped_bundle
from pratique.policy.standing import Assessment, assess
from pratique.trust.identity import Identity

if TYPE_CHECKING:
    from pratique.policy.requirements import Requirements


@pytest.fixture(scope="module")
def requirements() -> Requirements:
    return shipped_bundle().requirements


def judge(requirements: Requirements, *items: object) -> Assessment:
    return assess(s.gate_input(tuple(items)), requirements)  # type: ignore[arg-type]


def reasons(assessment: Assessment) -> list[str]:
    return [item.reason for item in assessment.set_aside]


def test_complete_evidence_stands_and_owes_nothing(requirements: Requirements) -> None:
    assessment = judge(requirements, *s.complete())
    assert assessment.owed == ()
    assert assessment.set_aside == ()
    labels = ("provenance", "rebuild", "runner-posture", "sbom", "vulns")
    assert assessment.met == tuple((label, label) for label in labels)


@pytest.mark.parametrize(
    ("short", "command"),
    [
        ("provenance", "pratique build"),
        ("runner-posture", "pratique build"),
        ("rebuild", "pratique rebuild"),
        ("sbom", "pratique scan"),
        ("vulns", "pratique scan"),
    ],
)
def test_missing_evidence_names_the_command_that_makes_it(
    requirements: Requirements, short: str, command: str
) -> None:
    kept = [item for item in s.complete() if item != s.evidence(short)]
    owed = {item.label: item.command for item in judge(requirements, *kept).owed}
    assert owed[short] == command


def test_evidence_of_a_signer_without_the_role_is_set_aside_by_name(requirements: Requirements) -> None:
    ada = f"key:sha256:{'1' * 64}"
    by_ada = s.evidence("rebuild", signer=ada, signer_kind="key", signer_issuer="")
    kept = [item for item in s.complete() if item != s.evidence("rebuild")]
    assessment = judge(requirements, *kept, by_ada)
    expected = (
        f"rebuild evidence {by_ada.digest.short} is signed by {ada}, who may not sign rebuild evidence;"
        " rebuilder may"
    )
    assert reasons(assessment) == [expected]
    assert expected in assessment.owed[0].message
    assert assessment.owed[0].evidence == (by_ada.digest,)


def test_a_role_may_not_sign_for_another(requirements: Requirements) -> None:
    by_builder = s.evidence("rebuild", signer=f"{s.DOMAIN}/builder")
    (reason,) = reasons(judge(requirements, s.evidence("provenance"), by_builder))
    assert "(role builder), who may not sign rebuild evidence; rebuilder may" in reason


def test_a_key_is_never_a_spiffe_identity(requirements: Requirements) -> None:
    forged = s.evidence("provenance", signer_kind="key")
    assert judge(requirements, forged).standing == {}


@pytest.mark.parametrize(
    "signer",
    [
        "spiffe://evil.example/builder",
        "spiffe://pratique.local/builder/x",
        "spiffe://pratique.local/x/builder",
        "spiffe://pratiqueXlocal/builder",
        "spiffe://pratique.local/builder\n",
        "",
    ],
)
def test_only_the_exact_identity_counts(requirements: Requirements, signer: str) -> None:
    assert judge(requirements, s.evidence("provenance", signer=signer)).standing == {}


def test_evidence_about_another_artifact_is_set_aside(requirements: Requirements) -> None:
    other = s.evidence("sbom", subjects=(s.digest("other"),))
    assert "not about this artifact" in reasons(judge(requirements, other))[0]


def test_evidence_from_after_the_effective_time_is_set_aside(requirements: Requirements) -> None:
    late = s.evidence("sbom", signed_at=s.NOW + timedelta(seconds=1))
    assert "after the effective time 2026-11-23T12:00:00Z" in reasons(judge(requirements, late))[0]
    assert judge(requirements, s.evidence("sbom", signed_at=s.NOW)).standing


def test_evidence_ages_out_to_the_second(requirements: Requirements) -> None:
    limit = s.NOW - timedelta(days=30)
    rest = [item for item in s.complete() if item != s.evidence("vulns")]
    assert judge(requirements, *rest, s.evidence("vulns", signed_at=limit)).owed == ()
    stale = judge(requirements, *rest, s.evidence("vulns", signed_at=limit - timedelta(seconds=1)))
    (owed,) = stale.owed
    assert "more than 30 days ago" in owed.message
    assert stale.standing["vulns"], "what it says against the artifact still counts"


def test_a_newer_negative_result_stands_over_an_older_positive_one(requirements: Requirements) -> None:
    negative = s.evidence(
        "rebuild",
        s.changed(s.rebuild(), "verdict", "different"),
        digest=s.digest("newer"),
        signed_at=s.NOW - timedelta(minutes=1),
    )
    assessment = judge(requirements, *s.complete(), negative)
    assert assessment.standing["rebuild"] == (negative,)
    assert f"is superseded by the newer {negative.digest.short}" in reasons(assessment)[0]


def test_equal_times_are_told_apart_by_the_log(requirements: Requirements) -> None:
    later = s.evidence("sbom", digest=s.digest("later"), log_index=99)
    assert judge(requirements, later, s.evidence("sbom")).standing["sbom"] == (later,)


def test_of_two_identities_both_stand() -> None:
    table = {
        "roles": {"auditor": {"signers": ["spiffe://{trust_domain}/rebuilder/*"], "may_sign": ["sbom"]}},
        "require": {"sbom": {"command": "pratique scan", "threshold": 2}},
    }
    two = shipped_bundle(requirements=table).requirements
    one = s.evidence("sbom", signer=f"{s.DOMAIN}/rebuilder/a", digest=s.digest("a"))
    again = s.evidence("sbom", signer=f"{s.DOMAIN}/rebuilder/a", digest=s.digest("a2"), log_index=50)
    other = s.evidence("sbom", signer=f"{s.DOMAIN}/rebuilder/b", digest=s.digest("b"))
    owed = {item.label: item.message for item in judge(two, one, again).owed}
    assert owed["sbom"].startswith(
        f"sbom evidence of 2 distinct identities is required; {s.DOMAIN}/rebuilder/a signed"
    )
    assert "sbom" not in {item.label for item in judge(two, one, other).owed}
    assert len(judge(two, one, other).standing["sbom"]) == 2


def test_definition_digest_is_over_the_four_members_alone() -> None:
    document = s.provenance()
    assert definition_digest(document) == s.definition_digest(s.definition())
    document["buildDefinition"]["extension"] = 1
    assert definition_digest(document) == s.definition_digest(s.definition())
    assert definition_digest({"buildDefinition": []}) is None
    assert definition_digest(s.changed(document, "buildDefinition/internalParameters", None)) is None


def test_a_posture_counts_only_for_the_build_that_names_it(requirements: Requirements) -> None:
    build, measured = s.evidence("provenance"), s.evidence("runner-posture")
    assert "runner-posture" in judge(requirements, build, measured).standing
    unnamed = s.evidence("runner-posture", digest=s.digest("another"))
    elsewhere = s.evidence("runner-posture", subjects=(s.digest("another build"),))
    about_artifact = s.evidence("runner-posture", subjects=(s.SUBJECT,))
    assert "not the posture" in reasons(judge(requirements, build, unnamed))[0]
    assert "another build definition" in reasons(judge(requirements, build, elsewhere))[0]
    assert "another build definition" in reasons(judge(requirements, build, about_artifact))[0]
    assert "not the posture" in reasons(judge(requirements, measured))[0]


@pytest.mark.parametrize("name", ["build.log", "tee-result", "", None])
def test_a_posture_counts_only_where_it_is_named_as_one(requirements: Requirements, name: str | None) -> None:
    document = s.changed(s.provenance(), "runDetails/byproducts/1/name", name)
    assessment = judge(requirements, s.evidence("provenance", document), s.evidence("runner-posture"))
    assert "not the posture" in reasons(assessment)[0]


def test_a_posture_of_either_build_that_names_it_counts() -> None:
    table = {"roles": {"builder": {"signers": ["spiffe://{trust_domain}/*"]}}}
    two = shipped_bundle(requirements=table).requirements
    again = s.changed(s.provenance(), "runDetails/metadata/invocationId", "i-2")
    other = s.evidence("provenance", again, signer=f"{s.DOMAIN}/second", digest=s.digest("second"))
    assessment = judge(two, s.evidence("provenance"), other, s.evidence("runner-posture"))
    assert len(assessment.standing["provenance"]) == 2
    assert "runner-posture" in assessment.standing


def test_evidence_under_a_root_that_is_not_the_pinned_one_is_set_aside() -> None:
    signer = {"issuer": "https://ci.example", "subject": "https://ci.example/scan", "root": "partner"}
    roles = {"theirs": {"signers": [signer], "may_sign": ["sbom"]}}
    item = s.evidence(
        "sbom",
        signer="https://ci.example/scan",
        signer_issuer="https://ci.example",
        root="partner",
        root_digest="a" * 64,
    )
    for pins, stands in (({}, True), ({"partner": ["a"]}, True), ({"partner": ["b", "c"]}, False)):
        pinned = {name: [f"sha256:{digit * 64}" for digit in found] for name, found in pins.items()}
        table = {"roles": roles, "roots": pinned}
        assessment = judge(shipped_bundle(requirements=table).requirements, item)
        assert ("sbom" in assessment.standing) is stands
        if not stands:
            (reason,) = reasons(assessment)
            assert f"under root partner sha256:{'a' * 12}, which is none of the 2" in reason


def test_a_posture_named_by_a_provenance_that_does_not_stand_is_set_aside(requirements: Requirements) -> None:
    forged = s.evidence("provenance", signer=f"{s.DOMAIN}/runner")
    assert "runner-posture" not in judge(requirements, forged, s.evidence("runner-posture")).standing


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("original/digest/sha256", "0" * 64, "rebuilt something else"),
        ("original", "text", "rebuilt something else"),
        ("original", None, "rebuilt something else"),
        ("definitionDigest/sha256", "0" * 64, "no accepted provenance"),
        ("definitionDigest", None, "no accepted provenance"),
        ("definitionDigest", ["x"], "no accepted provenance"),
    ],
)
def test_a_rebuild_of_something_else_is_set_aside(
    requirements: Requirements, path: str, value: object, reason: str
) -> None:
    other = s.evidence("rebuild", s.changed(s.rebuild(), path, value))
    assert reason in reasons(judge(requirements, s.evidence("provenance"), other))[0]


def test_a_definition_digest_may_be_written_as_text(requirements: Requirements) -> None:
    text = str(s.definition_digest(s.definition()))
    again = s.evidence("rebuild", s.changed(s.rebuild(), "definitionDigest", text))
    assert "rebuild" in judge(requirements, s.evidence("provenance"), again).standing


def test_a_rebuild_without_definition_does_not_match_a_provenance_without_one(
    requirements: Requirements,
) -> None:
    bare = s.evidence("provenance", {"buildDefinition": {}})
    for nothing in ("", "None", None, {}):
        again = s.evidence("rebuild", s.changed(s.rebuild(), "definitionDigest", nothing))
        assert "rebuild" not in judge(requirements, bare, again).standing
    assert judge(requirements, bare).definitions == {}


def test_many_set_aside_are_counted_not_listed(requirements: Requirements) -> None:
    junk = [s.evidence("sbom", digest=s.digest(f"{i}"), **s.key("2")) for i in range(5)]
    owed = next(item for item in judge(requirements, *junk).owed if item.label == "sbom")
    assert owed.message.count("may not sign") == 3
    assert owed.message.endswith("2 more like these")


def test_three_set_aside_are_listed(requirements: Requirements) -> None:
    junk = [s.evidence("sbom", digest=s.digest(f"{i}"), **s.key("2")) for i in range(3)]
    owed = next(item for item in judge(requirements, *junk).owed if item.label == "sbom")
    assert owed.message.count("may not sign") == 3
    assert "more like these" not in owed.message


def test_what_is_set_aside_of_another_type_is_not_what_was_there_instead(requirements: Requirements) -> None:
    kept = [item for item in s.complete() if item not in (s.evidence("sbom"), s.evidence("vulns"))]
    forged = s.evidence("vulns", signer=f"{s.DOMAIN}/builder")
    owed = {item.label: item for item in judge(requirements, *kept, forged).owed}
    assert (owed["sbom"].message, owed["sbom"].evidence) == (
        "no accepted sbom evidence; scanner may sign it",
        (),
    )
    assert owed["vulns"].evidence == (forged.digest,)


@pytest.mark.parametrize(
    ("signer", "shown"),
    [
        ({"signer": "spiffe://pratique.local/x"}, "spiffe://pratique.local/x"),
        (
            {"signer": "spiffe://pratique.local/x", "signer_issuer": "https://pratique.local"},
            "spiffe://pratique.local/x",
        ),
        (
            {"signer": "spiffe://pratique.local/x", "signer_issuer": "https://other.example/pratique"},
            "spiffe://pratique.local/x (issuer https://other.example/pratique)",
        ),
        (
            {"signer": "spiffe://pratique.local/x", "signer_issuer": "https://pratique.local.evil/pratique"},
            "spiffe://pratique.local/x (issuer https://pratique.local.evil/pratique)",
        ),
        (
            {"signer": "https://pratique.local/x"},
            "https://pratique.local/x (issuer https://pratique.local/pratique)",
        ),
        (
            {"signer": "pratique.local/x"},
            "pratique.local/x (issuer https://pratique.local/pratique)",
        ),
        (s.key("2"), f"key:sha256:{'2' * 64}"),
    ],
)
def test_a_signer_is_named_with_the_issuer_that_a_pattern_would_have_to_name(
    requirements: Requirements, signer: dict[str, str], shown: str
) -> None:
    (reason,) = reasons(judge(requirements, s.evidence("sbom", **signer)))
    assert f"is signed by {shown}, who may not sign sbom evidence" in reason


@pytest.mark.parametrize(
    ("pattern", "identity", "allowed"),
    [
        ("spiffe://a/ci/*", Identity("certificate", "spiffe://a/ci/one", "https://a"), True),
        ("spiffe://a/ci/*", Identity("certificate", "spiffe://a/ci/one", "https://b"), False),
        ("spiffe://a/ci/*", Identity("certificate", "spiffe://a/ci/one/two", "https://a"), False),
        (
            {"issuer": "https://b", "subject": "a@b.org"},
            Identity("certificate", "a@b.org", "https://b"),
            True,
        ),
        (
            {"issuer": "https://b", "subject": "a@b.org"},
            Identity("certificate", "a@b.org", "https://c"),
            False,
        ),
        (f"key:sha256:{'1' * 64}", Identity("key", "1" * 64), True),
        (f"key:sha256:{'1' * 64}", Identity("key", "2" * 64), False),
    ],
)
def test_patterns_of_signers(pattern: object, identity: Identity, *, allowed: bool) -> None:
    table = {"roles": {"scanner": {"signers": [pattern], "may_sign": ["sbom", "vulns"]}}}
    assert shipped_bundle(requirements=table).requirements.may_sign(identity, "sbom") is allowed


def test_what_is_missing_without_anything_in_its_place_is_said_in_one_sentence(
    requirements: Requirements,
) -> None:
    kept = [item for item in s.complete() if item != s.evidence("sbom")]
    assessment = judge(requirements, *kept)
    assert "sbom" not in {label for label, _ in assessment.met}
    (owed,) = assessment.owed
    assert (owed.message, owed.evidence) == ("no accepted sbom evidence; scanner may sign it", ())


def test_a_waiver_is_no_evidence_for_this_layer(requirements: Requirements) -> None:
    waiver = s.evidence("sbom", {}, digest=s.digest("waiver"), predicate_type=WAIVER)
    assessment = judge(requirements, *s.complete(), waiver)
    assert assessment.set_aside == ()
    assert "waiver" not in assessment.standing


def test_provenance_that_does_not_stand_is_set_aside_once(requirements: Requirements) -> None:
    forged = s.evidence("provenance", signer=f"{s.DOMAIN}/runner")
    assert len(judge(requirements, forged).set_aside) == 1
