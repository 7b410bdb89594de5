"""Catalogues of this machine's own packages, with its package manager as judge."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from packageurl import PackageURL

from pratique.scan.catalog import catalog

STATUS = Path("/var/lib/dpkg/status")
FORMAT = (
    "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
)


def test_dpkgs_own_list_is_found_whole_with_its_source_packages(tmp_path: Path) -> None:
    query = shutil.which("dpkg-query")
    if query is None or not STATUS.is_file():
        pytest.skip("no dpkg here")
    listed = subprocess.run([query, "-W", "-f", FORMAT], check=True, capture_output=True, text=True).stdout
    expected = {tuple(line.split("\t")[1:]) for line in listed.splitlines() if line.startswith("installed\t")}
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    shutil.copy(STATUS, tmp_path / "var/lib/dpkg/status")
    found = set()
    for item in catalog(tmp_path).components:
        qualifiers = dict(PackageURL.from_string(item.purl).qualifiers)
        version = item.source_version or item.version
        found.add((item.name, item.version, qualifiers["arch"], item.source, version))
    assert found == expected
