"""Advisories are imported once for one state of their sources, with what is known to be exploited."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pratique.errors import ConfigError, MalformedError
from pratique.flow.advisories import open_advisories
from pratique.flow.config import Project, parse_config

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.flow.workspace import Workspace

RECORD = {
    "id": "GHSA-test",
    "modified": "2026-01-01T00:00:00Z",
    "aliases": ["CVE-2026-1"],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "left"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
        }
    ],
}


def project(folder: Path, **scan: Any) -> Project:
    source = {"name": "facts", "path": "osv", "date": "2026-11-22", "licence": "CC0-1.0"}
    table = {
        "project": {"name": "app"},
        "build": {"recipe": "python-wheel", "tools": "t", "source": {"directory": "."}},
        "scan": {"advisories": [source], **scan},
    }
    return Project(root=folder, config=parse_config(table, what="x"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "osv").mkdir()
    (tmp_path / "osv" / "a.json").write_text(json.dumps(RECORD))
    return cast("Workspace", SimpleNamespace(home=tmp_path / "home"))


def test_a_database_is_made_once_for_one_state_of_the_sources(tmp_path: Path, workspace: Workspace) -> None:
    for _ in range(2):
        with open_advisories(workspace, project(tmp_path)) as database:
            assert database.info.records == 1
    assert len(list((tmp_path / "home" / "advisories").glob("*.sqlite"))) == 1


def test_a_changed_source_is_imported_again(tmp_path: Path, workspace: Workspace) -> None:
    with open_advisories(workspace, project(tmp_path)) as before:
        pass
    (tmp_path / "osv" / "b.json").write_text(json.dumps({**RECORD, "id": "GHSA-other"}))
    with open_advisories(workspace, project(tmp_path)) as after:
        assert after.info.records == 2
    assert before.info.digest != after.info.digest


def test_what_is_known_by_cve_is_part_of_it_with_its_own_date(tmp_path: Path, workspace: Workspace) -> None:
    catalogue = {
        "dateReleased": "2026-02-04T00:00:00Z",
        "vulnerabilities": [{"cveID": "CVE-2026-1", "dateAdded": "2026-02-03"}],
    }
    (tmp_path / "kev.json").write_text(json.dumps(catalogue))
    (tmp_path / "epss.csv").write_text(
        "#model_version:v2025.03.14,score_date:2026-02-05T00:00:00Z\ncve,epss,percentile\nCVE-2026-1,0.5,0.9\n"
    )
    named = project(tmp_path, exploited="kev.json", epss="epss.csv")
    with open_advisories(workspace, named) as database:
        (entry,) = database.lookup("PyPI", "left")
        assert (entry.exploited, entry.epss) == ("2026-02-03", 0.5)
        dates = {signal.name: f"{signal.date:%Y-%m-%d}" for signal in database.info.signals}
    assert dates == {"kev": "2026-02-04", "epss": "2026-02-05"}


def test_a_missing_source_and_a_missing_catalogue_are_named(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match=r"kev\.json: no advisories there"):
        open_advisories(workspace, project(tmp_path, exploited="kev.json"))
    (tmp_path / "osv").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="osv: no advisories there"):
        open_advisories(workspace, project(tmp_path))


def test_a_catalogue_of_something_else_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "kev.json").write_text("{}")
    with pytest.raises(MalformedError):
        open_advisories(workspace, project(tmp_path, exploited="kev.json"))
