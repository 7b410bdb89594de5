"""package-url/vers-spec's version-comparison and containment cases; how many pass may only rise."""

from __future__ import annotations

import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from pratique.scan.orders.alpine import alpine_key
from pratique.scan.orders.maven import maven_key
from pratique.scan.orders.pep440 import pep440_key
from pratique.scan.orders.rpm import rpm_key
from pratique.scan.orders.semver import nuget_key, semver_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Key = Callable[[str], bytes]


def cases(test_data: Path, name: str) -> list[dict[str, Any]]:
    with tarfile.open(test_data / "specs" / "vers-tests.tar.xz") as tar:
        stream = tar.extractfile(f"tests/{name}.json")
        assert stream is not None
        found: list[dict[str, Any]] = json.load(stream)["tests"]
        return found


def compares(case: dict[str, Any], key: Key) -> bool:
    versions, expected = case["input"]["versions"], case["expected_output"]
    if case["test_type"] == "equality":
        return (key(versions[0]) == key(versions[1])) is expected
    keys = [key(version) for version in versions]
    in_order: bool = sorted(keys) == [key(version) for version in expected]
    return in_order and len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "key", "passing", "failing"),
    [
        ("alpine", alpine_key, 716, 0),
        # The six place `2.0.a` after `2-1`, as Maven did before 3.9 (MNG-7644).
        ("maven", maven_key, 971, 6),
        ("nuget", nuget_key, 33, 0),
        # Arch Linux's order, from which RPM's differs where letters end a version and a release is absent.
        ("alpm", rpm_key, 34, 8),
    ],
)
def test_comparison_cases(test_data: Path, name: str, key: Key, passing: int, failing: int) -> None:
    outcomes = [compares(case, key) for case in cases(test_data, f"{name}_version_cmp_test")]
    assert (outcomes.count(True), outcomes.count(False)) == (passing, failing)


def contains(constraints: str, key: Key, version: str) -> bool:
    """VERS, "Checking if a version is contained within a range"."""
    wanted = key(version)
    parts: list[tuple[str, bytes]] = []
    for text in constraints.split("|"):
        if text == "*":
            return True
        found = re.fullmatch(r"(!=|<=|>=|<|>|=?)(.+)", text)
        assert found
        parts.append((found[1] or "=", key(found[2])))
    if any(wanted == bound for comparator, bound in parts if comparator in {"=", "<=", ">="}):
        return True
    if any(wanted == bound for comparator, bound in parts if comparator == "!="):
        return False
    ranged = sorted((bound, comparator) for comparator, bound in parts if comparator not in {"=", "!="})
    for position, (bound, comparator) in enumerate(ranged):
        before = ranged[position - 1][1] if position else ""
        after = ranged[position + 1] if position + 1 < len(ranged) else None
        if comparator.startswith("<") and not before and wanted < bound:
            return True
        if comparator.startswith(">") and wanted > bound and (after is None or wanted < after[0]):
            return True
    return False


@pytest.mark.parametrize(("name", "key", "count"), [("pypi", pep440_key, 10), ("npm", semver_key, 1)])
def test_containment_cases(test_data: Path, name: str, key: Key, count: int) -> None:
    found = cases(test_data, f"{name}_range_containment_test")
    assert len(found) == count
    for case in found:
        constraints = case["input"]["vers"].removeprefix(f"vers:{name}/")
        assert contains(constraints, key, case["input"]["version"]) is case["expected_output"], case
