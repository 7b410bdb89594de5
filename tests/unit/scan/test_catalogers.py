"""Each cataloger on a small record of its kind, and on one that it must not pass over in silence."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import CouldNotCheckError
from pratique.scan.catalog import catalog
from pratique.scan.catalogers.base import File, UnreadableError
from pratique.scan.catalogers.golang import HEADER_BYTES, MAGIC, Executables, read_build_info
from pratique.scan.catalogers.npm import read_installed
from pratique.scan.catalogers.table import INSTALLED_NPM, TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.scan.component import Catalog, Component

SHA = "ab" * 32


def tree(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def found(folder: Path, files: dict[str, str | bytes]) -> tuple[dict[str, Component], Catalog]:
    catalogue = catalog(tree(folder, files))
    return {item.purl: item for item in catalogue.components}, catalogue


def test_requirements_with_hashes(tmp_path: Path) -> None:
    text = f"--index-url https://x\n# c\nFlask[async]==3.0 ; python_version > '3' \\\n  --hash=sha256:{SHA}\n"
    components, catalogue = found(tmp_path, {"requirements-dev.txt": text})
    assert components["pkg:pypi/flask@3.0"].hashes == (SHA,)
    assert catalogue.uninspected == ()


@pytest.mark.parametrize(
    "line",
    [
        "flask>=3",
        "flask",
        "flask==3.*",
        "-e .",
        "git+https://x/y",
        "./a.whl",
        "-r other.txt",
        "a @ https://b",
    ],
)
def test_what_a_requirements_file_does_not_pin_is_unknown(tmp_path: Path, line: str) -> None:
    components, catalogue = found(tmp_path, {"requirements.txt": f"a==1\n{line}\n"})
    assert list(components) == ["pkg:pypi/a@1"]
    assert [item.path for item in catalogue.uninspected] == ["requirements.txt"]


UV = f"""
version = 1
[[package]]
name = "own"
version = "0.1"
source = {{ editable = "." }}
[[package]]
name = "Web_Kit"
version = "2.0"
source = {{ registry = "https://index.example/simple" }}
dependencies = [{{ name = "idna" }}]
sdist = {{ url = "https://x/y.tar.gz", hash = "sha256:{SHA}" }}
wheels = [{{ url = "https://x/y.whl", hash = "sha256:{"cd" * 32}" }}]
[[package]]
name = "idna"
version = "3.7"
"""
POETRY = f"""
[[package]]
name = "web-kit"
version = "2.0"
files = [{{file = "y.whl", hash = "sha256:{"cd" * 32}"}}, {{file = "y.tar.gz", hash = "sha256:{SHA}"}}]
[package.dependencies]
idna = ">=3"
[[package]]
name = "idna"
version = "3.7"
[metadata]
lock-version = "2.0"
"""
PDM = POETRY.replace('[package.dependencies]\nidna = ">=3"', "").replace(
    "files = [", "dependencies = [\"idna>=3 ; os_name == 'posix'\"]\nfiles = [", 1
)


@pytest.mark.parametrize(("name", "text"), [("uv.lock", UV), ("poetry.lock", POETRY), ("pdm.lock", PDM)])
def test_python_lock_files(tmp_path: Path, name: str, text: str) -> None:
    components, _ = found(tmp_path, {name: text})
    assert sorted(components) == ["pkg:pypi/idna@3.7", "pkg:pypi/web-kit@2.0"]
    web = components["pkg:pypi/web-kit@2.0"]
    assert (web.hashes, web.requires) == ((SHA, "cd" * 32), ("pkg:pypi/idna@3.7",))


def test_package_lock(tmp_path: Path) -> None:
    digest = base64.b64encode(b"\x01" * 64).decode()
    packages = {
        "": {"name": "own", "version": "1.0.0"},
        "packages/inner": {"name": "inner", "version": "1.0.0"},
        "node_modules/inner": {"link": True, "resolved": "packages/inner"},
        "node_modules/a": {
            "version": "1.0.0",
            "integrity": f"sha512-{digest}",
            "license": "MIT",
            "dependencies": {"@s/b": "^2", "c": "*"},
        },
        "node_modules/@s/b": {"version": "1.0.0"},
        "node_modules/a/node_modules/@s/b": {"version": "2.0.0", "dependencies": {"c": "1"}},
        "node_modules/c": {"name": "real-c", "version": "3.0.0"},
    }
    text = json.dumps({"lockfileVersion": 3, "packages": packages})
    components, _ = found(tmp_path, {"package-lock.json": text})
    assert sorted(components) == [
        "pkg:npm/%40s/b@1.0.0",
        "pkg:npm/%40s/b@2.0.0",
        "pkg:npm/a@1.0.0",
        "pkg:npm/real-c@3.0.0",
    ]
    a = components["pkg:npm/a@1.0.0"]
    assert (a.hashes, a.licence) == (("01" * 64,), "MIT")
    assert a.requires == ("pkg:npm/%40s/b@2.0.0", "pkg:npm/real-c@3.0.0")
    assert components["pkg:npm/%40s/b@2.0.0"].requires == ("pkg:npm/real-c@3.0.0",)


def test_node_modules_are_read_without_their_fixtures_and_inner_lock_files(tmp_path: Path) -> None:
    components, catalogue = found(
        tmp_path,
        {
            "node_modules/a/package.json": '{"name": "a", "version": "1.0.0", "dependencies": {"b": "*"}}',
            "node_modules/a/test/fixtures/package.json": '{"name": "fake", "version": "1.0.0"}',
            "node_modules/a/package-lock.json": '{"packages": {"node_modules/d": {"version": "1.0.0"}}}',
            "node_modules/b/package.json": '{"name": "b", "version": "2.0.0", "license": {"type": "ISC"}}',
            "node_modules/broken/package.json": "{",
        },
    )
    assert sorted(components) == ["pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"]
    assert components["pkg:npm/a@1.0.0"].requires == ("pkg:npm/b@2.0.0",)
    assert components["pkg:npm/b@2.0.0"].licence == "ISC"
    assert [item.path for item in catalogue.uninspected] == ["node_modules/broken/package.json"]
    with pytest.raises(CouldNotCheckError, match="folder above"):
        catalog(tmp_path / "node_modules")


def test_yarn_lock_of_version_one(tmp_path: Path) -> None:
    text = (
        "# yarn lockfile v1\n\n\n"
        '"@s/a@^1.0.0", "@s/a@~1.2.0":\n  version "1.2.3"\n  resolved "https://x"\n  dependencies:\n'
        '    b "^2.0.0"\n\nb@^2.0.0:\n  version "2.1.0"\n  integrity sha1-'
        + base64.b64encode(b"\x02" * 20).decode()
        + "\n"
    )
    components, _ = found(tmp_path, {"yarn.lock": text})
    assert components["pkg:npm/%40s/a@1.2.3"].requires == ("pkg:npm/b@2.1.0",)
    assert components["pkg:npm/b@2.1.0"].hashes == ("02" * 20,)


YARN_4 = """\
# This file is generated by running "yarn install" inside your project.

