"""Many bundles, in processes and here: the same verdicts, in the same order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest
from dying import die

from pratique.errors import EvidenceInvalidError, InfrastructureError, SignatureInvalidError
from pratique.model.digest import sha256_bytes
from pratique.trust import batch
from pratique.trust.batch import verify_bundles
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pratique.testing.authority import World


@pytest.fixture(scope="module")
def bundles(world: World) -> list[bytes]:
    """Some that a role signed, and one that a person did."""
    subject = Subject("app", sha256_bytes(b"app").digest_set)
    made = [Statement((subject,), "https://example.com/a/v1", {"n": [n, 0.5, None]}) for n in range(5)]
    return [world.log.append(world.authority.signer("builder").sign(item)) for item in made] + [world.by_key]


@pytest.mark.parametrize("processes", [None, 2])
def test_as_one_by_one(
    world: World, bundles: list[bytes], processes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_PORTION", 2)
    root = world.authority.trusted_root
    found = list(verify_bundles(bundles, root, keys=world.keys, processes=processes))
    assert found == [verify_bundle(data, root, keys=world.keys) for data in bundles]


@pytest.mark.parametrize("processes", [1, 2])
def test_the_error_comes_when_its_bundle_has_its_turn(
    world: World, bundles: list[bytes], processes: int
) -> None:
    root, bad = world.authority.trusted_root, bundles[2].replace(b'"sig":"', b'"sig":"AAAA')
    with pytest.raises(EvidenceInvalidError) as direct:
        verify_bundle(bad, root)
    held = verify_bundles([bundles[0], bundles[1], bad, bundles[3]], root, processes=processes)
    assert [next(held).digest, next(held).digest] == [sha256_bytes(data) for data in bundles[:2]]
    with pytest.raises(type(direct.value)) as caught:
        next(held)
    assert (caught.value.message, caught.value.hint) == (direct.value.message, direct.value.hint)


def test_a_key_that_is_not_given_counts_for_nothing(world: World) -> None:
    with pytest.raises(SignatureInvalidError, match="is not enrolled") as caught:
        list(verify_bundles([world.by_key], world.authority.trusted_root, processes=2))
    assert "pratique trust enrol" in caught.value.hint


def test_a_process_that_dies_is_no_verdict(
    world: World, bundles: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_judge", die)
    with pytest.raises(InfrastructureError, match="was killed"):
        list(verify_bundles(bundles, world.authority.trusted_root, processes=2))


def test_an_outcome_without_a_verdict_is_refused(
    world: World, bundles: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_elsewhere", lambda *_: iter([batch._Outcome()]))
    with pytest.raises(EvidenceInvalidError, match="without a verdict"):
        list(verify_bundles(bundles[:1], world.authority.trusted_root, processes=2))


def test_few_are_verified_here(world: World, bundles: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a process was started")

    monkeypatch.setattr(batch, "_elsewhere", refuse)
    assert len(list(verify_bundles(bundles, world.authority.trusted_root, keys=world.keys))) == len(bundles)
    monkeypatch.setattr(batch, "_WORTH_IT", len(bundles))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(AssertionError, match="a process was started"):
        list(verify_bundles(bundles, world.authority.trusted_root, keys=world.keys))
