"""Passwords of registries, from the files that container tools keep."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import ConfigError
from pratique.image.registry.challenge import Credentials
from pratique.image.registry.credentials import auth_file, load_credentials

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


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put credential helpers on the PATH, as programs; each notes what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {
        "keeps": 'echo \'{"ServerURL": "x", "Username": "me", "Secret": "s3cret"}\'',
        "token": 'echo \'{"Username": "<token>", "Secret": "t0k3n"}\'',
        "empty": "echo credentials not found in native keychain; exit 1",
        "broken": "echo the keychain is locked; exit 1",
        "silent": "echo {}",
    }
    for name, body in answers.items():
        program = folder / f"docker-credential-{name}"
        program.write_text(f'#!/bin/sh\necho "$1 $(cat)" > {folder}/asked\n{body}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_a_helper_is_asked_for_the_registry(helpers: Path, tmp_path: Path) -> None:
    path = written(tmp_path, {"credHelpers": {"r.example": "keeps"}, "auths": {"r.example": {}}})
    assert load_credentials(path, "r.example", "a") == Credentials("me", "s3cret")
    assert (helpers / "asked").read_text() == "get r.example\n"
    path = written(tmp_path, {"credsStore": "token"})
    assert load_credentials(path, "docker.io", "library/python") == Credentials(identity_token="t0k3n")
    assert (helpers / "asked").read_text() == "get https://index.docker.io/v1/\n"
    path = written(tmp_path, {"credsStore": "empty"})
    assert load_credentials(path, "r.example", "a") is None


def test_identity_tokens_and_docker_hubs_names(tmp_path: Path) -> None:
    table = {"auths": {"r.example": {"identitytoken": "t"}, "https://index.docker.io/v1/": entry("a:1")}}
    path = written(tmp_path, table)
    assert load_credentials(path, "r.example", "a") == Credentials(identity_token="t")
    assert load_credentials(path, "docker.io", "library/python") == Credentials("a", "1")


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert auth_file(environment) is None
    for place in (".docker/config.json", ".config/containers/auth.json", "run/containers/auth.json"):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        file.write_text("{}")
        assert auth_file(environment) == file


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"auths": {"r.example": {"auth": "no base64!"}}}, "not the base64"),
        ({"auths": {"r.example": entry("no colon")}}, "not the base64"),
        ({"credsStore": "no-such"}, "docker-credential-no-such, which is not on the PATH"),
        ({"credHelpers": {"r.example": "no-such"}}, "not on the PATH"),
        ({"credHelpers": {"r.example": "../../bin/sh"}}, "not a credential helper's name"),
        ({"credsStore": "broken"}, "gives no password for r.example: .*locked"),
        ({"credsStore": "silent"}, "no Username and Secret"),
        (["auths"], "not a JSON object"),
    ],
)
@pytest.mark.usefixtures("helpers")
def test_what_cannot_be_used_is_said(tmp_path: Path, table: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_credentials(written(tmp_path, table), "r.example", "acme/policy")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_credentials(tmp_path / "missing", "r.example", "acme")


def test_the_file_is_found_as_others_find_it() -> None:
    assert auth_file({}) is None
    assert str(auth_file({"DOCKER_CONFIG": "/x"})) == "/x/config.json"
    assert str(auth_file({"DOCKER_CONFIG": "/x", "REGISTRY_AUTH_FILE": "/y"})) == "/y"
