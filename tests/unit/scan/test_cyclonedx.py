"""The SBOM's shape; its validity is checked with CycloneDX's own library (tests/vectors/scan)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.scan.component import Catalog, Component, Uninspected
from pratique.scan.cyclonedx import purls, sbom

DAY = datetime(2026, 11, 23, tzinfo=UTC)


def component(name: str, *requires: str, **members: object) -> Component:
    return Component(
        purl=f"pkg:pypi/{name}@1",
        name=name,
        version="1",
        locations=(f"lib/{name}-1.dist-info/METADATA",),
        requires=tuple(f"pkg:pypi/{target}@1" for target in requires),
        **members,  # type: ignore[arg-type]
    )


def test_same_catalogue_gives_the_same_bytes_and_another_artifact_another_serial() -> None:
    catalog = Catalog(components=(component("a"),))
    first, again, other = (
        sbom(catalog, name="a.tar", digest=sha256_bytes(data), created=DAY) for data in (b"a", b"a", b"b")
    )
    assert canonical_json(first) == canonical_json(again)
    assert first["serialNumber"] != other["serialNumber"]
    assert first["metadata"]["timestamp"] == "2026-11-23T00:00:00Z"
    assert first["metadata"]["component"]["hashes"] == [
        {"alg": "SHA-256", "content": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}
    ]


def test_whoever_the_document_is_written_for_is_its_manufacturer() -> None:
    catalog = Catalog(components=(component("a"),))
    document = sbom(catalog, name="a.tar", digest=sha256_bytes(b"a"), created=DAY, author="app.example")
    assert document["metadata"]["manufacturer"] == {"name": "app.example"}


def test_licences_hashes_and_missing_requirements_are_written() -> None:
    catalog = Catalog(
        components=(
            component("a", licence="MIT", licence_is_spdx=True, hashes=("22" * 32,)),
            component("b", licence="Some licence", missing=("absent",)),
        ),
        uninspected=(Uninspected("lib/x.whl", "not opened"),),
    )
    document = sbom(catalog, name="a.tar", digest=sha256_bytes(b""), created=DAY)
    first, second = document["components"]
    assert first["licenses"] == [{"expression": "MIT", "acknowledgement": "declared"}]
    assert first["hashes"] == [{"alg": "SHA-256", "content": "22" * 32}]
    assert second["licenses"] == [{"license": {"name": "Some licence", "acknowledgement": "declared"}}]
    assert {"name": "pratique:missing-requirement", "value": "absent"} in second["properties"]
    assert document["metadata"]["properties"] == [
        {"name": "pratique:uninspected", "value": "lib/x.whl: not opened"}
    ]
    assert document["compositions"][1]["aggregate"] == "incomplete"
    assert "version" not in document["metadata"]["component"]
    assert purls(document) == {"pkg:pypi/a@1", "pkg:pypi/b@1"}


def test_graph_reaches_every_component_from_the_artifact_rings_included() -> None:
    catalog = Catalog(
        components=(
            component("app", "lib"),
            component("lib"),
            component("ring1", "ring2"),
            component("ring2", "ring1"),
        )
    )
    document = sbom(catalog, name="a", digest=sha256_bytes(b""), created=DAY)
    assert document["dependencies"] == [
        {"ref": "artifact", "dependsOn": ["pkg:pypi/app@1", "pkg:pypi/ring1@1"]},
        {"ref": "pkg:pypi/app@1", "dependsOn": ["pkg:pypi/lib@1"]},
        {"ref": "pkg:pypi/lib@1", "dependsOn": []},
        {"ref": "pkg:pypi/ring1@1", "dependsOn": ["pkg:pypi/ring2@1"]},
        {"ref": "pkg:pypi/ring2@1", "dependsOn": ["pkg:pypi/ring1@1"]},
    ]


def test_purls_of_a_foreign_document_need_not_be_there() -> None:
    assert purls({"components": [{"name": "x"}, 3, {"purl": "pkg:npm/a@1"}]}) == {"pkg:npm/a@1"}
    assert purls({}) == frozenset()


@pytest.mark.parametrize(
    ("file_name", "found"),
    [
        ("my-app-1.tar", "my_app"),
        ("My.App-1.tar", "my_app"),
        ("my_app-1-py3-none-any.whl", "my_app"),
        ("my_app-1-cp311-cp311-linux_x86_64.whl", "my_app"),
        ("my-app-10.tar", None),
        ("my-app-extras-1.tar", None),
        ("other-1.tar", "other"),
    ],
)
def test_an_artifacts_own_component_is_told_by_name_and_version(file_name: str, found: str | None) -> None:
    own = Catalog(components=(component("my_app"), component("other"))).own(file_name)
    assert (own.name if own else None) == found


def test_the_artifacts_own_component_is_named_as_what_the_document_describes() -> None:
    own = component("a")
    described = sbom(
        Catalog(components=(own,)), name="a-1.tar", own=own, digest=sha256_bytes(b""), created=DAY
    )["metadata"]["component"]
    assert (described["purl"], described["version"]) == ("pkg:pypi/a@1", "1")


def test_the_artifacts_digest_is_the_hash_of_its_own_component_alone() -> None:
    own, other = component("a", hashes=("cd" * 32,)), component("b", hashes=("ef" * 32,))
    digest = sha256_bytes(b"")
    written = sbom(Catalog(components=(own, other)), name="a-1.tar", own=own, digest=digest, created=DAY)
    assert [item["hashes"] for item in written["components"]] == [
        [{"alg": "SHA-256", "content": digest.hex}],
        [{"alg": "SHA-256", "content": "ef" * 32}],
    ]
    unowned = sbom(Catalog(components=(own, component("b"))), name="x.tar", digest=digest, created=DAY)
    assert [item.get("hashes") for item in unowned["components"]] == [
        [{"alg": "SHA-256", "content": "cd" * 32}],
        None,
    ]
