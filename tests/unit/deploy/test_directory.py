from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pratique.deploy.target.directory import DirectoryTarget
from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.model.digest import Digest, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


def artifact(folder: Path, name: str, content: str) -> tuple[Digest, Path]:
    path = folder / name
    if not name.endswith(".tar"):
        path.write_text(content)
        return sha256_bytes(path.read_bytes()), path
    with tarfile.open(path, "w") as archive:
        for member in ("app.py", "lib/a.py"):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    return sha256_bytes(path.read_bytes()), path


@pytest.fixture
def target(tmp_path: Path) -> DirectoryTarget:
    return DirectoryTarget(tmp_path / "env")


def put(target: DirectoryTarget, folder: Path, name: str, content: str) -> Digest:
    digest, path = artifact(folder, name, content)
    with target.locked():
        target.install(digest, name, path)
        target.switch(digest)
    return digest


def test_a_tar_is_unpacked_and_a_wheel_is_copied(target: DirectoryTarget, tmp_path: Path) -> None:
    first = put(target, tmp_path, "app.tar", "one")
    assert (tmp_path / "env/current").readlink() == Path(f"releases/{first.hex}")
    assert (tmp_path / "env/current/lib/a.py").read_text() == "one"
    second = put(target, tmp_path, "shop-1.0-py3-none-any.whl", "wheel")
    assert [p.name for p in (tmp_path / "env/current/").iterdir()] == ["shop-1.0-py3-none-any.whl"]
    assert target.current() == second
    observed = target.inspect()
    assert (observed.current, observed.problems) == (second, ())
    assert not (tmp_path / "env/.pratique/staging").exists()


def test_the_same_content_has_the_same_digest_wherever_it_is(tmp_path: Path) -> None:
    digest, path = artifact(tmp_path, "app.tar", "one")
    contents = set()
    for name in ("a", "b"):
        target = DirectoryTarget(tmp_path / name)
        with target.locked():
            contents.add(target.install(digest, "app.tar", path))
            assert target.install(digest, "app.tar", path) in contents
    assert len(contents) == 1


def test_bytes_that_are_not_the_artifact_never_arrive(target: DirectoryTarget, tmp_path: Path) -> None:
    _, path = artifact(tmp_path, "app.tar", "one")
    other = Digest("0" * 64)
    with target.locked(), pytest.raises(EvidenceInvalidError, match="is not sha256:0000"):
        target.install(other, "app.tar", path)
    assert not target.release(other).exists()


def test_a_hostile_tar_leaves_nothing_but_staging(target: DirectoryTarget, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("../evil")
        archive.addfile(info, io.BytesIO())
    digest = sha256_bytes(path.read_bytes())
    with target.locked(), pytest.raises(MalformedError):
        target.install(digest, "app.tar", path)
    assert not target.release(digest).exists()
    assert not list(tmp_path.rglob("evil"))
    put(target, tmp_path, "app.tar", "good")
    assert not (tmp_path / "env/.pratique/staging").exists()


def break_content(release: Path) -> None:
    (release / "app.py").write_text("two")


def break_extra(release: Path) -> None:
    (release / "extra").write_text("")


def break_missing(release: Path) -> None:
    (release / "app.py").unlink()


def break_mode(release: Path) -> None:
    (release / "app.py").chmod(0o777)


def break_link(release: Path) -> None:
    (release / "app.py").unlink()
    (release / "app.py").symlink_to("lib/a.py")


def break_kind(release: Path) -> None:
    (release / "app.py").unlink()
    (release / "app.py").mkdir()


TAMPERING = {
    break_content: "app.py: content changed",
    break_extra: "extra: added",
    break_missing: "app.py: missing",
    break_mode: "app.py: mode 0777 instead of 0644",
    break_link: "app.py: a other instead of a file",
    break_kind: "app.py: a directory instead of a file",
}


@pytest.mark.parametrize(("tamper", "says"), TAMPERING.items())
def test_tampering_is_found_and_a_redeployment_repairs_it(
    target: DirectoryTarget,
    tmp_path: Path,
    tamper: Callable[[Path], None],
    says: str,
) -> None:
    digest = put(target, tmp_path, "app.tar", "one")
    intact = target.inspect()
    tamper(target.release(digest))
    found = target.inspect()
    assert found.problems == (says,)
    assert found.content != intact.content
    assert put(target, tmp_path, "app.tar", "one") == digest
    assert target.inspect() == intact


def test_a_release_or_a_manifest_that_is_gone_is_a_problem(target: DirectoryTarget, tmp_path: Path) -> None:
    digest = put(target, tmp_path, "app.tar", "one")
    manifest = tmp_path / f"env/.pratique/manifests/{digest.hex}.json"
    manifest.write_text("{}")
    assert target.inspect().problems == ("no manifest to compare the release with",)
    manifest.unlink()
    assert target.inspect().problems == ("no manifest to compare the release with",)
    target.release(digest).rename(tmp_path / "away")
    assert target.inspect().problems == ("the release that `current` points to is missing",)
    put(target, tmp_path, "app.tar", "one")
    assert target.inspect().problems == ()


def test_nothing_there_is_seen_as_nothing(target: DirectoryTarget) -> None:
    assert target.inspect().current is None
    assert target.inspect().problems == ()


@pytest.mark.parametrize("kind", ["file", "directory", "foreign link", "dangling foreign link"])
def test_a_current_that_is_not_ours_is_left_alone(target: DirectoryTarget, tmp_path: Path, kind: str) -> None:
    current = tmp_path / "env/current"
    current.parent.mkdir()
    match kind:
        case "file":
            current.write_text("")
        case "directory":
            current.mkdir()
        case "foreign link":
            current.symlink_to(tmp_path)
        case _:
            current.symlink_to("/nowhere")
    with pytest.raises(UsageError, match="not made by pratique"):
        target.switch(Digest("a" * 64))
    assert "not made by pratique" in target.inspect().problems[0]


def test_switching_to_a_release_that_is_not_installed_fails(target: DirectoryTarget, tmp_path: Path) -> None:
    digest = put(target, tmp_path, "app.tar", "one")
    with pytest.raises(InfrastructureError, match="cannot switch"):
        target.switch(Digest("f" * 64))
    assert target.current() == digest
    target.switch(None)
    assert target.current() is None


def test_pruning_keeps_the_newest_and_never_the_live_one(target: DirectoryTarget, tmp_path: Path) -> None:
    releases = []
    for turn in range(7):
        digest = put(target, tmp_path, "app.tar", f"release {turn}")
        os.utime(tmp_path / f"env/.pratique/manifests/{digest.hex}.json", ns=(turn, turn))
        releases.append(digest)
    target.switch(releases[0])
    os.utime(tmp_path / f"env/.pratique/manifests/{releases[0].hex}.json", ns=(0, 0))
    removed = target.prune(keep=3, protect=(releases[1],))
    assert set(removed) == {releases[2], releases[3], releases[4], releases[5]}
    assert {p.name for p in (tmp_path / "env/releases").iterdir()} == {releases[n].hex for n in (0, 1, 6)}
    assert len(list((tmp_path / "env/.pratique/manifests").iterdir())) == 3
    assert target.prune(keep=0) == [releases[6], releases[1]]
    assert target.inspect().problems == ()


def test_one_deployer_at_a_time(target: DirectoryTarget) -> None:
    with (
        target.locked(),
        pytest.raises(InfrastructureError, match="held by"),
        DirectoryTarget(target.path).locked(wait=0),
    ):
        pass
