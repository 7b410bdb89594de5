"""`[[policy.source]]` in pratique.toml, as a user writes it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import ConfigError
from pratique.flow.config import Project, parse_config
from pratique.flow.policy import policy_of

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.policy.bundle import PolicyBundle

BASE = """
[project]
name = "harbour"
[build]
recipe = "python-wheel"
source = { directory = "." }
tools = "tools.lock"
[scan]
advisories = [{ name = "pypa", path = "a.zip", date = 2026-11-01, licence = "CC-BY-4.0" }]
"""
SOURCE = """
[[policy.source]]
path = "policy/Acme"
rego = "v0"
input = "attestations"
data = ["data"]
rule_data = { allowed = ["x"] }
include = ["*"]
exclude = ["acme.deny:old"]
volatile_exclude = [{ value = "acme.warn", effective_until = "2027-01-31", reason = "OPS-12" }]
"""


def load(state: Any, text: str) -> PolicyBundle:
    config = parse_config(tomllib.loads(BASE + text), what="pratique.toml")
    return policy_of(state.workspace, Project(root=state.folder, config=config))


@pytest.fixture
def folder(state: Any) -> Path:
    tmp_path: Path = state.folder
    (tmp_path / "policy" / "Acme" / "lib").mkdir(parents=True)
    (tmp_path / "policy" / "Acme" / "deny.rego").write_text("package acme\ndeny[msg] { msg = data.m }\n")
    (tmp_path / "policy" / "Acme" / "lib" / "a.rego").write_text("package lib.a\n")
    (tmp_path / "policy" / "Acme" / "deny_test.rego").write_text("package acme_test\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "m.yml").write_text("m: no\n")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_source_is_read_with_all_it_names(state: Any) -> None:
    (source,) = load(state, SOURCE).sources
    assert source.name == "acme"
    assert set(source.modules) == {"deny.rego", "lib/a.rego"}
    assert source.data == {"m": "no", "rule_data__configuration__": {"allowed": ["x"]}}
    assert (source.rego, source.input) == ("v0", "attestations")
    assert source.selection.exclude == ("acme.deny:old",)
    assert source.selection.volatile_exclude[0].reason == "OPS-12"


def test_every_file_of_a_source_is_in_the_policys_digest(state: Any, folder: Path) -> None:
    before = load(state, SOURCE).digest
    assert load(state, SOURCE).digest == before
    (folder / "policy" / "Acme" / "deny_test.rego").write_text("package other_test\n")
    assert load(state, SOURCE).digest == before
    (folder / "data" / "m.yml").write_text("m: not now\n")
    assert load(state, SOURCE).digest != before


@pytest.mark.usefixtures("folder")
def test_two_paths_of_one_name_need_names(state: Any) -> None:
    with pytest.raises(ConfigError, match="two sources are called acme"):
        load(state, SOURCE + SOURCE)
    assert [source.name for source in load(state, SOURCE + SOURCE + 'name = "b"\n').sources] == ["acme", "b"]


@pytest.mark.parametrize(
    ("old", "new", "match", "hint"),
    [
        ("exclude = [", "exlude = [", "exlude", "did you mean 'exclude'?"),
        ('rego = "v0"', 'rego = "v2"', "rego", ""),
        ("effective_until", "effectiveUntil", "effectiveUntil", "did you mean 'effective_until'?"),
        ('"policy/Acme"', '"policy/absent"', "no such folder of rules", ""),
        ('data = ["data"]', 'data = ["nothing"]', r"no \*.json", ""),
        ('["*"]', '["@"]', "no criterion", "@collection, package, package.rule, …:term, or *"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_slip_of_the_pen_is_an_error(state: Any, old: str, new: str, match: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        load(state, SOURCE.replace(old, new))
    assert caught.value.hint == hint
