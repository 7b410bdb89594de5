from __future__ import annotations

from typing import Any

import pytest

from pratique.deploy.duties import Involved, Person, conflicts, parse_involved
from pratique.errors import CouldNotCheckError, MalformedError

ADA = Person("Ada Lovelace", ("ada@example.org", "ada@home.example"))
INVOLVED = Involved(
    authors=("Ada Lovelace <ada@example.org>", "bob@example.org"),
    builder="spiffe://pratique.local/builder",
    requester="Carol <carol@example.org>",
)


def provenance(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {
        "buildDefinition": {"resolvedDependencies": list(dependencies)},
        "runDetails": {"builder": {"id": "spiffe://pratique.local/builder"}},
    }


SOURCE = {
    "name": "shop",
    "annotations": {"kind": "source", "authors": ["Ada Lovelace <ada@example.org>", "bob@example.org"]},
}
WHEEL = {"name": "click", "annotations": {"kind": "dependency", "authors": ["Pallets <x@example.org>"]}}


def test_authors_come_from_the_source_alone() -> None:
    found = parse_involved(provenance(WHEEL, SOURCE, {"name": "cc"}), "Carol <carol@example.org>")
    assert found == INVOLVED


def test_authors_may_be_objects_and_repeat() -> None:
    source = {
        "annotations": {"kind": "source", "authors": [{"name": "Ada", "email": "a@b.c"}, "Ada <a@b.c>"]}
    }
    assert parse_involved(provenance(source, source), "x").authors == ("Ada <a@b.c>",)


@pytest.mark.parametrize(
    "dependencies",
    [
        [],
        [WHEEL],
        [{"annotations": {"kind": "source"}}],
        [{"annotations": {"kind": "source", "authors": []}}],
    ],
)
def test_without_authors_it_is_unknown_and_not_a_pass(dependencies: list[dict[str, Any]]) -> None:
    with pytest.raises(CouldNotCheckError, match="separation of duties"):
        parse_involved(provenance(*dependencies), "x")


def test_one_source_without_authors_spoils_the_others() -> None:
    with pytest.raises(CouldNotCheckError):
        parse_involved(provenance(SOURCE, {"annotations": {"kind": "source"}}), "x")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"buildDefinition": {}},
        {"buildDefinition": {"resolvedDependencies": 1}, "runDetails": {"builder": {"id": "b"}}},
        {"buildDefinition": {"resolvedDependencies": [1]}, "runDetails": {"builder": {"id": "b"}}},
        {"buildDefinition": [], "runDetails": {}},
        provenance({"annotations": {"kind": "source", "authors": [" <> "]}}),
        provenance({"annotations": {"kind": "source", "authors": [7]}}),
    ],
)
def test_another_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_involved(broken, "x")


@pytest.mark.parametrize(
    ("person", "says"),
    [
        (ADA, "author of the source"),
        (Person("A. Lovelace", ("ADA@Example.org",)), "author of the source"),
        (Person("A. Lovelace", ("ada+work@example.org",)), "author of the source"),
        (Person("ada  lovelace", ("else@example.org",)), "author of the source"),
        (Person("\uff21da Lovelace", ("else@example.org",)), "author of the source"),
        (Person("Robert", ("x@example.org", "bob@example.org")), "author of the source"),
        (Person("Carol", ("c@example.org",)), "asked for this deployment"),
        (Person("C", ("carol@example.org",)), "asked for this deployment"),
        (Person("spiffe://pratique.local/builder", ("b@example.org",)), "ran the build"),
        (Person("Dan"), "without an e-mail"),
        (Person("Dan", ("",)), "without an e-mail"),
    ],
)
def test_whoever_had_a_hand_in_it_is_excluded_and_told_why(person: Person, says: str) -> None:
    reasons = conflicts(person, INVOLVED)
    assert len(reasons) == 1
    assert says in reasons[0]
    assert reasons[0].startswith(person.name)


def test_every_reason_is_given() -> None:
    own = Involved(authors=("Ada Lovelace",), builder="mailto:ada@home.example", requester="ada@example.org")
    assert len(conflicts(ADA, own)) == 3


@pytest.mark.parametrize(
    "person",
    [Person("Eve", ("eve@example.org",)), Person("Ada", ("ada@example.com",)), Person("example", ("@x",))],
)
def test_others_may_approve(person: Person) -> None:
    assert conflicts(person, INVOLVED) == ()
