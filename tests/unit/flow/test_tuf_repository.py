from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.errors import ConfigError, InfrastructureError, SignatureInvalidError, UsageError
from pratique.flow.rotate import Plan, rotate
from pratique.flow.trust_repository import (
    SIGNING_CONFIG,
    Exported,
    export_trust,
    other_roots,
    use_file,
    use_trust,
)
from pratique.flow.tuf.publish import publish
from pratique.flow.verify import find_root
from pratique.flow.workspace import Workspace
from pratique.model.clock import system_clock
from pratique.model.digest import sha256_bytes
from pratique.trust.authority.init import initialise
from pratique.trust.root import parse_root
from pratique.trust.signers.file import LocalKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime.now(UTC)


def key() -> LocalKey:
    return LocalKey(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Exported]:
    home = tmp_path / "home"
    initialise(home / "trust", trust_domain="log.example.org", clock=system_clock)

    def again(url: str = "") -> Exported:
        return export_trust(
            home,
            tmp_path / "stick",
            url=url,
            oidc=[],
            root_keys=[],
            online_key=None,
            days=30,
            clock=system_clock,
        )

    return again


def test_from_a_stick(tmp_path: Path, export: Callable[..., Exported]) -> None:
    done = export("https://log.example.org:8443")
    used = use_trust(tmp_path / "other", str(done.folder), pinned=done.root.read_bytes())
    assert used.root.data == (tmp_path / "home" / "trust" / "trusted_root.json").read_bytes()
    config = json.loads((used.folder / SIGNING_CONFIG).read_bytes())
    assert config["tsaUrls"][0]["url"] == "https://log.example.org:8443/api/v1/timestamp"
    assert config["rekorTlogUrls"][0]["majorApiVersion"] == 2


def test_publishing_again_keeps_where_clients_sign(tmp_path: Path, export: Callable[..., Exported]) -> None:
    first, second = export("https://log.example.org"), export()
    assert (first.version, second.version) == (1, 2)
    assert use_trust(tmp_path / "other", str(first.folder), pinned=first.root.read_bytes()).signing


def test_an_older_repository_is_refused(tmp_path: Path, export: Callable[..., Exported]) -> None:
    done = export()
    old = (done.folder / "timestamp.json").read_bytes()
    export()
    pinned = done.root.read_bytes()
    use_trust(tmp_path / "other", str(done.folder), pinned=pinned)
    (done.folder / "timestamp.json").write_bytes(old)
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        use_trust(tmp_path / "other", str(done.folder), pinned=pinned)


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json", "targets"])
def test_changed_files_are_refused(tmp_path: Path, export: Callable[..., Exported], name: str) -> None:
    done = export()
    path = done.folder / name
    path = next(path.iterdir()) if path.is_dir() else path
    path.write_bytes(path.read_bytes().replace(b"2", b"3"))
    with pytest.raises((SignatureInvalidError, InfrastructureError)):
        use_trust(tmp_path / "other", str(done.folder), pinned=done.root.read_bytes())


def test_another_root_is_refused(tmp_path: Path, export: Callable[..., Exported]) -> None:
    done = export()
    publish(tmp_path / "evil", {}, root_keys=[key()], online_key=key(), days=1, moment=NOW)
    with pytest.raises(SignatureInvalidError):
        use_trust(tmp_path / "other", str(done.folder), pinned=(tmp_path / "evil/root.json").read_bytes())
    with pytest.raises(SignatureInvalidError):
        use_trust(tmp_path / "other", str(done.folder), pinned=b"{}")
    assert not list((tmp_path / "other").rglob("trusted_root.json"))


def test_a_repository_that_has_run_out(tmp_path: Path) -> None:
    long_ago = NOW - timedelta(days=40)
    folder = tmp_path / "repository"
    publish(folder, {"a": b"b"}, root_keys=[key()], online_key=key(), days=30, moment=long_ago)
    with pytest.raises(SignatureInvalidError, match="expired"):
        use_trust(tmp_path / "other", str(folder), pinned=(folder / "root.json").read_bytes())


