"""package-url/purl-spec's conformance cases; how many pass may only rise."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

from pratique.errors import MalformedError
from pratique.scan.purl import build_purl, canonical_purl, parse_purl

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("type", "namespace", "name", "version", "qualifiers", "subpath")
DISPUTED = {
    # `parse` refuses what `validate` of the same file folds to lower case
    "pkg:gem/jruby-launcher@1.1.2?Platform=java",
    "pkg:Rpm/fedora/curl@7.50.3-1.fc25?Arch=i386&Distro=fedora-25",
    # a namespace with a trailing slash, and a name with a slash that is not encoded
    "pkg:swift/github.com/Alamofire/@5.4.3",
    "pkg:git/codeberg.org/forgejo/forgejo@a72d2c07cfca03b55371089de6aa230d8c951fa0",
    "pkg:git/codeberg.org/forgejo/forgejo@a72d2c07cfca03b55371089de6aa230d8c951fa0#options/locale_readme.md",
}


def cases(test_data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with tarfile.open(test_data / "specs" / "purl-tests.tar.xz") as tar:
        for member in tar:
            if member.name.endswith("-test.json") and (stream := tar.extractfile(member)):
                found += json.load(stream)["tests"]
    return found


def outcome(case: dict[str, Any]) -> Any:
    given = case["input"]
    match case["test_type"]:
        case "validate":
            return canonical_purl(parse_purl(given))
        case "parse":
            parts = parse_purl(given)._asdict()
            return {name: parts[name] or None for name in PARTS}
        case _:
            return build_purl(
                given["type"] or "",
                given["name"] or "",
                given["version"] or "",
                namespace=given["namespace"] or "",
                qualifiers=given["qualifiers"],
                subpath=given["subpath"] or "",
            )


def passes(case: dict[str, Any]) -> bool:
    try:
        found = outcome(case)
    except MalformedError:
        return bool(case.get("expected_failure"))
    expected = case.get("expected_output")
    if isinstance(expected, dict):
        expected = {name: expected.get(name) or None for name in PARTS}
    return not case.get("expected_failure") and found == expected


def test_conformance_cases(test_data: Path) -> None:
    failing = [case for case in cases(test_data) if not passes(case)]
    assert len(cases(test_data)) == 586
    assert {str(case["input"]) for case in failing} == DISPUTED
    assert len(failing) <= 6
