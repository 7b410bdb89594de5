"""The catalogue: what it finds, and what it refuses."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from pratique.errors import CouldNotCheckError, MalformedError
from pratique.scan import members
from pratique.scan.catalog import catalog

if TYPE_CHECKING:
    from pathlib import Path

LINUX = {
    "implementation_name": "cpython",
    "implementation_version": "3.12.1",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.12.1",
    "python_version": "3.12",
    "sys_platform": "linux",
}


def metadata(name: str, version: str, *lines: str) -> bytes:
    return "\n".join(
        ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", "Text."]
    ).encode()


def make_zip(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def make_tar(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_wheel_gives_its_one_component_with_the_digests_of_its_metadata(tmp_path: Path) -> None:
    wheel = make_zip(
        tmp_path / "demo-1.0-py3-none-any.whl",
        [
            ("demo/__init__.py", b""),
            ("demo-1.0.dist-info/METADATA", metadata("Demo", "1.0", "License-Expression: mit OR apache-2.0")),
            ("demo-1.0.dist-info/RECORD", b"abc"),
        ],
    )
    (component,) = catalog(wheel, hashes={"pkg:pypi/demo@1.0": ("11" * 32,)}).components
    assert (component.purl, component.name, component.version) == ("pkg:pypi/demo@1.0", "Demo", "1.0")
    assert (component.licence, component.licence_is_spdx) == ("MIT OR Apache-2.0", True)
    assert component.locations == ("demo-1.0.dist-info/METADATA",)
    assert component.hashes == ("11" * 32,)
    assert component.metadata_digests[1] == (
        "demo-1.0.dist-info/RECORD",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-2, appendix B.1
    )


def test_application_archive_gives_components_and_edges_by_marker_and_extra(tmp_path: Path) -> None:
    app = make_tar(
        tmp_path / "app.tar",
        [
            (
                "lib/app-1.dist-info/METADATA",
                metadata(
                    "app",
                    "1",
                    "Requires-Dist: web_server[fast]>=2",
                    'Requires-Dist: colours; sys_platform == "win32"',
                    "Requires-Dist: absent",
                    'Requires-Dist: tests-only; extra == "dev"',
                ),
            ),
            (
                "lib/web_server-2.1.dist-info/METADATA",
                metadata("web.server", "2.1", 'Requires-Dist: loop; extra == "fast"', "Requires-Dist: app"),
            ),
            ("lib/loop-3.dist-info/METADATA", metadata("loop", "3")),
            ("lib/colours-1.dist-info/METADATA", metadata("colours", "1")),
        ],
    )
    found = {component.name: component for component in catalog(app, environment=LINUX).components}
    assert found["app"].requires == ("pkg:pypi/web-server@2.1",)
    assert found["app"].missing == ("absent",)
    assert found["web.server"].requires == ("pkg:pypi/app@1", "pkg:pypi/loop@3")
    assert found["colours"].requires == ()


def test_vendored_copies_are_found_and_merged_with_all_their_places(tmp_path: Path) -> None:
    app = make_tar(
        tmp_path / "app.tar",
        [
            ("lib/inner-1.dist-info/METADATA", metadata("inner", "1")),
            ("lib/outer/_vendor/inner-1.dist-info/METADATA", metadata("inner", "1")),
            ("lib/outer/_vendor/other-2.dist-info/METADATA", metadata("other", "2")),
            ("lib/old.egg-info/PKG-INFO", metadata("old", "0.1")),
        ],
    )
    found = catalog(app)
    assert [component.purl for component in found.components] == [
        "pkg:pypi/inner@1",
        "pkg:pypi/old@0.1",
        "pkg:pypi/other@2",
    ]
    assert found.components[0].locations == (
        "lib/inner-1.dist-info/METADATA",
        "lib/outer/_vendor/inner-1.dist-info/METADATA",
    )


def test_directory_gives_what_the_archive_of_it_gives(tmp_path: Path) -> None:
    files = [
        ("a-1.dist-info/METADATA", metadata("a", "1", "Requires-Dist: b")),
        ("b-1.dist-info/METADATA", metadata("b", "1")),
    ]
    for name, data in files:
        (tmp_path / "site" / name).parent.mkdir(parents=True)
        (tmp_path / "site" / name).write_bytes(data)
    assert catalog(tmp_path / "site") == catalog(make_tar(tmp_path / "site.tar", files))


def test_archives_inside_that_carry_code_are_named_as_uninspected(tmp_path: Path) -> None:
    app = make_tar(
        tmp_path / "app.tar",
        [
            ("lib/a-1.dist-info/METADATA", metadata("a", "1")),
            ("lib/a/bundled.whl", b"x"),
            ("lib/a/zones.tar.gz", b"x"),
        ],
    )
    assert [item.path for item in catalog(app).uninspected] == ["lib/a/bundled.whl"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License: BSD-3-Clause"], ("BSD-3-Clause", True)),
        (["License: The licence of some project"], ("The licence of some project", False)),
        (["Classifier: License :: OSI Approved :: MIT License"], ("MIT License", False)),
        (
            ["License: " + "word " * 40, "Classifier: License :: OSI Approved :: MIT License"],
            ("MIT License", False),
        ),
        ([], ("", False)),
    ],
)
def test_licence_is_the_best_that_the_metadata_says(
    tmp_path: Path, lines: list[str], expected: tuple[str, bool]
) -> None:
    wheel = make_zip(tmp_path / "a.whl", [("a-1.dist-info/METADATA", metadata("a", "1", *lines))])
    (component,) = catalog(wheel).components
    assert (component.licence, component.licence_is_spdx) == expected


def test_nothing_recognised_is_unknown_and_never_an_empty_catalogue(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheckError, match="no component was recognised among 1 files"):
        catalog(make_tar(tmp_path / "app.tar", [("bin/tool", b"\x7fELF")]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CouldNotCheckError, match="no component was recognised"):
        catalog(tmp_path / "empty")


def test_missing_and_foreign_files_are_unknown(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheckError, match="cannot be read"):
        catalog(tmp_path / "absent.whl")
    with pytest.raises(CouldNotCheckError, match="not an archive"):
        catalog(tmp_path / "picture.png")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "a//b", "./../x"])
def test_member_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError, match="could leave the archive"):
        catalog(make_tar(tmp_path / "app.tar", [(name, b"x")]))


def test_duplicate_members_are_refused(tmp_path: Path) -> None:
    files = [("a-1.dist-info/METADATA", metadata("a", "1"))] * 2
    with pytest.raises(MalformedError, match="occurs twice"):
        catalog(make_tar(tmp_path / "app.tar", files))
    with pytest.warns(UserWarning, match="Duplicate name"):
        wheel = make_zip(tmp_path / "a.whl", files)
    with pytest.raises(MalformedError, match="occurs twice"):
        catalog(wheel)


def test_metadata_that_contradicts_its_folder_is_refused(tmp_path: Path) -> None:
    wheel = make_zip(tmp_path / "a.whl", [("jinja2-2.0.dist-info/METADATA", metadata("jinja2", "3.1.6"))])
    with pytest.raises(MalformedError, match=r"says it is jinja2 3\.1\.6"):
        catalog(wheel)


def test_folder_in_another_spelling_of_the_same_name_and_version_is_fine(tmp_path: Path) -> None:
    wheel = make_zip(
        tmp_path / "a.whl", [("zope.interface-5.0.dist-info/METADATA", metadata("zope-interface", "5.0.0"))]
    )
    assert [component.purl for component in catalog(wheel).components] == ["pkg:pypi/zope-interface@5.0.0"]


def test_metadata_without_name_or_version_is_refused(tmp_path: Path) -> None:
    wheel = make_zip(tmp_path / "a.whl", [("a-1.dist-info/METADATA", b"Metadata-Version: 2.1\nName: a\n\n")])
    with pytest.raises(MalformedError, match="without a name and version"):
        catalog(wheel)


def test_link_in_place_of_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("lib/a-1.dist-info/METADATA")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(MalformedError, match="not a regular file"):
        catalog(path)
    folder = tmp_path / "site" / "a-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").symlink_to("/etc/passwd")
    with pytest.raises(CouldNotCheckError, match="cannot be read"):
        catalog(tmp_path / "site")


def test_linked_folder_is_unknown_as_its_content_would_go_unseen(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(CouldNotCheckError, match="would go unseen"):
        catalog(tmp_path / "site")


def test_oversized_members_and_counts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_zip(tmp_path / "a.whl", [("a-1.dist-info/METADATA", metadata("a", "1")), ("b", b"x" * 500)])
    monkeypatch.setattr(members, "MAX_MEMBERS", 1)
    with pytest.raises(MalformedError, match="more than 1 members"):
        catalog(wheel)
    monkeypatch.setattr(members, "MAX_TOTAL_BYTES", 100)
    with pytest.raises(MalformedError, match="once unpacked"):
        catalog(wheel)
    monkeypatch.undo()
    monkeypatch.setattr(members, "MAX_READ_BYTES", 10)
    with pytest.raises(MalformedError, match="bytes of package metadata"):
        catalog(wheel)
    monkeypatch.undo()
    monkeypatch.setattr(members, "MAX_FILE_BYTES", 10)
    with pytest.raises(MalformedError, match="holds more than 10 bytes"):
        catalog(wheel)


@pytest.mark.parametrize("name", ["a.whl", "a.tar", "a.tar.gz", "a.tar.xz"])
def test_broken_archives_are_malformed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b\x08" + b"junk" * 400)
    with pytest.raises(MalformedError, match="broken archive"):
        catalog(tmp_path / name)


def test_truncated_archive_is_malformed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "app.tar", [("lib/a-1.dist-info/METADATA", metadata("a", "1") * 100)])
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(MalformedError, match="broken archive"):
        catalog(path)


def test_archive_header_that_claims_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 4 * 1024**3
    path = tmp_path / "app.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))
    with pytest.raises(MalformedError, match="an archive header claims 4294967296 bytes"):
        catalog(path)
