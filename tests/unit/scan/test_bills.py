"""Bills of materials of other tools, and what is no bill."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pratique.errors import MalformedError
from pratique.model.digest import sha256_bytes
from pratique.scan.bill import Difference, difference
from pratique.scan.component import Catalog, Component
from pratique.scan.cyclonedx_reader import read_cyclonedx
from pratique.scan.spdx import read_spdx, spdx_document


def cyclonedx(**members: Any) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5"} | members).encode()


def test_a_foreign_cyclonedx_document() -> None:
    inner = {"bom-ref": "2", "name": "b", "version": "2", "purl": "pkg:npm/@s/b@2"}
    outer = {
        "bom-ref": "1",
        "group": "g",
        "name": "a",
        "version": "1",
        "purl": "pkg:maven/g/a@1?type=jar",
        "hashes": [
            {"alg": "SHA-1", "content": "AB" * 20},
            {"alg": "SHA-256", "content": "short"},
            {"alg": "SHA3-256", "content": "ab" * 32},
        ],
        "licenses": [{"license": {"id": "MIT"}}, {"license": {"id": "ISC"}}],
        "components": [inner],
    }
    bill = read_cyclonedx(
        cyclonedx(
            metadata={"component": {"name": "app", "bom-ref": "0", "components": [{"name": "file"}]}},
            components=[outer, {"name": "nameless", "version": "3"}, {"name": "odd", "purl": "pkg:x"}],
            dependencies=[{"ref": "0", "dependsOn": ["1"]}, {"ref": "1", "dependsOn": ["2", "gone"]}],
            vulnerabilities=[{"id": "CVE-1"}, {"id": "CVE-2"}],
        ),
        what="bom.json",
    )
    assert (bill.format, bill.statements) == ("CycloneDX 1.5", 2)
    assert bill.unnamed == ("file", "nameless 3", "odd")
    assert bill.components == (
        Component(
            purl="pkg:maven/g/a@1?type=jar",
            name="g/a",
            version="1",
            licence="MIT AND ISC",
            licence_is_spdx=True,
            hashes=("ab" * 20,),
            requires=("pkg:npm/%40s/b@2",),
        ),
        Component(purl="pkg:npm/%40s/b@2", name="b", version="2"),
    )


def test_a_foreign_spdx_document() -> None:
    def package(identifier: str, purl: str) -> dict[str, Any]:
        reference = {
            "referenceCategory": "PACKAGE_MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl,
        }
        return {"SPDXID": identifier, "name": identifier, "versionInfo": "1", "externalRefs": [reference]}

    document = {
        "spdxVersion": "SPDX-2.2",
        "documentDescribes": ["SPDXRef-root"],
        "packages": [
            package("SPDXRef-root", "pkg:npm/root@1"),
            package("SPDXRef-a", "pkg:npm/a@1")
            | {"licenseDeclared": "NOASSERTION", "licenseConcluded": "ISC"},
            package("SPDXRef-b", "pkg:npm/b@1") | {"licenseDeclared": "LicenseRef-x"},
            {"SPDXID": "SPDXRef-c", "name": "no purl"},
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-b",
                "relationshipType": "DEPENDENCY_OF",
                "relatedSpdxElement": "SPDXRef-a",
            }
        ],
        "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-x", "extractedText": "do what you like"}],
    }
    bill = read_spdx(json.dumps(document).encode(), what="x.spdx.json")
    first, second = bill.components
    assert (first.purl, first.licence, first.requires) == ("pkg:npm/a@1", "ISC", ("pkg:npm/b@1",))
    assert (second.licence, second.licence_is_spdx) == ("do what you like", False)
    assert bill.unnamed == ("no purl",)


def test_spdx_carries_the_members_that_the_specification_demands() -> None:
    catalog = Catalog(components=(Component(purl="pkg:npm/a@1", name="a", version="1", licence="Own words"),))
    document = spdx_document(
        catalog, name="app.tar", digest=sha256_bytes(b"x"), created=datetime(2026, 11, 23, tzinfo=UTC)
    )
    assert (document["spdxVersion"], document["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert document["creationInfo"]["created"] == "2026-11-23T00:00:00Z"
    assert document["relationships"][0] == {
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-artifact",
    }
    root, package = document["packages"]
    assert root["checksums"][0]["algorithm"] == "SHA256"
    assert package["licenseDeclared"] == document["hasExtractedLicensingInfos"][0]["licenseId"]
    assert all(item["downloadLocation"] == "NOASSERTION" for item in document["packages"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"bomFormat": "SPDX"}',
        b'{"bomFormat": "CycloneDX", "specVersion": "2.0", "spdxVersion": "SPDX-3.0"}',
        cyclonedx(spdxVersion="SPDX-2.3", components=1, packages=1),
        cyclonedx(spdxVersion="SPDX-2.3", components=[1], packages=[{"SPDXID": "a"}, {"SPDXID": "a"}]),
        b'{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX", "specVersion": "1.5"}',
    ],
)
def test_what_is_no_bill_is_malformed(data: bytes) -> None:
    for read in (read_cyclonedx, read_spdx):
        with pytest.raises(MalformedError, match=r"bom\.json"):
            read(data, what="bom.json")


def test_how_two_sets_differ() -> None:
    def one(purl: str, *hashes: str) -> Component:
        return Component(purl=purl, name="", version="", hashes=hashes)

    before = [
        one("pkg:npm/same@1", "aa" * 32),
        one("pkg:npm/bytes@1", "aa" * 32),
        one("pkg:npm/other-algorithm@1", "aa" * 20),
        one("pkg:npm/up@1"),
        one("pkg:npm/gone@1"),
        one("pkg:npm/two@1"),
        one("pkg:deb/debian/x@1?arch=amd64"),
    ]
    after = [
        one("pkg:npm/same@1", "aa" * 32, "bb" * 64),
        one("pkg:npm/bytes@1", "bb" * 32),
        one("pkg:npm/other-algorithm@1", "bb" * 32),
        one("pkg:npm/up@2"),
        one("pkg:npm/two@2"),
        one("pkg:npm/two@3"),
        one("pkg:deb/debian/x@2?arch=arm64"),
    ]
    assert difference(before, after) == Difference(
        added=("pkg:deb/debian/x@2?arch=arm64", "pkg:npm/two@2", "pkg:npm/two@3"),
        removed=("pkg:deb/debian/x@1?arch=amd64", "pkg:npm/gone@1", "pkg:npm/two@1"),
        changed=(("pkg:npm/up@1", "pkg:npm/up@2"),),
        altered=("pkg:npm/bytes@1",),
    )