def test_every_root_key_signs_and_the_root_is_renewed_in_time(tmp_path: Path) -> None:
    folder, roots, online = tmp_path / "repository", [key(), key()], key()
    publish(folder, {"a": b"b"}, root_keys=roots, online_key=online, days=30, moment=NOW)
    root = json.loads((folder / "1.root.json").read_bytes())
    assert root["signed"]["roles"]["root"]["threshold"] == 2
    assert len(root["signatures"]) == 2
    publish(folder, {"a": b"b"}, root_keys=roots, online_key=online, days=30, moment=NOW)
    assert not (folder / "2.root.json").exists()
    later = NOW + timedelta(days=250)
    publish(folder, {"a": b"b"}, root_keys=roots, online_key=online, days=30, moment=later)
    assert json.loads((folder / "2.root.json").read_bytes())["signed"]["version"] == 2
    assert (folder / "root.json").read_bytes() == (folder / "2.root.json").read_bytes()


def test_other_keys_do_not_publish(tmp_path: Path) -> None:
    folder, root, online = tmp_path / "repository", key(), key()
    publish(folder, {}, root_keys=[root], online_key=online, days=30, moment=NOW)
    for root_key, online_key in ((key(), online), (root, key())):
        with pytest.raises(ConfigError, match="than"):
            publish(folder, {}, root_keys=[root_key], online_key=online_key, days=30, moment=NOW)


def test_where_there_is_none(tmp_path: Path) -> None:
    for source in (str(tmp_path / "nowhere"), "ftp://example.org"):
        with pytest.raises(UsageError):
            use_trust(tmp_path / "other", source, pinned=b"{}")


def test_a_client_with_the_old_version_takes_over_the_rotated_root(
    tmp_path: Path, export: Callable[..., Exported]
) -> None:
    done = export()
    pinned = done.root.read_bytes()
    old = use_trust(tmp_path / "other", str(done.folder), pinned=pinned, name="partner").root
    moment = system_clock() + timedelta(hours=1)
    workspace = Workspace.open(tmp_path / "home", clock=lambda: moment)
    rotated = rotate(workspace, Plan())
    export()
    new = use_trust(tmp_path / "other", str(done.folder), pinned=pinned, name="partner").root
    assert (old.fingerprint, new.fingerprint) == (rotated.old, rotated.new)
    assert other_roots(tmp_path / "other") == {"partner": new}
    assert find_root(tmp_path / "other", "partner") == new


def test_roots_side_by_side_by_file_and_fingerprint(tmp_path: Path, export: Callable[..., Exported]) -> None:
    done = export()
    file, home = tmp_path / "home/trust/trusted_root.json", tmp_path / "other"
    root = parse_root(file.read_bytes())
    use_trust(home, str(done.folder), pinned=done.root.read_bytes(), name="stick")
    use_file(home, file, fingerprint=root.fingerprint, name="file")
    assert other_roots(home) == {"file": root, "stick": root}
    with pytest.raises(SignatureInvalidError, match="has fingerprint"):
        use_file(home, file, fingerprint=sha256_bytes(b"another"), name="evil")
    with pytest.raises(UsageError, match="follows a TUF repository"):
        use_file(home, file, fingerprint=root.fingerprint, name="stick")
    with pytest.raises(UsageError, match="is of another root"):
        use_trust(home, str(done.folder), pinned=b"{}", name="stick")
    for name in ("../x", "", ".x", "A"):
        with pytest.raises(UsageError, match="cannot name a trusted root"):
            use_file(home, file, fingerprint=root.fingerprint, name=name)
    assert set(other_roots(home)) == {"file", "stick"}


def test_sigstores_public_good_root_stands_beside_ones_own(tmp_path: Path, test_data: Path) -> None:
    file = test_data / "evidence" / "public-good.trusted_root.json"
    root = parse_root(file.read_bytes())
    use_file(tmp_path, file, fingerprint=root.fingerprint, name="public-good")
    assert find_root(tmp_path, "public-good").fingerprint == root.fingerprint