__metadata:
  version: 8
  cacheKey: 10c0

"@s/a@npm:^1.0.0, @s/a@npm:~1.2.0":
  version: 1.2.3
  resolution: "@s/a@npm:1.2.3"
  dependencies:
    b: "npm:^2.0.0"
  checksum: 10c0/abcdef
  languageName: node
  linkType: hard

"b@npm:^2.0.0":
  version: 2.1.0
  resolution: "b@npm:2.1.0"
  languageName: node
  linkType: hard

"typescript@patch:typescript@npm%3A^4#optional!builtin<compat/typescript>":
  version: 4.9.5
  resolution: "typescript@patch:typescript@npm%3A4.9.5#optional!builtin<compat/typescript>::version=4.9.5"
  languageName: node
  linkType: hard

"own@workspace:.":
  version: 0.0.0-use.local
  resolution: "own@workspace:."
  languageName: unknown
  linkType: soft
"""


@pytest.mark.parametrize("text", [YARN_4, YARN_4.replace('b: "npm:^2.0.0"', "b: ^2.0.0")])
def test_yarn_lock_of_later_versions(tmp_path: Path, text: str) -> None:
    components, catalogue = found(tmp_path, {"yarn.lock": text})
    assert sorted(components) == ["pkg:npm/%40s/a@1.2.3", "pkg:npm/b@2.1.0", "pkg:npm/typescript@4.9.5"]
    assert components["pkg:npm/%40s/a@1.2.3"].requires == ("pkg:npm/b@2.1.0",)
    # what Yarn keeps there is the digest of its own archive, not of what the registry serves
    assert components["pkg:npm/%40s/a@1.2.3"].hashes == ()
    assert catalogue.uninspected == ()


INTEGRITY = "sha512-" + base64.b64encode(b"\x05" * 64).decode()
PNPM_9 = f"""\
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      '@s/a': {{specifier: ^1.0.0, version: 1.2.3(peer@3.0.0)}}
packages:
  '@s/a@1.2.3':
    resolution: {{integrity: {INTEGRITY}}}
    engines: {{node: '>=18'}}
  b@2.1.0:
    resolution: {{integrity: {INTEGRITY}}}
  fork@https://codeload.example/x/tar.gz/abc:
    resolution: {{tarball: https://codeload.example/x/tar.gz/abc}}
    version: 7.0.0
  own@file:packages/own:
    resolution: {{directory: packages/own, type: directory}}
snapshots:
  '@s/a@1.2.3(peer@3.0.0)':
    dependencies:
      alias: b@2.1.0
      fork: https://codeload.example/x/tar.gz/abc
  b@2.1.0: {{}}
  fork@https://codeload.example/x/tar.gz/abc: {{}}
"""
PNPM_6 = f"""\
lockfileVersion: '6.0'
packages:
  /@s/a@1.2.3(peer@3.0.0):
    resolution: {{integrity: {INTEGRITY}}}
    dependencies:
      alias: /b@2.1.0
      fork: '@codeload.example/x/tar.gz/abc'
    dev: false
  /b@2.1.0:
    resolution: {{integrity: {INTEGRITY}}}
  '@codeload.example/x/tar.gz/abc':
    resolution: {{tarball: https://codeload.example/x/tar.gz/abc}}
    name: fork
    version: 7.0.0
"""
PNPM_5 = f"""\
lockfileVersion: 5.4
packages:
  /@s/a/1.2.3_peer@3.0.0:
    resolution: {{integrity: {INTEGRITY}}}
    dependencies:
      b: 2.1.0
      fork: codeload.example/x/tar.gz/abc
  /b/2.1.0:
    resolution: {{integrity: {INTEGRITY}}}
  codeload.example/x/tar.gz/abc:
    resolution: {{tarball: https://codeload.example/x/tar.gz/abc}}
    name: fork
    version: 7.0.0
"""


@pytest.mark.parametrize("text", [PNPM_9, PNPM_6, PNPM_5])
def test_pnpm_lock_of_every_version(tmp_path: Path, text: str) -> None:
    components, catalogue = found(tmp_path, {"pnpm-lock.yaml": text})
    assert sorted(components) == ["pkg:npm/%40s/a@1.2.3", "pkg:npm/b@2.1.0", "pkg:npm/fork@7.0.0"]
    first = components["pkg:npm/%40s/a@1.2.3"]
    assert first.hashes == ("05" * 64,)
    assert "pkg:npm/b@2.1.0" in first.requires
    if text is PNPM_9:
        assert first.requires == ("pkg:npm/b@2.1.0", "pkg:npm/fork@7.0.0")
    assert catalogue.uninspected == ()


def test_gradle_and_maven_locks(tmp_path: Path) -> None:
    gradle = "# comment\ncom.google.guava:guava:33.0.0-jre=compileClasspath,runtimeClasspath\nempty=a\n"
    child = {"groupId": "org.slf4j", "artifactId": "slf4j-api", "version": "2.0.9", "children": []}
    parent = {
        "groupId": "ch.qos.logback",
        "artifactId": "logback-classic",
        "version": "1.4.14",
        "checksumAlgorithm": "SHA-256",
        "checksum": SHA,
        "children": [child],
    }
    components, catalogue = found(
        tmp_path, {"gradle.lockfile": gradle, "lockfile.json": json.dumps({"dependencies": [parent]})}
    )
    assert sorted(components) == [
        "pkg:maven/ch.qos.logback/logback-classic@1.4.14",
        "pkg:maven/com.google.guava/guava@33.0.0-jre",
        "pkg:maven/org.slf4j/slf4j-api@2.0.9",
    ]
    logback = components["pkg:maven/ch.qos.logback/logback-classic@1.4.14"]
    assert (logback.hashes, logback.requires) == ((SHA,), ("pkg:maven/org.slf4j/slf4j-api@2.0.9",))
    assert catalogue.uninspected == ()


def test_a_bill_that_a_package_brings_along_counts_for_what_is_in_it(tmp_path: Path) -> None:
    idna = {"type": "library", "name": "idna", "version": "3.10", "purl": "pkg:pypi/idna@3.10"}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "library", "name": "pip"}},
        "components": [
            idna,
            {"type": "library", "name": "libfoo", "version": "1"},
        ],
    }
    files: dict[str, str | bytes] = {
        "lib/pip-26.dist-info/METADATA": "Name: pip\nVersion: 26\n",
        "lib/pip-26.dist-info/sboms/bom.cdx.json": json.dumps(bill),
        "lib/pip/_vendor/bom.cdx.json": json.dumps(bill | {"components": [idna, {"name": "pip"}]}),
    }
    components, catalogue = found(tmp_path, files)
    assert sorted(components) == ["pkg:pypi/idna@3.10", "pkg:pypi/pip@26"]
    assert components["pkg:pypi/idna@3.10"].locations == (
        "lib/pip-26.dist-info/sboms/bom.cdx.json",
        "lib/pip/_vendor/bom.cdx.json",
    )
    assert [item.reason for item in catalogue.uninspected] == ["1 of its parts have no package URL: libfoo 1"]


def test_cargo_lock(tmp_path: Path) -> None:
    text = f"""
version = 3
[[package]]
name = "own"
version = "0.1.0"
[[package]]
name = "rand"
version = "0.8.5"
source = "registry+https://registry.example/index"
checksum = "{SHA}"
dependencies = ["libc", "cfg-if 1.0.0"]
[[package]]
name = "cfg-if"
version = "0.1.0"
source = "registry+https://registry.example/index"
[[package]]
name = "cfg-if"
version = "1.0.0"
source = "registry+https://registry.example/index"
[[package]]
name = "libc"
version = "0.2.1"
source = "git+https://x/libc#abc"
"""
    components, _ = found(tmp_path, {"sub/Cargo.lock": text})
    libc = "pkg:cargo/libc@0.2.1?vcs_url=git%2Bhttps:%2F%2Fx%2Flibc%23abc"
    rand = components["pkg:cargo/rand@0.8.5"]
    assert (rand.hashes, rand.requires) == ((SHA,), ("pkg:cargo/cfg-if@1.0.0", libc))
    assert len(components) == 4


def test_go_mod_with_replacements(tmp_path: Path) -> None:
    text = """module example.com/own
go 1.22.1
require golang.org/x/text v0.3.7 // indirect
require (
\tgithub.com/A/b/v2 v2.0.0
\texample.com/c v1.0.0
)
replace example.com/c => example.com/fork v1.1.0
replace golang.org/x/text v0.3.6 => golang.org/x/text v0.9.9
exclude example.com/c v1.0.1
"""
    components, _ = found(tmp_path, {"go.mod": text})
    assert sorted(components) == [
        "pkg:golang/example.com/fork@v1.1.0",
        "pkg:golang/github.com/A/b/v2@v2.0.0",
        "pkg:golang/golang.org/x/text@v0.3.7",
    ]


def uvarint(text: bytes) -> bytes:
    length, out = len(text), b""
    while length >= 0x80:
        out, length = out + bytes([length & 0x7F | 0x80]), length >> 7
    return out + bytes([length]) + text


def executable(modules: str, version: str = "go1.22.3", *, flags: int = 2) -> bytes:
    info = MAGIC + bytes([8, flags]) + bytes(HEADER_BYTES - 16)
    info += uvarint(version.encode()) + uvarint(b"s" * 16 + modules.encode() + b"e" * 16)
    # a copy of the magic that is not aligned, as programs that read build information have
    return b"\x7fELF" + bytes(40) + MAGIC + b"x" * (64 * 1024 - 44 - len(MAGIC)) + info + bytes(500)


MODULES = (
    "path\texample.com/own\nmod\texample.com/own\t(devel)\t\ndep\tgolang.org/x/text\tv0.3.7\th1:x=\n"
    "dep\texample.com/c\tv1.0.0\n=>\texample.com/fork\tv1.1.0\th1:y=\nbuild\t-compiler=gc\n"
)


def test_go_executable(tmp_path: Path) -> None:
    components, catalogue = found(
        tmp_path, {"bin/tool": executable(MODULES), "bin/sh": b"\x7fELF" + bytes(99)}
    )
    assert sorted(components) == [
        "pkg:golang/example.com/fork@v1.1.0",
        "pkg:golang/golang.org/x/text@v0.3.7",
        "pkg:golang/stdlib@1.22.3",
    ]
    assert catalogue.uninspected == ()


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (executable(MODULES, flags=0), []),
        (executable("path\texample.com/own\nbuild\tx=y\n"), ["pkg:golang/stdlib@1.22.3"]),
        (executable(MODULES)[: 64 * 1024 + HEADER_BYTES + 20], []),
    ],
)
def test_go_executables_that_do_not_say_what_is_in_them_are_unknown(
    tmp_path: Path, data: bytes, kept: list[str]
) -> None:
    components, catalogue = found(
        tmp_path, {"bin/tool": data, "a-1.dist-info/METADATA": "Name: a\nVersion: 1\n"}
    )
    assert sorted(components) == [*kept, "pkg:pypi/a@1"]
    assert [item.path for item in catalogue.uninspected] == ["bin/tool"]


def test_a_copy_of_the_magic_in_a_program_makes_it_no_go_executable(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "bin/reader": b"\x7fELF" + bytes(40) + MAGIC + bytes(200),
        "a-1.dist-info/METADATA": "Name: a\nVersion: 1\n",
    }
    assert found(tmp_path, files)[1].uninspected == ()


def test_build_info_is_found_across_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for piece in (1000, 65536 - 7, 65536 + 3):
        monkeypatch.setattr("pratique.scan.catalogers.golang._CHUNK", piece)
        path = tree(tmp_path, {"tool": executable(MODULES)}) / "tool"
        with path.open("rb") as stream:
            record = Executables().found(stream)
        assert record is not None
        assert len(read_build_info(File("tool", record, {}))) == 3


DPKG = """Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.11-1~deb12u2)
Version: 3.0.11-1~deb12u2+b1
Provides: ssl (= 3)
Description: text
 continued: with a colon

Package: curl
Status: install ok installed
Architecture: amd64
Version: 7.88.1-10
Depends: libc6 (>= 2.34), libssl-old | ssl (>= 3)

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def test_dpkg_status_with_source_packages(tmp_path: Path) -> None:
    release = 'ID=debian\nVERSION_ID="12"\n'
    components, _ = found(tmp_path, {"var/lib/dpkg/status": DPKG, "usr/lib/os-release": release})
    ssl = "pkg:deb/debian/libssl3@3.0.11-1~deb12u2%2Bb1?arch=amd64&distro=debian-12"
    curl = "pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12"
    assert sorted(components) == [curl, ssl]
    assert (components[ssl].source, components[ssl].source_version) == ("openssl", "3.0.11-1~deb12u2")
    assert (components[curl].source, components[curl].requires) == ("curl", (ssl,))


def test_distroless_status_files_and_linked_folders_of_a_root(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\nArchitecture: all\n",
        "var/lib/dpkg/status.d/base.md5sums": "not a status",
        "usr/lib/os-release": "ID=debian\nVERSION_ID=12\n",
        "etc/systemd/a\\x2db.slice": "",
    }
    root = tree(tmp_path / "root", files)
    (root / "lib").symlink_to("/usr/lib")
    (root / "etc" / "os-release").symlink_to("../usr/lib/os-release")
    assert [item.purl for item in catalog(root).components] == [
        "pkg:deb/debian/base-files@12?arch=all&distro=debian-12"
    ]
    (root / "out").symlink_to("../..")
    with pytest.raises(CouldNotCheckError, match="would go unseen"):
        catalog(root)


def test_alpine_installed_database(tmp_path: Path) -> None:
    text = (
        "C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld.so\nP:no\n\n"
        "P:ssl_client\nV:1.36.1-r15\nA:x86_64\nL:GPL-2.0-only\no:busybox\nD:so:libc.musl-x86_64.so.1\n\n"
    )
    release = "ID=alpine\nVERSION_ID=3.19.1\n"
    components, _ = found(tmp_path, {"lib/apk/db/installed": text, "etc/os-release": release})
    musl = "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1"
    client = components["pkg:apk/alpine/ssl_client@1.36.1-r15?arch=x86_64&distro=alpine-3.19.1"]
    assert (client.source, client.licence, client.requires) == ("busybox", "GPL-2.0-only", (musl,))
    assert components[musl].licence_is_spdx


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "not = [toml"),
        ("poetry.lock", "version = { a " + ". a" * 20_000 + " = 1 }\n"),
        ("poetry.lock", "[[package]]\nname = 1\n"),
        ("pdm.lock", "package = 3"),
        ("Cargo.lock", "a = 1"),
        ("package-lock.json", '{"lockfileVersion": 1, "dependencies": {"a": {"version": "1"}}}'),
        ("package-lock.json", '{"packages": {"node_modules/a": {}}}'),
        ("package-lock.json", '{"packages": {"node_modules/a": {"version": "1", "name": "../../x/y"}}}'),
        ("yarn.lock", "a: 1\n"),
        ("yarn.lock", "__metadata:\n  version: 8\n'a@npm:^1':\n  version: 1.0.0\n"),
        ("yarn.lock", "__metadata:\n  version: 8\n'a@npm:^1': &x\n  version: 1.0.0\n"),
        ("yarn.lock", "# yarn lockfile v1\n\nwhat is this\n"),
        ("yarn.lock", "# yarn lockfile v1\n\n" + "a" * 2_000_000 + ":\n"),
        ("package-lock.json", json.dumps({"packages": {"node_modules/a/" * 9000 + "b": {"version": "1"}}})),
        ("pnpm-lock.yaml", "lockfileVersion: '10.0'\n"),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\npackages:\n  a@https://x/y.tgz:\n    resolution: {tarball: x}\n",
        ),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1.0.0: []\n"),
        ("gradle.lockfile", "a:b=compile\n"),
        ("lockfile.json", '{"packages": {}}'),
        ("lockfile.json", '{"dependencies": [{"artifactId": "a", "version": "1"}]}'),
        ("META-INF/maven/g/a/pom.properties", "version=1\nartifactId=a\n"),
        ("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + bytes(200)),
        ("var/lib/rpm/Packages", b"\0\0\0\0bdb"),
        ("usr/lib/sysimage/rpm/Packages.db", b"RpmP"),
        ("go.mod", "module x\ngo 1.16\nrequire a.b/c v1.0.0\n"),
        ("go.mod", "module x\ngo 1.22\nrequire a.b/c v1.0.0\nreplace a.b/c => ../c\n"),
        ("go.mod", "module x\ngo 1.22\nrequire a.b/c\n"),
        ("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\n"),
        ("var/lib/dpkg/status", " continued\n"),
        ("var/lib/dpkg/status", "Package: a\nPackage: b\n"),
        ("lib/apk/db/installed", "P:a\n"),
        ("requirements.txt", b"\xff\xfe"),
    ],
)
def test_what_is_recognised_but_not_read_is_unknown(tmp_path: Path, name: str, text: str | bytes) -> None:
    _, catalogue = (
        found(tmp_path, {name: text, "a-1.dist-info/METADATA": "Name: a\nVersion: 1\n"})
        if "/" in name
        else (
            None,
            catalog(
                tree(tmp_path, {f"sub/{name}": text, "site/a-1.dist-info/METADATA": "Name: a\nVersion: 1\n"})
            ),
        )
    )
    assert [item.path.rpartition("/")[2] for item in catalogue.uninspected] == [name.rpartition("/")[2]]


def test_lock_files_inside_installed_packages_list_nothing_that_is_there(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "lib/a-1.dist-info/METADATA": "Name: a\nVersion: 1\n",
        "lib/a/requirements.txt": "b>1\n",
        "requirements.txt": "c==1\n",
    }
    components, catalogue = found(tmp_path, files)
    assert sorted(components) == ["pkg:pypi/a@1", "pkg:pypi/c@1"]
    assert catalogue.uninspected == ()


def test_one_package_from_two_records_is_one_component(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "lib/a-1.dist-info/METADATA": "Name: a\nVersion: 1\nLicense-Expression: MIT\n",
        "requirements.txt": f"a==1 --hash=sha256:{SHA}\n",
    }
    ((component,), _) = (tuple(found(tmp_path, files)[0].values()), None)
    assert (component.hashes, component.licence) == ((SHA,), "MIT")
    assert component.locations == ("lib/a-1.dist-info/METADATA", "requirements.txt")


READERS = [*(cataloger.read for cataloger in TABLE), read_installed, read_build_info]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=200)
    | st.text('{}[]":,=\n -#@package nmversiod.1', max_size=80).map(str.encode)
    | st.recursive(
        st.none() | st.integers(0, 9) | st.text("av1./", max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["packages", "node_modules/a", "version", "dependencies", "name", "package"]),
                inner,
                max_size=4,
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_no_bytes_crash_a_cataloger(data: bytes) -> None:
    for read in READERS:
        try:
            read(File("node_modules/a/package.json", data, {}))
        except UnreadableError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


def test_only_a_packages_own_description_is_recognised() -> None:
    assert INSTALLED_NPM.match("app/node_modules/@s/b/package.json")
    assert not INSTALLED_NPM.match("node_modules/a/lib/package.json")
    assert not INSTALLED_NPM.match("node_modules/.cache/package.json")
