"""Passwords of registries, from the files that container tools keep."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import ConfigError
from pratique.image.registry.credentials import auth_file, load_credentials
from pratique.image.registry.http import Credentials

if TYPE_CHECKING:
    from pathlib import Path


def entry(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def written(folder: Path, table: Any) -> Path:
    path = folder / "auth.json"
    path.write_text(json.dumps(table))
    return path


def test_the_entry_of_the_longest_name_wins(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "auths": {
                "r.example": entry("a:1"),
                "r.example/acme": entry("b:2"),
                "r.example:5000": entry("c:3:4"),
            }
        },
    )
    assert load_credentials(path, "r.example", "acme/policy") == Credentials("b", "2")
    assert load_credentials(path, "r.example", "acm") == Credentials("a", "1")
    assert load_credentials(path, "r.example:5000", "acme/policy") == Credentials("c", "3:4")
    assert load_credentials(path, "other.example", "acme/policy") is None
    assert load_credentials(None, "r.example", "acme/policy") is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"auths": {"r.example": {"auth": "no base64!"}}}, "not the base64"),
        ({"auths": {"r.example": entry("no colon")}}, "not the base64"),
        ({"credsStore": "desktop"}, "helper"),
        ({"credHelpers": {"r.example": "pass"}}, "helper"),
        (["auths"], "not a JSON object"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, table: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_credentials(written(tmp_path, table), "r.example", "acme/policy")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_credentials(tmp_path / "missing", "r.example", "acme")


def test_the_file_is_found_as_others_find_it() -> None:
    assert auth_file({}) is None
    assert str(auth_file({"DOCKER_CONFIG": "/x"})) == "/x/config.json"
    assert str(auth_file({"DOCKER_CONFIG": "/x", "REGISTRY_AUTH_FILE": "/y"})) == "/y"
