from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pratique.ledger.drift import Seen, State, compare
from pratique.ledger.fold import Entry, Environment, apply, fold, read_step, where
from pratique.model.digest import Digest, sha256_bytes

ARTIFACTS = [Digest(letter * 64) for letter in "abc"]
START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    entries = []
    for index in range(draw(st.integers(0, 12))):
        artifact = draw(st.sampled_from(ARTIFACTS))
        serving = draw(st.sampled_from([None, *ARTIFACTS]))
        predicate = {
            "deploymentId": draw(st.sampled_from(["one", "two", "three"])),
            "environment": draw(st.sampled_from(["prod", "test"])),
            "action": draw(st.sampled_from(["deploy", "rollback"])),
            "phase": draw(st.sampled_from(["rolling-out", "live", "failed", "rolled-back"])),
            "requester": "zoe",
            "decision": {"digest": {"sha256": "d" * 64}},
            "approvals": [],
            "plan": {"digest": {"sha256": "f" * 64}},
            "previous": None,
            "target": {"path": "/srv"},
            "startedOn": "2026-01-01T00:00:00Z",
            "serving": {"digest": {"sha256": serving.hex}} if serving else None,
        }
        entries.append(
            Entry(
                index=index,
                signed_at=START + timedelta(minutes=draw(st.integers(0, 100))),
                artifact=artifact,
                predicate=predicate,
                evidence=sha256_bytes(str(index).encode()),
            )
        )
    return entries


@given(histories(), st.randoms(use_true_random=False))
def test_only_the_place_in_the_log_decides_the_order(entries: list[Entry], random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - hypothesis has no public type for it
    shuffled = [*entries, *entries]
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(entries)


@given(histories(), st.integers(0, 12))
def test_going_on_from_a_prefix_is_the_same_as_from_the_beginning(entries: list[Entry], cut: int) -> None:
    ledger = fold(entries[:cut])
    for entry in entries[cut:]:
        step = read_step(entry)
        before = ledger.get(step.environment, Environment(name=step.environment))
        ledger[step.environment] = apply(before, step)
    assert ledger == fold(entries)


@given(histories())
def test_what_is_live_is_what_the_last_deciding_record_says(entries: list[Entry]) -> None:
    """An account kept in another way: a variable per environment, assigned by each record."""
    serving: dict[str, tuple[str, str] | None] = {}
    for entry in entries:
        name, deployment = entry.predicate["environment"], entry.predicate["deploymentId"]
        match entry.predicate["phase"]:
            case "live":
                if not (now := serving.get(name)) or now[0] != deployment:
                    serving[name] = (deployment, entry.artifact.hex)
            case "failed":
                left = entry.predicate["serving"]
                wanted = left["digest"]["sha256"] if left else None
                now = serving.get(name)
                if wanted is None:
                    serving[name] = None
                elif not now or now[1] != wanted:
                    lives = [
                        e.predicate["deploymentId"]
                        for e in entries[: entry.index]
                        if e.predicate["phase"] == "live"
                        and e.predicate["environment"] == name
                        and e.artifact.hex == wanted
                    ]
                    serving[name] = (lives[-1] if lives else deployment, wanted)
            case "rolled-back":
                if (now := serving.get(name)) and now[0] == deployment:
                    serving[name] = None
    ledger = fold(entries)
    found = {name: e.live.artifact.hex if e.live else None for name, e in ledger.items()}
    expected = {name: (serving.get(name) or ("", None))[1] for name in ledger}
    assert found == expected
    for artifact in ARTIFACTS:
        names = [s.by.environment for s in where(ledger, artifact)]
        assert names == sorted(name for name, live in found.items() if live == artifact.hex)


@given(histories())
def test_every_record_is_kept_and_interruptions_are_begun_and_not_ended(entries: list[Entry]) -> None:
    ledger = fold(entries)
    kept = sorted(step.index for environment in ledger.values() for step in environment.history)
    assert kept == [entry.index for entry in entries]
    for environment in ledger.values():
        for begun in environment.rolling_out:
            assert begun.phase == "rolling-out"
            later = [s for s in environment.history if s.index > begun.index]
            assert not any(s.phase == "live" or s.deployment == begun.deployment for s in later)


@given(histories(), st.sampled_from([None, *ARTIFACTS]))
def test_in_sync_means_the_same_artifact_and_nothing_begun(entries: list[Entry], seen: Digest | None) -> None:
    for environment in fold(entries).values():
        live = environment.live.artifact if environment.live else None
        in_sync = compare(Seen(artifact=seen), environment).state is State.IN_SYNC
        assert in_sync == (live == seen and not environment.rolling_out)
