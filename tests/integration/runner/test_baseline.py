"""A machine's baseline through the journal: recorded, found again, verified, compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import CouldNotCheckError, EvidenceInvalidError
from pratique.flow.posture import check_runner, find_baseline, record_baseline, record_posture
from pratique.flow.progress import Silent
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.digest import Digest
from pratique.model.finding import Result
from pratique.runner.probe import Probe
from pratique.testing.authority import make_authority
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.runner.posture import Posture
    from pratique.testing.authority import SettableClock

MACHINE_ID = "0123456789abcdef0123456789abcdef"
DEFINITION = Digest("d" * 64)
FILES = {
    "etc/machine-id": f"{MACHINE_ID}\n",
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "proc/sys/kernel/hostname": "forge\n",
    "proc/sys/kernel/random/boot_id": "boot-1\n",
    "proc/stat": "btime 1000\n",
    "usr/bin/make": "#!make\n",
}


class Forge:
    """A pretended machine with a real journal."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        for name, text in FILES.items():
            self.write(name, text)
        self.authority, self.clock = make_authority(folder / "home")
        self.workspace = self.open(folder)

    def open(self, folder: Path) -> Workspace:
        return Workspace(folder / "home", self.authority, clock=self.clock, progress=Silent())

    def write(self, name: str, text: str) -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def probe(self, *, workspace: Path, clock: SettableClock | None = None) -> Probe:
        return Probe(
            root=self.tree,
            environ={"PATH": "/usr/bin", "HOME": "/root"},
            workspace=str(workspace),
            hash_key=b"k" * 32,
            clock_status=lambda: 0,
            clock=clock or self.clock,
        )

    def check(self, folder: Path) -> Posture:
        return check_runner(self.clock, folder, known=find_baseline(self.workspace, folder))

    def posture(self, evidence: Digest) -> dict[str, Any]:
        return self.workspace.verify(evidence).statement.predicate


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    made = Forge(tmp_path)
    monkeypatch.setattr(Probe, "of_this_machine", made.probe)
    return made


def results(checks: list[dict[str, Any]]) -> dict[str, str]:
    return {check["id"]: check["result"] for check in checks}


def test_a_changed_tool_is_found_before_a_build(forge: Forge, tmp_path: Path) -> None:
    subject, known = record_baseline(forge.workspace, tmp_path)
    assert (subject.name, known.baseline.tools.keys()) == ("forge", {"make"})
    signed = forge.workspace.verify(known.evidence)
    assert signed.signer.subject == "spiffe://pratique.local/runner"
    assert [item.digest for item in signed.statement.subjects] == [subject.digest]
    calm = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION))
    assert calm["baseline"] == {"digest": {"sha256": known.evidence.hex}}
    assert results(calm["checks"])["TOO-34"] == "pass"
    forge.write("usr/bin/make", "#!evil\n")
    spoiled = forge.posture(record_posture(forge.workspace, tmp_path, "b2", DEFINITION))
    (found,) = [check for check in spoiled["checks"] if check["id"] == "TOO-34"]
    assert (found["result"], found["severity"]) == ("fail", "critical")
    assert "changed: /usr/bin/make" in found["detail"]


def test_the_newest_baseline_counts(forge: Forge, tmp_path: Path) -> None:
    record_baseline(forge.workspace, tmp_path)
    forge.write("usr/bin/make", "#!newer\n")
    assert {item.id: item.result for item in forge.check(tmp_path).findings}["TOO-34"] is Result.FAIL
    _, newer = record_baseline(forge.workspace, tmp_path)
    again = forge.check(tmp_path)
    assert {item.id: item.result for item in again.findings}["TOO-34"] is Result.PASS
    assert again.baseline == newer.evidence


def test_without_a_baseline_nothing_is_compared(forge: Forge, tmp_path: Path) -> None:
    assert find_baseline(forge.workspace, tmp_path) is None
    body = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION))
    assert results(body["checks"])["TOO-34"] == "not-applicable"
    assert "baseline" not in body


def test_another_machines_baseline_is_not_ours(forge: Forge, tmp_path: Path) -> None:
    record_baseline(forge.workspace, tmp_path)
    forge.write("etc/machine-id", "f" * 32)
    assert find_baseline(forge.workspace, tmp_path) is None


def test_a_baseline_that_another_role_signed_does_not_count(forge: Forge, tmp_path: Path) -> None:
    subject, known = record_baseline(forge.workspace, tmp_path)
    body = forge.posture(known.evidence)
    forge.workspace.record("builder", predicate.RUNNER_BASELINE, body | {"tools": {}}, [subject])
    found = find_baseline(forge.workspace, tmp_path)
    assert found is not None
    assert found.evidence == known.evidence


def test_a_baseline_of_another_shape_is_refused_not_passed_over(forge: Forge, tmp_path: Path) -> None:
    subject, _ = record_baseline(forge.workspace, tmp_path)
    forge.workspace.record("runner", predicate.RUNNER_BASELINE, {"tools": 1}, [subject])
    with pytest.raises(EvidenceInvalidError, match="runner baseline: "):
        find_baseline(forge.workspace, tmp_path)


def test_a_baseline_that_was_tampered_with_does_not_count(forge: Forge, tmp_path: Path) -> None:
    _, known = record_baseline(forge.workspace, tmp_path)
    path = forge.workspace.blobs.path(known.evidence)
    path.chmod(0o600)
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert find_baseline(forge.open(tmp_path), tmp_path) is None


def test_a_machine_without_an_id_cannot_be_recorded_and_can_still_build(forge: Forge, tmp_path: Path) -> None:
    forge.write("etc/machine-id", "")
    with pytest.raises(CouldNotCheckError, match="no machine id") as caught:
        record_baseline(forge.workspace, tmp_path)
    assert "systemd-machine-id-setup" in caught.value.hint
    body = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION))
    assert results(body["checks"])["EPH-21"] == "pass"


def test_an_earlier_build_shows_until_the_machine_restarts(forge: Forge, tmp_path: Path) -> None:
    first = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION))
    assert results(first["checks"])["EPH-21"] == "pass"
    after = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION, phase="after-build"))
    assert (after["phase"], after["invocationId"]) == ("after-build", "b1")
    assert results(after["checks"])["EPH-21"] == "pass"
    second = forge.posture(record_posture(forge.workspace, tmp_path, "b2", DEFINITION))
    (found,) = [check for check in second["checks"] if check["id"] == "EPH-21"]
    assert (found["result"], found["detail"]) == ("fail", "build b1 ran here since the machine started")
    forge.write("proc/sys/kernel/random/boot_id", "boot-2\n")
    third = forge.posture(record_posture(forge.workspace, tmp_path, "b3", DEFINITION))
    assert results(third["checks"])["EPH-21"] == "pass"


def test_a_posture_that_another_role_signed_tells_of_no_build(forge: Forge, tmp_path: Path) -> None:
    body = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION))
    subject = Subject("build/b0", DEFINITION.digest_set)
    forge.workspace.record("builder", predicate.RUNNER_POSTURE, body | {"invocationId": "b0"}, [subject])
    again = forge.posture(record_posture(forge.workspace, tmp_path, "b1", DEFINITION))
    assert results(again["checks"])["EPH-21"] == "pass"
