"""`trust use --public-good`: the first root.json comes from sigstore-python's package, nothing from us."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pratique.errors import ConfigError, InfrastructureError, SignatureInvalidError, UsageError
from pratique.flow import public_good
from pratique.flow.public_good import ADDRESS, use_public_good, use_shipped
from pratique.flow.trust import init_trust
from pratique.flow.trust_repository import export_trust
from pratique.flow.tuf import fetch
from pratique.flow.verify import find_root
from pratique.model.clock import system_clock
from pratique.trust.root import parse_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No test finds the package that another one made."""
    yield
    sys.modules.pop("sigstore", None)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A TUF repository of a private root, as Sigstore's is one of the public root."""
    init_trust(tmp_path / "theirs", trust_domain="sigstore.example", clock=system_clock)
    folder = tmp_path / "repository"
    export_trust(
        tmp_path / "theirs", folder, url="", oidc=[], root_keys=[], online_key=None, days=30,
        clock=system_clock,
    )  # fmt: skip
    return folder


@pytest.fixture
def package(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package laid out as sigstore-python's is, with what the repository began with."""
    folder = tmp_path / "site" / "sigstore"
    store = folder / "_store" / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
    store.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copy(repository / "1.root.json", store / "root.json")
    shutil.copy(tmp_path / "theirs/trust/trusted_root.json", store / "trusted_root.json")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return store


def test_without_the_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sigstore-python") as caught:
        use_public_good(tmp_path / "home", "")
    assert caught.value.hint == "pip install 'pratique[sigstore]'"
    assert not (tmp_path / "home").exists()


def test_from_a_copy_in_a_folder_and_again(tmp_path: Path, repository: Path, package: Path) -> None:
    home = tmp_path / "home"
    done = use_public_good(home, str(repository))
    assert find_root(home, "public-good").fingerprint == done.root.fingerprint
    (package / "root.json").write_bytes(b"a later package begins with a later root")
    assert use_public_good(home, str(repository)).root.fingerprint == done.root.fingerprint


def test_a_copy_of_another_repository(tmp_path: Path, repository: Path, package: Path) -> None:
    assert package
    init_trust(tmp_path / "evil", trust_domain="sigstore.example", clock=system_clock)
    other = tmp_path / "other"
    export_trust(
        tmp_path / "evil", other, url="", oidc=[], root_keys=[], online_key=None, days=30, clock=system_clock
    )
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        use_public_good(tmp_path / "home", str(other))
    assert not list((tmp_path / "home").rglob("trusted_root.json"))
    assert repository


def test_without_a_network(
    tmp_path: Path, repository: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    assert package
    monkeypatch.setattr(fetch.http.client.HTTPSConnection, "request", refuse)
    with pytest.raises(InfrastructureError, match="Network is unreachable") as caught:
        use_public_good(tmp_path / "home", "")
    assert ADDRESS in caught.value.message
    assert not list((tmp_path / "home").rglob("trusted_root.json"))
    with pytest.raises(InfrastructureError):  # and again, with what that left
        use_public_good(tmp_path / "home", "")
    assert use_public_good(tmp_path / "home", str(repository)).root


def test_as_it_was_shipped_and_then_followed(tmp_path: Path, repository: Path, package: Path) -> None:
    home = tmp_path / "home"
    done = use_shipped(home)
    assert done.root.data == (package / "trusted_root.json").read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        use_shipped(home)
    assert use_public_good(home, str(repository)).root.fingerprint == done.root.fingerprint


def test_a_package_that_keeps_its_files_elsewhere(tmp_path: Path, package: Path) -> None:
    (package / "root.json").unlink()
    with pytest.raises(ConfigError, match=r"has no root\.json"):
        use_public_good(tmp_path / "home", "")


def test_the_real_root(tmp_path: Path, test_data: Path, package: Path) -> None:
    """What Sigstore published, in place of what stands for it above."""
    real = (test_data / "evidence" / "public-good.trusted_root.json").read_bytes()
    (package / "trusted_root.json").write_bytes(real)
    use_shipped(tmp_path / "home")
    found = find_root(tmp_path / "home", public_good.NAME)
    assert found.fingerprint == parse_root(real).fingerprint
    assert [log.origin for log in found.tlogs] == ["rekor.sigstore.dev", "log2025-1.rekor.sigstore.dev"]
