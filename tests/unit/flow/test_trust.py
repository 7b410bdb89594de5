"""Enrolling people: one person is one voice."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pratique.errors import ConfigError, UsageError
from pratique.flow.trust import enrol, generate_key_pair, init_trust

if TYPE_CHECKING:
    from conftest import State


def add(
    state: State, person: str, *emails: str, key: str = "new", roles: tuple[str, ...] = ("approver",)
) -> None:
    path = state.key(key)
    enrol(state.workspace, person, public_key=f"{path}.pub", ask=lambda _: b"", emails=emails, roles=roles)


def test_a_person_may_have_two_keys(state: State) -> None:
    state.enrol("ada")
    add(state, "ada", "ada@app.example")
    people = {key.person for key in state.workspace.community.keys.values()}
    assert people == {"ada"}
    assert len(state.workspace.community.keys) == 2


@pytest.mark.parametrize(
    ("person", "email", "says"),
    [
        ("bob", "ada@app.example", "ada@app.example is an address of ada already"),
        ("bob", "ADA+work@App.Example", "is an address of ada already"),
        ("bob", "ada", "is an address of ada already"),
        ("Ada ", "other@app.example", "'Ada ' is a name of 'ada'"),
    ],
)
def test_nobody_is_two_people(state: State, person: str, email: str, says: str) -> None:
    state.enrol("ada")
    before = len(state.workspace.journal.find())
    with pytest.raises(UsageError, match=r"count twice|is a name of") as caught:
        add(state, person, email)
    assert says in caught.value.message
    assert "enrol ada" in caught.value.hint
    assert len(state.workspace.journal.find()) == before


def test_a_key_is_one_persons(state: State) -> None:
    state.enrol("ada")
    with pytest.raises(UsageError, match="this key is ada's already"):
        add(state, "bob", "bob@app.example", key="ada")


@pytest.mark.parametrize(
    ("person", "email", "roles", "says"),
    [
        ("", "a@b", ("approver",), "not a person's name"),
        ("a\nb", "a@b", ("approver",), "not a person's name"),
        ("x" * 101, "a@b", ("approver",), "not a person's name"),
        ("ada", "nowhere", ("approver",), "not an e-mail address"),
        ("ada", "a@b", ("Approver",), "not a role"),
        ("ada", "a@b", ("",), "not a role"),
        ("ada", "a@b", ("approver", "approver"), "named twice"),
    ],
)
def test_values_that_no_enrolment_can_have(
    state: State, person: str, email: str, roles: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        add(state, person, email, roles=roles)
    assert not state.workspace.journal.find()


def test_a_private_key_is_no_public_key(state: State) -> None:
    key = str(state.key("ada"))
    with pytest.raises(ConfigError, match=r"ada\.key: a private key") as caught:
        enrol(state.workspace, "ada", public_key=key, ask=lambda _: b"", emails=["a@b"], roles=["approver"])
    assert caught.value.hint == f"hand over the public one, such as {key}.pub"


def test_a_second_root_is_refused(state: State) -> None:
    with pytest.raises(UsageError, match="never overwritten"):
        init_trust(state.folder / "home", trust_domain="pratique.local", clock=state.clock)


def test_a_new_root_does_not_take_over_a_journal(state: State) -> None:
    shutil.rmtree(state.folder / "home" / "trust")
    with pytest.raises(UsageError, match="holds a journal whose trust root is gone") as caught:
        init_trust(state.folder / "home", trust_domain="pratique.local", clock=state.clock)
    assert "restore" in caught.value.hint
    assert not (state.folder / "home" / "trust").exists()


def test_keys_are_never_overwritten(state: State) -> None:
    path = state.key("ada")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        generate_key_pair(path, passphrase=None)
    path.unlink()
    with pytest.raises(UsageError, match=r"ada\.key\.pub is there already"):
        generate_key_pair(path, passphrase=None)
    assert not path.exists()
    assert before
