"""RPM databases: made here after rpm's description of a header, and by rpm itself where it is installed."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.scan.catalog import catalog
from pratique.scan.catalogers.base import File, UnreadableError
from pratique.scan.catalogers.rpm import read_rpm_database

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.scan.component import Component

OS_RELEASE = b'ID="almalinux"\nVERSION_ID="9.4"\n'


def header(**values: str | int | list[str]) -> bytes:
    """Write a header: counts, index of (tag, type, offset, count), data."""
    tags = {
        "name": 1000,
        "version": 1001,
        "release": 1002,
        "epoch": 1003,
        "licence": 1014,
        "arch": 1022,
        "source": 1044,
        "provides": 1047,
        "requires": 1049,
    }
    index, data = b"", b""
    for key, value in values.items():
        if isinstance(value, int):
            data += bytes(-len(data) % 4)
            kind, raw, count = 4, struct.pack(">I", value), 1
        else:
            texts = [value] if isinstance(value, str) else value
            kind, raw, count = 6 if isinstance(value, str) else 8, b"", len(texts)
            raw = b"".join(text.encode() + b"\0" for text in texts)
        index += struct.pack(">IIII", tags[key], kind, len(data), count)
        data += raw
    return struct.pack(">II", len(values), len(data)) + index + data


def database(
    path: Path, *blobs: bytes, table: str = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)"
) -> bytes:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(table)
    for blob in blobs:
        connection.execute("INSERT INTO Packages (blob) VALUES (?)", (blob,))
    connection.commit()
    connection.close()
    return path.read_bytes()


BASH = header(
    name="bash", version="5.1.8", release="6.el9", licence="GPL-3.0-or-later", arch="x86_64",
    source="bash-5.1.8-6.el9.src.rpm", provides=["bash", "/bin/sh"], requires=["libc.so.6()(64bit)"],
)  # fmt: skip
OPENSSL = header(
    name="openssl-libs", version="3.0.7", release="24.el9", epoch=1, licence="ASL 2.0", arch="x86_64",
    source="openssl-3.0.7-24.el9.src.rpm", provides=["libcrypto.so.3"], requires=["/bin/sh"],
)  # fmt: skip
KEY = header(name="gpg-pubkey", version="8483c65d", release="5ccc5b19")


def read(data: bytes, **beside: bytes) -> list[Component]:
    contents = {"etc/os-release": OS_RELEASE} | {
        name.replace("__", "/"): value for name, value in beside.items()
    }
    return read_rpm_database(File("var/lib/rpm/rpmdb.sqlite", data, contents))


def test_installed_packages_with_epoch_source_release_and_edges(tmp_path: Path) -> None:
    bash, openssl = read(database(tmp_path / "x", BASH, OPENSSL, KEY))
    assert bash.purl == "pkg:rpm/almalinux/bash@5.1.8-6.el9?arch=x86_64&distro=almalinux-9.4"
    assert openssl.purl == (
        "pkg:rpm/almalinux/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=almalinux-9.4&epoch=1"
    )
    assert (openssl.source, openssl.source_version) == ("openssl", "3.0.7-24.el9")
    assert (bash.licence, bash.licence_is_spdx) == ("GPL-3.0-or-later", True)
    assert (openssl.licence, openssl.licence_is_spdx) == ("ASL 2.0", False)
    assert openssl.requires == (bash.purl,)


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE Other (blob BLOB)",
        (
            "CREATE VIEW Packages AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c)"
            " SELECT x AS blob FROM c"
        ),
    ],
)
def test_another_schema_is_unknown(tmp_path: Path, table: str) -> None:
    with pytest.raises(UnreadableError, match="without the table Packages"):
        read(database(tmp_path / "x", table=table))


def test_what_is_not_all_there_is_unknown(tmp_path: Path) -> None:
    data = database(tmp_path / "x", BASH)
    contents = {"var/lib/rpm/rpmdb.sqlite-wal": b"more"}
    with pytest.raises(UnreadableError, match="-wal"):
        read_rpm_database(File("var/lib/rpm/rpmdb.sqlite", data, contents))
    for blob in (
        BASH[:40],
        b"",
        struct.pack(">II", 1 << 30, 1 << 30),
        struct.pack(">IIIIII", 1, 4, 1000, 6, 9, 1) + b"abc\0",
    ):
        with pytest.raises(UnreadableError):
            read(database(tmp_path / "x", blob))
    with pytest.raises(UnreadableError):
        read(database(tmp_path / "x"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 16_000), st.integers(0, 255)), min_size=1, max_size=40))
def test_no_damage_crashes_the_reader(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(database(tmp_path / "x", BASH, OPENSSL))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        read(bytes(data))
    except UnreadableError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@given(st.binary(max_size=120) | st.binary(max_size=100).map(BASH[:60].__add__))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_crashes_the_reader(tmp_path: Path, blob: bytes) -> None:
    try:
        read(database(tmp_path / "x", blob))
    except UnreadableError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


SPEC = """\
Name: alpha-lib
Epoch: 2
Version: 1.4.0
Release: 3.el9
Summary: x
License: MIT
BuildArch: noarch
Provides: alpha = 9
%description
x
%files
%package -n beta
Summary: y
Requires: alpha
Version: 7.0~rc1
%description -n beta
y
%files -n beta
"""


def test_a_database_that_rpm_made(tmp_path: Path) -> None:
    if not shutil.which("rpmbuild") or not shutil.which("rpm"):
        pytest.skip("rpm and rpmbuild are not installed")
    (tmp_path / "a.spec").write_text(SPEC)
    root = tmp_path / "root"
    (root / "var/lib/rpm").mkdir(parents=True)
    defines = {"_db_backend": "sqlite", "_topdir": f"{tmp_path}/top", "_dbpath": "/var/lib/rpm"}
    options = [part for name, value in defines.items() for part in ("--define", f"{name} {value}")]
    build = ["rpmbuild", "-bb", *options, "--dbpath", f"{tmp_path}/db", str(tmp_path / "a.spec")]
    subprocess.run(build, check=True, capture_output=True)
    packages = [str(path) for path in tmp_path.glob("top/RPMS/**/*.rpm")]
    install = ["rpm", *options, "--root", str(root), "--nodeps", "--justdb", "-i", *packages]
    subprocess.run(install, check=True, capture_output=True)
    alpha, beta = catalog(root).components
    assert alpha.purl == "pkg:rpm/redhat/alpha-lib@1.4.0-3.el9?arch=noarch&epoch=2"
    assert beta.purl == "pkg:rpm/redhat/beta@7.0~rc1-3.el9?arch=noarch&epoch=2"
    assert (alpha.licence, beta.requires) == ("MIT", (alpha.purl,))
