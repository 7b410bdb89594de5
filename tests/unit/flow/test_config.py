"""pratique.toml: what is wrong is said with its place, and the key that was probably meant."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import ConfigError
from pratique.flow.config import find_project, load_project, parse_config

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "project": {"name": "app"},
    "build": {"recipe": "python-wheel", "tools": "build.lock", "source": {"directory": "."}},
    "scan": {
        "advisories": [{"name": "osv", "path": "all.zip", "date": "2026-11-22", "licence": "CC-BY-4.0"}]
    },
    "environments": {
        "production": {
            "kind": "directory",
            "path": "deployed",
            "quorum": [{"role": "approver", "count": 2}],
            "service": {"command": ["{python}", "-m", "app"], "port": 8080},
        }
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Copy the good table with one value changed; `...` removes the key."""
    table = copy.deepcopy(GOOD)
    *folders, key = path.split("/")
    inner: Any = table
    for folder in folders:
        inner = inner[int(folder)] if folder.isdigit() else inner[folder]
    if value is ...:
        del inner[key]
    else:
        inner[key] = value
    return table


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("project/name", "No Spaces", "project.name"),
        ("project/name", 3, "Expected `str`, got `int` - at `project.name`"),
        ("project", ..., "missing required field `project`"),
        ("build/recipe", "docker", "build.recipe"),
        ("build/source", {}, "exactly one of directory, sdist"),
        ("build/source", {"directory": ".", "sdist": "x"}, "exactly one of directory, sdist"),
        ("build/dependencies", "requirements.lock", "belongs to recipe python-app"),
        ("build/timeout_seconds", 10**12, "1 to 86400"),
        ("build/timeout_seconds", 0, "timeout_seconds"),
        ("environments/production/kind", "moon", "kind"),
        ("environments/production/quorum", [], "quorum is empty"),
        ("environments/production/path", "", "path"),
        ("environments/production/path", ".", "not a folder of its own"),
        ("environments/production/path", "a/../../b", "not a folder of its own"),
        ("environments/production/path", "journal", "not a folder of its own"),
        ("environments/production/path", "/", "path is the root directory"),
        ("environments/production/approval_hours", 24 * 90 + 1, "1 to 2160"),
        ("environments/production/service/start_seconds", 0, "start_seconds"),
        ("environments/production/service/port", 70000, "port"),
        ("environments/production/service/health", "healthz", "health"),
        ("environments/production/service/command", ["{python}", "{secret}"], "unknown placeholder {secret}"),
        ("environments/production/service/environment", {"LD_PRELOAD": "x"}, "'LD_PRELOAD' cannot be set"),
        ("environments", {"x" * 63: GOOD["environments"]["production"]}, "not a lower-case name"),
        ("environments/production/quorum/0/count", 0, "quorum[0].count"),
        ("environments/production/approval_hours", 0, "approval_hours"),
        ("environments/production/service/port", 70000, "service.port"),
        ("environments/production/service/command", [], "service.command"),
        ("environments/production/service/health", "healthz", "service.health"),
        ("scan/advisories", [], "nothing could ever be found"),
        ("trust", {"server": "https://team.example"}, "needs trust.root"),
        ("trust", {"root": "team"}, "say nothing without trust.server"),
        ("scan/advisories/0/date", "soon", "scan.advisories[0].date"),
    ],
)
def test_says_what_is_wrong_and_where(path: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(changed(path, value), what="pratique.toml")
    assert raised.value.message.startswith("pratique.toml: ")
    assert says in raised.value.message


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("projekt", "project"),
        ("build/tolls", "tools"),
        ("environments/production/servce", "service"),
        ("environments/production/quorum/0/roll", "role"),
    ],
)
def test_an_unknown_key_names_the_one_that_was_meant(path: str, meant: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(changed(path, "x"), what="pratique.toml")
    assert raised.value.hint == f"did you mean {meant!r}?"


def test_the_good_table_is_good() -> None:
    assert parse_config(GOOD, what="x").environments["production"].quorum[0].count == 2


def test_a_project_is_found_from_a_folder_below_it(tmp_path: Path) -> None:
    (tmp_path / "pratique.toml").write_text(
        '[project]\nname="app"\n[build]\nrecipe="python-wheel"\ntools="t"\nsource.directory="."\n'
        '[[scan.advisories]]\nname="a"\npath="a"\ndate=2026-11-22\nlicence="CC0-1.0"\n'
    )
    (tmp_path / "src" / "deep").mkdir(parents=True)
    assert find_project(tmp_path / "src" / "deep").root == tmp_path.resolve()


def test_without_a_project_the_hint_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        find_project(tmp_path)
    assert raised.value.hint == "write one with: pratique init"


@pytest.mark.parametrize("data", [b"\xff", b"[project", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pratique.toml").write_bytes(data)
    with pytest.raises(ConfigError):
        load_project(tmp_path / "pratique.toml")


def test_the_only_environment_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "pratique.toml").write_text(
        '[project]\nname="app"\n[build]\nrecipe="python-wheel"\ntools="t"\nsource.directory="."\n'
        '[[scan.advisories]]\nname="a"\npath="a"\ndate=2026-11-22\nlicence="CC0-1.0"\n'
        '[environments.one]\nkind="directory"\npath="p"\n'
        'quorum=[{role="approver",count=1}]\n'
    )
    project = load_project(tmp_path / "pratique.toml")
    assert project.environment(None)[0] == project.environment("one")[0] == "one"
    with pytest.raises(ConfigError, match="no environment named 'two' \\(there are: one\\)"):
        project.environment("two")


def test_a_whole_policy_leaves_no_room_for_additions() -> None:
    with pytest.raises(ConfigError, match=r"policy\.folder is a whole policy"):
        parse_config({**GOOD, "policy": {"folder": "policy", "rules": "rules"}}, what="x")
