"""Sources: git repositories that may be hostile, plain directories, archives."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from pratique.build.git import parse_commit, public_url
from pratique.build.inputs import Input
from pratique.build.source import FALLBACK_EPOCH, load_directory, load_sdist, stage
from pratique.errors import ConfigError, EvidenceInvalidError, MalformedError
from pratique.model.digest import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Author",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "1000000000 +0200",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.org",
    "GIT_COMMITTER_DATE": "1100000000 -0500",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": "/usr/bin:/bin",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, env=IDENTITY, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    (folder / "link").symlink_to("tool.sh")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    message = "first\n\nCo-authored-by: Cora Second <cora@example.org>\n"
    git(folder, "commit", "-q", "-m", message)
    return folder


def test_a_clean_repository(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://user:s3cret@example.org/a/demo.git?token=x")
    (repository / "untracked.py").touch()
    source = load_directory(repository)
    commit = git(repository, "rev-parse", "HEAD").strip()
    assert (source.kind, source.commit, source.dirty, source.epoch) == ("git", commit, False, 1100000000)
    assert source.uri == f"git+https://example.org/a/demo.git@{commit}"
    assert source.authors == (
        "Ada Author <ada@example.org>",
        "Carl Committer <carl@example.org>",
        "Cora Second <cora@example.org>",
    )
    assert [entry.path for entry in source.entries] == ["link", "pyproject.toml", "tool.sh"]


@pytest.mark.parametrize("change", ["content", "mode", "staged", "deleted-from-index"])
def test_any_change_is_dirty(repository: Path, change: str) -> None:
    before = load_directory(repository).digest
    match change:
        case "content":
            (repository / "pyproject.toml").write_text("[project] # changed\n")
        case "mode":
            (repository / "tool.sh").chmod(0o644)
        case "staged":
            (repository / "new.py").write_text("new")
            git(repository, "add", "new.py")
        case _:
            git(repository, "rm", "-q", "--cached", "link")
    source = load_directory(repository)
    assert source.dirty
    assert source.digest != before


def test_a_folder_of_a_repository_stands_for_itself(repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()
    (inner / "setup.py").touch()
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "inner")
    (repository / "pyproject.toml").write_text("changed outside of it")
    source = load_directory(inner)
    assert ([entry.path for entry in source.entries], source.dirty) == (["setup.py"], False)


def test_a_hostile_repository_runs_nothing(repository: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {trace}\ncat\n")
    program.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "gpg.program",
        "filter.x.clean",
        "filter.x.smudge",
        "diff.external",
    ):
        git(repository, "config", key, str(program))
    for key, value in (
        ("log.showSignature", "true"),
        ("core.hooksPath", str(tmp_path)),
        ("filter.x.required", "true"),
    ):
        git(repository, "config", key, value)
    (repository / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    (repository / "pyproject.toml").write_text("[project] # changed\n")
    assert load_directory(repository).dirty
    assert not trace.exists()


def test_a_replaced_commit_does_not_fool(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD").strip()
    (repository / "pyproject.toml").write_text("other")
    git(repository, "commit", "-qam", "second")
    second = git(repository, "rev-parse", "HEAD").strip()
    git(repository, "replace", second, first)
    assert not load_directory(repository).dirty


def test_a_submodule_or_an_empty_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    head = git(repository, "rev-parse", "HEAD").strip()
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    with pytest.raises(ConfigError, match="submodule"):
        load_directory(repository)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    git(fresh, "init", "-q")
    (fresh / "setup.py").touch()
    with pytest.raises(ConfigError, match="no commit"):
        load_directory(fresh)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "inner/../../outside"])
def test_a_link_out_of_the_source_is_refused(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "setup.py").touch()
    (folder / "link").symlink_to(target)
    with pytest.raises(ConfigError, match="leads out of the tree"):
        load_directory(folder)


def test_a_plain_directory_is_named_by_its_files(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "__pycache__").mkdir(parents=True)
        (folder / "__pycache__" / "x.pyc").write_text(name)
        (folder / "setup.py").write_text("same")
        source = load_directory(folder)
        digests.append(source.digest)
        assert (source.kind, source.uri, source.epoch) == ("directory", f"file:{name}", FALLBACK_EPOCH)
    assert digests[0] == digests[1]
    (tmp_path / "one" / "setup.py").rename(tmp_path / "one" / "other.py")
    with pytest.raises(ConfigError, match=r"neither pyproject\.toml nor setup\.py"):
        load_directory(tmp_path / "one")


def test_staging_copies_modes_and_links_and_notices_changes(repository: Path, tmp_path: Path) -> None:
    source = load_directory(repository)
    stage(source, tmp_path / "staged", reverse=True)
    staged = tmp_path / "staged"
    assert sorted(path.name for path in staged.iterdir()) == ["link", "pyproject.toml", "tool.sh"]
    assert (staged / "tool.sh").stat().st_mode & 0o777 == 0o755
    assert (staged / "link").is_symlink()
    (repository / "tool.sh").write_text("changed")
    with pytest.raises(EvidenceInvalidError, match="changed while"):
        stage(source, tmp_path / "again", reverse=False)


def sdist(path: Path, *members: tuple[str, int], compress: bool = True) -> Input:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, mtime in members:
            info = tarfile.TarInfo(name)
            info.mtime = mtime
            archive.addfile(info)
    path.write_bytes(gzip.compress(out.getvalue()) if compress else out.getvalue())
    return Input("demo", "1", path, sha256_file(path), "pkg:pypi/demo@1", "sdist")


@pytest.mark.parametrize(
    ("times", "epoch"),
    [((1600000000, 1500000000), 1600000000), ((0, 0), FALLBACK_EPOCH), ((2**35, 5), FALLBACK_EPOCH)],
)
def test_an_archive_is_as_old_as_its_newest_member(
    tmp_path: Path, times: tuple[int, int], epoch: int
) -> None:
    item = sdist(tmp_path / "demo-1.tar.gz", ("demo-1/a", times[0]), ("demo-1/b", times[1]))
    source = load_sdist(item)
    assert (source.epoch, source.uri, source.digest) == (epoch, "pkg:pypi/demo@1", item.digest)


@pytest.mark.parametrize("name", ["/etc/passwd", "demo-1/../../x"])
def test_an_archive_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError, match="leads out"):
        load_sdist(sdist(tmp_path / "demo-1.tar.gz", (name, 5)))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="not a source archive"):
        load_sdist(sdist(tmp_path / "demo-1.tar.gz", ("a", 5), compress=False))


@pytest.mark.parametrize(
    ("remote", "public"),
    [
        ("https://user:pass@example.org:8443/a.git?x=1#y", "https://example.org:8443/a.git"),
        ("git@example.org:team/a.git", "ssh://example.org/team/a.git"),
        ("ssh://git@example.org/a.git", "ssh://example.org/a.git"),
        ("/home/me/a.git", ""),
        ("file:///home/me/a.git", ""),
        ("../a.git", ""),
        ("https://[broken/a.git", ""),
        ("", ""),
    ],
)
def test_remotes_are_written_without_secrets_and_places(remote: str, public: str) -> None:
    assert public_url(remote) == public


def test_a_commit_without_a_committer_is_refused() -> None:
    with pytest.raises(ConfigError, match="without a committer"):
        parse_commit(b"tree 00\nauthor A <a> 5 +0000\n\nmessage\ncommitter B <b> 6 +0000\n")
