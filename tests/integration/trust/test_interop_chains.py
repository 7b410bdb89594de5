"""What Tekton Chains' own code signs and stores (requirements/go/chains), verified as a user does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pratique.cli.main import main
from pratique.flow.trust import generate_key_pair

if TYPE_CHECKING:
    from pathlib import Path

CHAINS = os.environ.get("PRATIQUE_CHAINS", "")
IMAGE = "sha256:5e1c3d0f9d2c4b6a8f0e1d3c5b7a9f8e6d4c2b0a1f3e5d7c9b8a6f4e2d0c1b3a"
UID = "7d5a3c1e-9b8f-4d6a-a2c4-0e1f3b5d7c9a"
RUN = {
    "apiVersion": "tekton.dev/v1",
    "kind": "TaskRun",
    "metadata": {"name": "build", "uid": UID},
    "spec": {"taskRef": {"name": "build", "kind": "Task"}, "serviceAccountName": "default"},
    "status": {
        "startTime": "2026-11-20T09:50:00Z",
        "completionTime": "2026-11-20T09:50:15Z",
        "conditions": [{"type": "Succeeded", "status": "True"}],
        "results": [
            {"name": "IMAGE_URL", "type": "string", "value": "registry.example/app"},
            {"name": "IMAGE_DIGEST", "type": "string", "value": IMAGE},
        ],
    },
}

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not CHAINS, reason="set PRATIQUE_CHAINS to the program of requirements/go/chains"),
]


@pytest.fixture
def signed(tmp_path: Path) -> dict[str, Any]:
    generate_key_pair(tmp_path / "chains.key", passphrase=None)
    done = subprocess.run(
        [CHAINS, tmp_path / "chains.key"], input=json.dumps(RUN).encode(), capture_output=True, check=True
    )
    run: dict[str, Any] = json.loads(done.stdout)
    return run


def verify(folder: Path, run: dict[str, Any], target: str, capsys: pytest.CaptureFixture[str]) -> Any:
    file = folder / "run.json"
    file.write_text(json.dumps(run))
    words = ["--bundle", str(file), "--key", f"{folder / 'chains.key'}.pub", "--root", "none", "--json"]
    code = main(["verify", target, *words, "-C", str(folder)])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_that_chains_signed(
    tmp_path: Path, signed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code, body = verify(tmp_path, signed, IMAGE, capsys)
    assert (code, body["accepted"]) == (0, True)
    (item,) = body["evidence"]
    assert (item["carrier"], item["claims"]) == (
        "Tekton Chains annotation", "https://slsa.dev/provenance/v1",
    )  # fmt: skip
    assert item["times"] == []
    code, body = verify(tmp_path, signed, f"sha256:{'0' * 64}", capsys)
    assert (code, body["accepted"]) == (1, False)


def test_what_was_changed_in_the_cluster(
    tmp_path: Path, signed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    notes = signed["metadata"]["annotations"]
    name = f"chains.tekton.dev/signature-taskrun-{UID}"
    envelope = json.loads(base64.b64decode(notes[name]))
    other = "sha256:" + "ab" * 32
    payload = base64.b64decode(envelope["payload"])
    changed = payload.replace(IMAGE[7:].encode(), other[7:].encode())
    assert changed != payload
    envelope["payload"] = base64.b64encode(changed).decode()
    notes[name] = base64.b64encode(json.dumps(envelope).encode()).decode()
    code, body = verify(tmp_path, signed, other, capsys)
    assert (code, body["accepted"]) == (3, False)
    assert "not among the 1 given" in body["unknown"][0]["reason"]
