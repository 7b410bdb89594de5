"""What is written as CycloneDX or SPDX is read back as the same components."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.model.digest import sha256_bytes
from pratique.scan.bill import difference, merged
from pratique.scan.component import Catalog, Component
from pratique.scan.cyclonedx import sbom
from pratique.scan.cyclonedx_reader import read_cyclonedx
from pratique.scan.purl import build_purl
from pratique.scan.spdx import read_spdx, spdx_document

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WORD = st.text("abz09.-_~+", min_size=1, max_size=6).filter(lambda text: text.strip("."))
TEXTS = st.lists(WORD, max_size=2, unique=True).map(lambda texts: tuple(sorted(texts)))
HASHES = st.lists(
    st.builds(
        lambda byte, size: f"{byte:02x}" * size, st.integers(0, 255), st.sampled_from([20, 32, 48, 64])
    ),
    max_size=3,
    unique=True,
).map(lambda texts: tuple(sorted(texts)))
LICENCE = st.sampled_from(
    [("", False), ("MIT", True), ("MIT OR Apache-2.0", True), ("my own, of 2001", False)]
)


@st.composite
def components(draw: st.DrawFn) -> Component:
    kind = draw(st.sampled_from(["pypi", "npm", "deb", "cargo"]))
    name, version = draw(WORD), draw(WORD)
    licence, is_spdx = draw(LICENCE)
    source = draw(st.just("") | st.from_regex(r"[a-z]{1,4}", fullmatch=True))
    return Component(
        purl=build_purl(kind, name, version, namespace="debian" if kind == "deb" else ""),
        name=name,
        version=version,
        licence=licence,
        licence_is_spdx=is_spdx,
        locations=draw(TEXTS),
        metadata_digests=tuple((place, "ab" * 32) for place in draw(TEXTS)),
        hashes=draw(HASHES),
        missing=draw(TEXTS),
        source=source,
        source_version=draw(st.just("") | st.just("1:2-3")) if source else "",
    )


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    found = draw(st.lists(components(), min_size=1, max_size=5, unique_by=lambda item: item.purl))
    purls = [item.purl for item in found]
    return Catalog(
        components=tuple(
            sorted(
                msgspec.structs.replace(
                    item,
                    requires=tuple(
                        sorted(set(draw(st.lists(st.sampled_from(purls), max_size=3))) - {item.purl})
                    ),
                )
                for item in found
            )
        )
    )


@settings(max_examples=60, deadline=None)
@given(catalogs())
def test_both_formats_are_read_back_whole(catalog: Catalog) -> None:
    digest = sha256_bytes(b"artifact")
    cyclonedx = json.dumps(sbom(catalog, name="a", digest=digest, created=NOW)).encode()
    spdx = json.dumps(spdx_document(catalog, name="a", digest=digest, created=NOW)).encode()
    for bill in (read_cyclonedx(cyclonedx, what="a"), read_spdx(spdx, what="a")):
        assert bill.components == catalog.components
        assert (bill.unnamed, bill.statements) == ((), 0)


@settings(max_examples=60, deadline=None)
@given(catalogs(), catalogs())
def test_merging_and_comparing_are_what_sets_do(left: Catalog, right: Catalog) -> None:
    both = merged([*left.components, *right.components])
    assert merged([*both, *both]) == both
    assert {item.purl for item in both} == {item.purl for item in (*left.components, *right.components)}
    assert difference(both, both) == difference([], [])
    there, back = difference(left.components, right.components), difference(right.components, left.components)
    assert (there.added, there.removed, there.altered) == (back.removed, back.added, back.altered)
    assert {(new, old) for old, new in there.changed} == set(back.changed)
    before, after = ({item.purl for item in side.components} for side in (left, right))
    assert {*there.added, *(new for _, new in there.changed)} == after - before
    assert {*there.removed, *(old for old, _ in there.changed)} == before - after


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(["", "x", "pkg:npm/a@1", "purl", "DESCRIBES"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "components",
                    "packages",
                    "purl",
                    "bom-ref",
                    "ref",
                    "dependsOn",
                    "dependencies",
                    "hashes",
                    "licenses",
                    "license",
                    "properties",
                    "evidence",
                    "occurrences",
                    "metadata",
                    "component",
                    "vulnerabilities",
                    "relationships",
                    "externalRefs",
                    "referenceType",
                    "referenceLocator",
                    "annotations",
                    "annotator",
                    "comment",
                    "checksums",
                    "SPDXID",
                    "value",
                    "name",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["components", "packages", "metadata", "dependencies", "relationships"]), JUNK
    )
)
def test_no_document_crashes_a_reader(junk: dict[str, object]) -> None:
    data = json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.5", "spdxVersion": "SPDX-2.3"} | junk
    ).encode()
    for read in (read_cyclonedx, read_spdx):
        try:
            assert read(data, what="junk").format
        except MalformedError as error:
            assert "junk" in error.message  # noqa: PT017 - either outcome is right
