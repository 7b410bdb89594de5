"""CycloneDX's own library as judge of our SBOMs.

Needs `$PRATIQUE_CYCLONEDX_PYTHON`: a Python that has cyclonedx-python-lib[json-validation] installed.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

import msgspec
import pytest

from pratique.model.digest import sha256_bytes
from pratique.scan.catalog import catalog
from pratique.scan.component import Component
from pratique.scan.cyclonedx import sbom

JUDGE = """
import json, sys
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = sys.stdin.read()
error = JsonStrictValidator(getattr(SchemaVersion, sys.argv[1])).validate_str(text)
assert error is None, error
bom = Bom.from_json(json.loads(text))
assert bom.validate()
print(json.dumps(sorted(str(component.purl) for component in bom.components)))
"""


@pytest.mark.interop
@pytest.mark.parametrize("version", ["1.6", "1.7"])
def test_sbom_is_valid_and_read_back_whole(test_data: Path, version: Literal["1.6", "1.7"]) -> None:
    python = os.environ.get("PRATIQUE_CYCLONEDX_PYTHON")
    if not python:
        pytest.skip("PRATIQUE_CYCLONEDX_PYTHON names no Python with cyclonedx-python-lib")
    installed = Path(pytest.__file__).parent.parent
    for path in (installed, test_data / "evidence" / "pypi" / "rfc8785-0.1.2-py3-none-any.whl"):
        found = catalog(path)
        gone = Component(
            purl="pkg:npm/gone@1", name="gone", version="1", layer="sha256:a", removed_by="sha256:b"
        )
        found = msgspec.structs.replace(found, removed=(gone,))
        document = sbom(
            found,
            name=path.name,
            digest=sha256_bytes(b"x"),
            created=datetime(2026, 11, 23, tzinfo=UTC),
            version=version,
        )
        outcome = subprocess.run(
            [python, "-c", JUDGE, f"V{version.replace('.', '_')}"],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert outcome.returncode == 0, outcome.stderr
        # Escapes apart, of which bills inside packages, and the library, take more or fewer than they must.
        read = sorted(map(unquote, json.loads(outcome.stdout)))
        assert read == sorted(unquote(component.purl) for component in (*found.components, gone))
