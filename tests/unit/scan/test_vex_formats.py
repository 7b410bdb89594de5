"""CSAF and CycloneDX documents as VEX: every state, what identifies a product, and what cannot be used."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.scan.openvex import Status, openvex_document, read_openvex
from pratique.scan.vex import Vex, read_vex

DAY = datetime(2026, 11, 23, tzinfo=UTC)
SHA = "ab" * 32


def cyclonedx(analysis: dict[str, Any] | None, *affects: dict[str, Any], **members: Any) -> Vex:
    vulnerability = {
        "id": "CVE-2021-44228",
        "references": [{"id": "GHSA-jfh8-c2jp-5v3q"}],
        "analysis": analysis,
        "affects": list(affects) or [{"ref": "lib"}],
    } | members
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "metadata": {
            "timestamp": "2026-11-23T00:00:00Z",
            "component": {"bom-ref": "app", "name": "app", "hashes": [{"alg": "SHA-256", "content": SHA}]},
        },
        "components": [{"bom-ref": "lib", "name": "l", "purl": "pkg:maven/org.apache/log4j-core@2.14.0"}],
        "vulnerabilities": [vulnerability],
    }
    return read_vex(json.dumps(document).encode(), what="vex.json")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("resolved", Status.FIXED),
        ("resolved_with_pedigree", Status.FIXED),
        ("exploitable", Status.AFFECTED),
        ("in_triage", Status.UNDER_INVESTIGATION),
        ("false_positive", Status.NOT_AFFECTED),
        ("not_affected", Status.NOT_AFFECTED),
    ],
)
def test_each_state_of_cyclonedx_has_its_status(state: str, status: Status) -> None:
    vex = cyclonedx({"state": state, "justification": "code_not_reachable"})
    (statement,) = vex.statements
    assert (statement.status, statement.product) == (status, "pkg:maven/org.apache/log4j-core@2.14.0")
    assert statement.vulnerabilities == ("CVE-2021-44228", "GHSA-jfh8-c2jp-5v3q")
    assert statement.reason == "vulnerable_code_not_in_execute_path"
    assert statement.moment == DAY


def test_the_product_itself_is_known_by_its_digest_and_a_part_elsewhere_by_its_package_url() -> None:
    link = "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#pkg%3Anpm%2Fa%401.0.0"
    said = {
        "state": "not_affected",
        "detail": "The class was removed.",
        "lastUpdated": "2026-11-20T00:00:00Z",
    }
    vex = cyclonedx(said, {"ref": "app"}, {"ref": link}, {"ref": "urn:cdx:f08a6ccd/1#product"})
    assert [item.product for item in vex.statements] == [f"sha256:{SHA}", "pkg:npm/a@1.0.0"]
    assert vex.statements[0].moment == datetime(2026, 11, 20, tzinfo=UTC)
    assert len(vex.skipped) == 1
    assert "nothing with a package URL or digest" in vex.skipped[0]


def test_versions_listed_one_by_one_are_taken_and_ranges_are_not() -> None:
    affects = {
        "ref": "pkg:npm/a",
        "versions": [
            {"version": "1.0.0", "status": "affected"},
            {"version": "2.0.0", "status": "unaffected"},
            {"range": "vers:npm/>=3", "status": "affected"},
        ],
    }
    vex = cyclonedx({"state": "exploitable", "detail": "x"}, affects)
    assert [(item.product, item.status) for item in vex.statements] == [
        ("pkg:npm/a@1.0.0", Status.AFFECTED),
        ("pkg:npm/a@2.0.0", Status.NOT_AFFECTED),
    ]
    assert "a range of versions" in vex.skipped[0]


@pytest.mark.parametrize(
    "analysis",
    [None, {}, {"state": "perhaps"}, {"state": "not_affected"}, {"justification": "code_not_present"}],
)
def test_what_says_nothing_excuses_nothing(analysis: dict[str, Any] | None) -> None:
    vex = cyclonedx(analysis)
    assert vex.statements == ()
    assert len(vex.skipped) == 1


def csaf(**vulnerability: Any) -> Vex:
    def product(identifier: str, **helper: Any) -> dict[str, Any]:
        return {"product_id": identifier, "name": identifier, "product_identification_helper": helper}

    hashes = [{"file_hashes": [{"algorithm": "sha256", "value": SHA}]}]
    document = {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "tracking": {"id": "ACME-1", "current_release_date": "2026-11-23T00:00:00.000Z"},
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "branches": [
                        {"product": product("APP", hashes=hashes)},
                        {"product": product("LIB", purl="pkg:npm/lib@1.0.0")},
                        {"product": product("CPE", cpe="cpe:2.3:a:x:y:1:*:*:*:*:*:*:*")},
                    ],
                }
            ],
            "product_groups": [{"group_id": "G", "product_ids": ["APP:LIB", "LIB"]}],
            "relationships": [
                {
                    "category": "default_component_of",
                    "product_reference": "LIB",
                    "relates_to_product_reference": whole,
                    "full_product_name": {"product_id": f"{whole}:LIB", "name": "lib in it"},
                }
                for whole in ("APP", "CPE")
            ],
        },
        "vulnerabilities": [{"cve": "CVE-2026-1", "ids": [{"text": "GHSA-1"}], **vulnerability}],
    }
    return read_vex(json.dumps(document).encode(), what="csaf.json")


def test_csaf_statements_name_the_product_and_the_part_in_it() -> None:
    vex = csaf(
        product_status={"known_not_affected": ["APP:LIB"], "fixed": ["LIB"], "known_affected": ["APP"]},
        flags=[{"label": "vulnerable_code_not_present", "group_ids": ["G"]}],
    )
    assert [(item.status, item.product, item.subcomponents, item.reason) for item in vex.statements] == [
        (Status.NOT_AFFECTED, f"sha256:{SHA}", ("pkg:npm/lib@1.0.0",), "vulnerable_code_not_present"),
        (Status.FIXED, "pkg:npm/lib@1.0.0", (), "vulnerable_code_not_present"),
        (Status.AFFECTED, f"sha256:{SHA}", (), ""),
    ]
    assert vex.statements[0].vulnerabilities == ("CVE-2026-1", "GHSA-1")


def test_an_impact_is_a_reason_and_a_product_without_identity_is_said_to_have_none() -> None:
    vex = csaf(
        product_status={"known_not_affected": ["LIB", "CPE", "CPE:LIB"]},
        threats=[{"category": "impact", "details": "It is compiled out.", "product_ids": ["LIB", "CPE"]}],
    )
    assert [(item.product, item.reason) for item in vex.statements] == [
        ("pkg:npm/lib@1.0.0", "It is compiled out.")
    ]
    # A part of a platform that nothing here can be compared with is not that part everywhere.
    assert [line.partition(": ")[2].partition(" ")[0] for line in vex.skipped] == ["CPE", "CPE:LIB"]


def test_not_affected_without_a_reason_is_skipped() -> None:
    vex = csaf(product_status={"known_not_affected": ["LIB"]})
    assert vex.statements == ()
    assert "without a flag or an impact" in vex.skipped[0]


def test_what_is_converted_is_openvex_that_reads_the_same() -> None:
    vex = csaf(
        product_status={"known_not_affected": ["APP:LIB"], "under_investigation": ["LIB"]},
        flags=[{"label": "inline_mitigations_already_exist", "product_ids": ["APP:LIB"]}],
    )
    document = openvex_document(vex.statements, identifier="https://x/1", author="a", created=DAY)
    assert read_openvex(json.dumps(document).encode(), what="x") == vex.statements
    first = document["statements"][0]
    assert first["justification"] == "inline_mitigations_already_exist"
    assert first["products"][0]["hashes"] == {"sha-256": SHA}


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"bomFormat": "CycloneDX"}',
        b'{"bomFormat": "CycloneDX", "vulnerabilities": [1]}',
        b'{"document": {"csaf_version": "2.0"}}',
        b'{"document": {"csaf_version": "2.0", "tracking": {"current_release_date": "soon"}}}',
    ],
)
def test_what_is_no_vex_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_vex(data, what="x")


KEYS = [
    *("document", "csaf_version", "tracking", "product_tree", "branches", "product", "product_id", "purl"),
    *("bomFormat", "vulnerabilities", "analysis", "state", "affects", "ref", "versions", "id", "cve"),
    *("product_status", "fixed", "current_release_date", "relationships", "flags"),
]
LEAF = st.none() | st.integers(0, 9) | st.sampled_from(["CycloneDX", "2026-01-01T00:00:00Z", "resolved", "x"])
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=6))
def test_no_document_crashes_the_readers(document: dict[str, Any]) -> None:
    try:
        read_vex(json.dumps(document).encode(), what="x")
    except MalformedError as error:
        assert error.message  # noqa: PT017 - either outcome is right
