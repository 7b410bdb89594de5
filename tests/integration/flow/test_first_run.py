"""The first run in a state directory makes its trust root; a journal without its root gets no other."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project


@pytest.mark.sandbox
def test_the_first_ship_makes_a_trust_root_and_the_next_keeps_it(bare_project: Project) -> None:
    first = bare_project.run("ship", expect=6)
    assert "made a private trust root" in first
    root = bare_project.ask("trust", "show")["fingerprint"]
    assert "made a private trust root" not in bare_project.run("ship", expect=6)
    assert bare_project.ask("trust", "show")["fingerprint"] == root


@pytest.mark.sandbox
def test_a_journal_whose_root_is_gone_gets_no_new_one(bare_project: Project) -> None:
    bare_project.run("ship", expect=6)
    shutil.rmtree(bare_project.home / "trust")
    assert "whose trust root is gone" in bare_project.run("ship", expect=2)
    assert not (bare_project.home / "trust").exists()
