"""What a requirement can expect of content, count and age: each way of not meeting it, and of meeting it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import policy_scenario as s
import pytest

from pratique.errors import ConfigError
from pratique.model.predicate import TEE_RESULT
from pratique.policy.build_facts import SourceFacts, source_of
from pratique.policy.shipped import shipped_bundle
from pratique.policy.standing import Assessment, assess
from pratique.policy.waivers.person import Person

if TYPE_CHECKING:
    from pratique.policy.evidence import Evidence

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
HOSTED = "https://github.com/actions/runner/github-hosted"
MAIN = "refs/heads/main"


def owed(table: dict[str, Any], *items: Evidence, **changes: Any) -> dict[str, str]:
    """Give what is owed under additional requirements, by label."""
    return {item.label: item.message for item in judged(table, *items, **changes).owed}


def judged(table: dict[str, Any], *items: Evidence, **changes: Any) -> Assessment:
    requirements = shipped_bundle(requirements=table).requirements
    return assess(s.gate_input(tuple(items), **changes), requirements)


def expecting(short: str, **expect: Any) -> dict[str, Any]:
    return {"require": {short: {"expect": expect}}}


def built(path: str, value: Any) -> Evidence:
    return s.evidence("provenance", s.changed(s.provenance(), path, value))


SOURCE = "buildDefinition/resolvedDependencies/0/uri"


def from_main() -> dict[str, Any]:
    return s.changed(s.provenance(), SOURCE, f"git+https://github.com/acme/app@{MAIN}")


@pytest.mark.parametrize(
    ("expect", "predicate", "seen"),
    [
        ({"builders": ["spiffe://{trust_domain}/builder"]}, s.provenance(), ""),
        ({"builders": ["spiffe://{trust_domain}/*"]}, s.provenance(), ""),
        ({"builders": [HOSTED]}, s.provenance(), f"builder {s.DOMAIN}/builder, where {HOSTED} is expected"),
        ({"builders": [HOSTED]}, s.changed(s.provenance(), "runDetails/builder", None), "builder (none)"),
        ({"builders": [HOSTED]}, s.changed(s.provenance(), "runDetails/builder/id", 7), "builder (none)"),
        ({"build_types": ["https://pratique.dev/buildtypes/sandboxed/v*"]}, s.provenance(), ""),
        ({"build_types": ["https://pratique.dev/buildtypes/x"]}, s.provenance(), "build type https://"),
        ({"sources": ["https://github.com/acme/*"]}, from_main(), ""),
        ({"sources": ["https://github.com/acme/app"], "refs": [MAIN]}, from_main(), ""),
        ({"sources": ["https://github.com/evil/app"]}, from_main(), "source https://github.com/acme/app"),
        ({"sources": ["https://github.com/acme/app"]}, s.provenance(), "source (none)"),
        ({"refs": ["refs/tags/*"]}, from_main(), f"ref {MAIN}, where refs/tags/* is expected"),
        ({"refs": ["refs/tags/*", MAIN]}, from_main(), ""),
        ({"refs": [MAIN]}, s.provenance(), "ref (none)"),
        ({"min_level": 1}, s.provenance(), ""),
        ({"min_level": 2}, s.provenance(), "reaches SLSA build level 1, where level 2 is expected"),
        ({"min_level": 1}, s.changed(s.provenance(), "runDetails/builder", None), "build level 0"),
        ({"min_level": 1}, s.changed(s.provenance(), "buildDefinition/buildType", None), "build level 0"),
    ],
)
def test_what_is_expected_of_provenance(expect: dict[str, Any], predicate: dict[str, Any], seen: str) -> None:
    found = owed(expecting("provenance", **expect), s.evidence("provenance", predicate)).get("provenance", "")
    assert seen in found
    assert bool(found) is bool(seen)


GITHUB_PROVENANCE = s.changed(
    s.changed(
        s.provenance(),
        "buildDefinition/externalParameters",
        {"workflow": {"repository": "https://github.com/acme/app", "ref": MAIN, "path": ".github/x.yml"}},
    ),
    "buildDefinition/resolvedDependencies/0/annotations",
    None,
)
GENERATOR_PROVENANCE = s.changed(
    s.changed(
        s.provenance(),
        "buildDefinition/externalParameters",
        {"source": {"uri": "git+https://github.com/acme/app@refs/tags/v1@2"}},
    ),
    "buildDefinition/resolvedDependencies/0/annotations",
    None,
)


@pytest.mark.parametrize(
    ("provenance", "repository", "ref"),
    [
        (from_main(), "https://github.com/acme/app", MAIN),
        (GITHUB_PROVENANCE, "https://github.com/acme/app", MAIN),
        (GENERATOR_PROVENANCE, "https://github.com/acme/app", "refs/tags/v1@2"),
        (s.changed(s.provenance(), SOURCE, f"git+https://h/p@{'c' * 40}"), "https://h/p", ""),
        (s.changed(s.provenance(), SOURCE, "https://h/p@refs/heads/x"), "", ""),
        (s.changed(s.provenance(), SOURCE, 7), "", ""),
        (
            s.changed(
                s.changed(from_main(), SOURCE, f"git+https://h/p@{'c' * 40}"),
                "buildDefinition/resolvedDependencies/0/annotations/ref",
                MAIN,
            ),
            "https://h/p",
            MAIN,
        ),
        (s.changed(GITHUB_PROVENANCE, "buildDefinition/externalParameters/workflow/ref", None), "", ""),
        (s.changed(s.provenance(), "buildDefinition/resolvedDependencies", "x"), "", ""),
        ({}, "", ""),
    ],
)
def test_where_provenance_names_its_source(provenance: dict[str, Any], repository: str, ref: str) -> None:
    assert source_of(provenance) == SourceFacts(repository, ref)


def test_a_build_cannot_name_its_own_source_beside_the_annotated_one() -> None:
    """A dependency called source, without the annotation, is a dependency."""
    document = s.changed(
        from_main(), "buildDefinition/resolvedDependencies/0/annotations", {"kind": "dependency"}
    )
    assert source_of(document).repository == ""


VOUCH: dict[str, Any] = {
    "builder": "https://github.com/actions/runner/*",
    "signers": [{"issuer": GITHUB, "subject": WORKFLOW}],
    "level": 3,
    "reason": "GitHub-hosted runners, by its own statement",
}
ON_GITHUB: dict[str, Any] = {"signer": WORKFLOW, "signer_issuer": GITHUB}
GITHUB_ROLE = {"signers": [{"issuer": GITHUB, "subject": WORKFLOW}], "may_sign": ["provenance"]}


def hosted(level: int = 3, min_level: int = 3) -> dict[str, Any]:
    table = expecting("provenance", min_level=min_level)
    return table | {"roles": {"hosted": GITHUB_ROLE}, "vouch": [VOUCH | {"level": level}]}


def test_a_vouch_raises_the_level_of_the_builder_and_signer_it_names() -> None:
    by_github = s.changed(s.provenance(), "runDetails/builder/id", HOSTED)
    assert "provenance" not in owed(hosted(), s.evidence("provenance", by_github, **ON_GITHUB))
    assert judged(hosted(), s.evidence("provenance", by_github, **ON_GITHUB)).build_level == 3
    assert (
        "build level 2"
        in owed(hosted(level=2), s.evidence("provenance", by_github, **ON_GITHUB))["provenance"]
    )
    assert "build level 1" in owed(hosted(), s.evidence("provenance", by_github))["provenance"], (
        "another signer"
    )
    elsewhere = s.evidence("provenance", **ON_GITHUB)
    assert "build level 1" in owed(hosted(), elsewhere)["provenance"], "another builder"


def test_of_several_vouches_the_highest_that_holds_counts() -> None:
    by_github = s.changed(s.provenance(), "runDetails/builder/id", HOSTED)
    item = s.evidence("provenance", by_github, **ON_GITHUB)
    others = [
        {"issuer": GITHUB, "subject": "https://github.com/acme/other/.github/workflows/x.yml@refs/heads/main"}
    ]
    for order in (1, -1):
        vouches = [VOUCH | {"level": 2}, VOUCH | {"signers": [*VOUCH["signers"], *others]}][::order]
        table = hosted() | {"vouch": vouches}
        assert judged(table, item).build_level == 3


def test_the_level_is_that_of_the_weakest_provenance() -> None:
    by_github = s.changed(s.provenance(), "runDetails/builder/id", HOSTED)
    one = s.evidence("provenance", by_github, digest=s.digest("hosted"), **ON_GITHUB)
    assert judged(hosted(), one, s.evidence("provenance")).build_level == 1
    assert "level 1" in owed(hosted(), one, s.evidence("provenance"))["provenance"]
    assert judged({}).build_level == 0


@pytest.mark.parametrize(
    ("expect", "path", "value", "seen"),
    [
        ({}, "verdict", "bit-identical", ""),
        ({}, "verdict", "different", "has the verdict different, where bit-identical is expected"),
        ({}, "verdict", None, "has the verdict (none)"),
        ({}, "verdict", ["bit-identical"], "has the verdict (none)"),
        ({"verdicts": ["bit-identical", "different"]}, "verdict", "different", ""),
        ({}, "varied", [], ""),
        ({"min_varied": 2}, "varied", ["path", "locale"], ""),
        ({"min_varied": 2}, "varied", ["path", "path"], "varied 1 conditions, where 2 are expected"),
        ({"min_varied": 1}, "varied", "path", "varied 0 conditions"),
        ({"independent": True}, "verdict", "bit-identical", ""),
    ],
)
def test_what_is_expected_of_a_rebuild(expect: dict[str, Any], path: str, value: Any, seen: str) -> None:
    again = s.evidence("rebuild", s.changed(s.rebuild(), path, value))
    found = owed(expecting("rebuild", **expect), s.evidence("provenance"), again).get("rebuild", "")
    assert seen in found
    assert bool(found) is bool(seen)


FARM = {
    "roles": {
        "rebuilder": {"signers": ["spiffe://{trust_domain}/rebuilder/*", "spiffe://{trust_domain}/builder"]}
    },
    "require": {"rebuild": {"threshold": 2, "expect": {"independent": True}}},
}


def rebuilt(who: str, **changes: Any) -> Evidence:
    return s.evidence("rebuild", digest=s.digest(f"by {who}"), signer=f"{s.DOMAIN}/{who}", **changes)


def test_independent_rebuilders_are_counted_without_the_builder() -> None:
    one, two, itself = rebuilt("rebuilder/a"), rebuilt("rebuilder/b"), rebuilt("builder")
    build = s.evidence("provenance")
    assert "rebuild" not in owed(FARM, build, one, two)
    found = owed(FARM, build, one, itself)["rebuild"]
    assert f"2 distinct identities is required; {s.DOMAIN}/rebuilder/a signed" in found
    assert "signed the provenance too: not independent" in found
    unasked = s.changed(FARM, "require/rebuild/expect", {"verdicts": ["bit-identical"]})
    assert "rebuild" not in owed(unasked, build, one, itself)


def test_one_objection_is_not_outvoted() -> None:
    build, negative = s.evidence("provenance"), s.changed(s.rebuild(), "verdict", "different")
    objecting = rebuilt("rebuilder/c", predicate=negative)
    found = owed(FARM, build, rebuilt("rebuilder/a"), rebuilt("rebuilder/b"), objecting)["rebuild"]
    verdict = "has the verdict different, where bit-identical is expected"
    assert found == f"rebuild evidence {objecting.digest.short} {verdict}"


SCANNERS = {
    "roles": {
        "scanner": {
            "signers": ["spiffe://{trust_domain}/scanner", f"key:sha256:{'1' * 64}", f"key:sha256:{'2' * 64}"]
        }
    }
}


def by_key(digit: str) -> Evidence:
    return s.evidence("sbom", digest=s.digest(f"key {digit}"), **s.key(digit))


def person(digit: str, name: str, **changes: Any) -> Person:
    return Person(key=f"key:sha256:{digit * 64}", name=name, not_before=s.NOW - timedelta(days=9), **changes)


def counting(distinct: str) -> dict[str, Any]:
    return SCANNERS | {"require": {"sbom": {"threshold": 2, "distinct": distinct}}}


def test_thresholds_count_identities_keys_or_people() -> None:
    items = (s.evidence("sbom"), by_key("1"))
    assert "sbom" not in owed(counting("identities"), *items)
    assert (
        "is signed by spiffe://pratique.local/scanner, which is no enrolled key"
        in owed(counting("keys"), *items)["sbom"]
    )
    keys = (by_key("1"), by_key("2"))
    assert "sbom" not in owed(counting("keys"), *keys)
    two, one = (person("1", "Ada"), person("2", "Grace")), (person("1", "Ada"), person("2", "ada "))
    assert "sbom" not in owed(counting("people"), *keys, people=two)
    assert "2 distinct people is required" in owed(counting("people"), *keys, people=one)["sbom"]
    assert "no enrolled person's key at that time" in owed(counting("people"), *keys, people=two[:1])["sbom"]
    assert "sbom" not in owed(counting("people"), *keys, people=two[::-1])
    others = (person("2", "Grace"), person("3", "Alan"))
    assert "2 distinct people is required" in owed(counting("people"), *keys, people=others)["sbom"]
    three = (*two, person("3", "Alan"))
    once = owed(counting("people"), by_key("1"), people=three)
    assert "2 distinct people is required; key:sha256:1" in once["sbom"], (
        "those who did not sign do not count"
    )
    gone = (two[0], person("2", "Grace", not_after=s.NOW - timedelta(days=1)))
    assert "no enrolled person's key at that time" in owed(counting("people"), *keys, people=gone)["sbom"]


def test_evidence_of_which_nobody_says_when_it_was_signed_is_never_fresh() -> None:
    undated = s.evidence("vulns", dated=False)
    assert "says nowhere when it was signed" in owed({}, *s.complete()[:-1], undated)["vulns"]
    ageless = s.evidence("sbom", dated=False)
    assert "sbom" not in owed({}, *s.complete()[:-2], ageless, s.evidence("vulns"))


def test_a_requirement_is_owed_for_the_artifacts_it_names() -> None:
    signed = {"require": {"signed": {"predicate": "vsa", "command": "x", "artifacts": ["*.whl"]}}}
    table = signed | {"roles": {"scanner": {"may_sign": ["sbom", "vulns", "vsa"]}}}
    assert judged(table, *s.complete()).spared == ("signed",)
    wheel = s.evidence("provenance", names=("harbour-1.0.whl",))
    rest = s.complete()[1:]
    assert set(owed(table, wheel, *rest)) == {"signed"}, (
        "the builder calls it a wheel, whatever the file is called"
    )
    assert set(owed(table, *s.complete(), name="copy.whl")) == {"signed"}
    assert "signed" in owed(table), "of what nobody built, everything is asked"
    assert "signed" in owed(table, s.evidence("sbom")), "whatever else we say of it ourselves"


def test_an_artifact_that_nothing_is_required_of_is_refused() -> None:
    only = {short: {"artifacts": ["*.whl"]} for short in s.TYPES}
    (found,) = judged({"require": only}, *s.complete()).owed
    assert found.label == "artifact"
    assert "nothing is required of an artifact called harbour-1.0.tar" in found.message


TEE = {
    "status": "affirming",
    "verifier": {"id": "spiffe://pratique.local/tee-verifier"},
    "claims": "amd-sev-snp",
    "bound": {"invocationId": "i-1", "nonce": "00" * 16},
    "referenceValues": {"digest": {"sha256": "7" * 64}},
    "evidence": {"digest": {"sha256": "8" * 64}},
    "verifiedAt": "2026-11-23T01:02:03Z",
}


def tee(path: str = "claims", value: Any = "amd-sev-snp", **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "predicate_type": TEE_RESULT,
        "digest": s.digest("tee"),
        "subjects": (s.definition_digest(s.definition()),),
        "signer": f"{s.DOMAIN}/tee-verifier",
    }
    return s.evidence("runner-posture", s.changed(TEE, path, value), **(values | changes))


def measured() -> Evidence:
    named = {"name": "tee-result", "digest": {"sha256": s.digest("tee").hex}}
    document = s.provenance()
    document["runDetails"]["byproducts"].append(named)
    return s.evidence("provenance", document)


def in_tee(**expect: Any) -> dict[str, Any]:
    return {
        "roles": {"tee": {"signers": ["spiffe://{trust_domain}/tee-verifier"], "may_sign": ["tee-result"]}},
        "require": {"tee-result": {"command": "a TEE verifier", "max_age_days": 1, "expect": expect}},
    }


@pytest.mark.parametrize(
    ("expect", "item", "seen"),
    [
        ({}, tee(), ""),
        ({}, tee("status", "warning"), "has the status warning, where affirming is expected"),
        ({"statuses": ["affirming", "warning"]}, tee("status", "warning"), ""),
        ({}, tee("status", "none"), "has the status none"),
        ({}, tee("status", None), "has the status (none)"),
        ({"claims": ["intel-tdx"]}, tee(), "is about amd-sev-snp evidence, where intel-tdx is expected"),
        ({"claims": ["intel-tdx", "amd-sev-snp"]}, tee(), ""),
        ({}, tee("referenceValues", None), "names no reference values"),
        ({"reference_values": [f"sha256:{'7' * 64}"]}, tee(), ""),
        ({"reference_values": [f"sha256:{'6' * 64}"]}, tee(), "which are not expected"),
        ({}, tee("bound/invocationId", "i-2"), "is of another invocation"),
        ({}, tee("bound", None), "is of another invocation"),
        ({}, tee(subjects=(s.SUBJECT,)), "is about another build definition"),
        ({}, tee(digest=s.digest("other")), "is not the TEE result that an accepted provenance names"),
        ({}, tee(signer=f"{s.DOMAIN}/builder"), "who may not sign tee-result evidence; tee may"),
        ({}, tee(signed_at=s.NOW - timedelta(days=2)), "more than 1 days ago"),
    ],
)
def test_what_is_expected_of_a_tee_result(expect: dict[str, Any], item: Evidence, seen: str) -> None:
    found = owed(in_tee(**expect), measured(), item).get("tee-result", "")
    assert seen in found
    assert bool(found) is bool(seen)


def test_an_invocation_that_nobody_names_is_no_match() -> None:
    document = s.changed(measured().predicate, "runDetails/metadata", None)
    item = tee("bound/invocationId", "")
    assert "another invocation" in owed(in_tee(), s.evidence("provenance", document), item)["tee-result"]
    document = s.changed(measured().predicate, "runDetails/metadata/invocationId", 7)
    item = tee("bound/invocationId", 7)
    assert "another invocation" in owed(in_tee(), s.evidence("provenance", document), item)["tee-result"]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (expecting("provenance", builders=[]), "builders: an empty list"),
        (expecting("provenance", bulders=["x"]), "bulders"),
        (expecting("provenance", builders=["*"]), "no URI with a host"),
        (expecting("provenance", sources=["https://github.com/*/app"]), "every tenant of github.com"),
        (expecting("provenance", refs=["refs/*x*"]), "two \\* in one segment"),
        (expecting("provenance", min_level=4), "min_level"),
        (expecting("provenance", min_level=0), "min_level"),
        (expecting("rebuild", verdicts=[]), "verdicts: an empty list"),
        (expecting("rebuild", verdicts=["equivalent"]), "equivalent"),
        (in_tee(statuses=["none"]), "none"),
        (in_tee(reference_values=["7"]), "not a digest"),
        (expecting("sbom", components=1), "of sbom evidence nothing more can be expected here"),
        ({"require": {"sbom": {"artifacts": []}}}, "owed for nothing"),
        ({"require": {"sbom": {"distinct": "signers"}}}, "signers"),
        ({"require": {"Sbom!": {"predicate": "sbom", "command": "x"}}}, "a label has"),
        ({"vouch": [VOUCH | {"signers": []}]}, "signers: an empty list"),
        ({"vouch": [VOUCH | {"level": 1}]}, "level"),
        ({"vouch": [VOUCH | {"reason": ""}]}, "reason"),
        ({"vouch": [VOUCH | {"builder": "*"}]}, "no URI with a host"),
        ({"approvals": {"*.production": []}}, "nobody would have to agree"),
        ({"approvals": {"": [{"role": "approver"}]}}, "empty"),
        ({"mode": "off"}, "mode"),
    ],
)
def test_what_would_hold_for_nothing_or_everything_is_refused(table: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        shipped_bundle(requirements=table)


def test_a_misspelt_expectation_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        shipped_bundle(requirements=expecting("provenance", bulders=["x"]))
    assert caught.value.hint == "did you mean 'builders'?"


def test_approvals_of_several_entries_come_to_the_highest_count_of_each_role() -> None:
    table = {
        "approvals": {
            "*.production": [{"role": "approver", "count": 2}],
            "harbour.*": [{"role": "approver"}, {"role": "security"}],
        }
    }
    requirements = shipped_bundle(requirements=table).requirements
    assert requirements.approvals_for("harbour.production") == {"approver": 2, "security": 1}
    assert requirements.approvals_for("other.production") == {"approver": 2}
    assert requirements.approvals_for("other.staging") == {}
