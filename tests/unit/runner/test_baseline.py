"""A recorded machine, and what a later measurement says about each thing that changed since."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pratique.errors import EvidenceInvalidError
from pratique.model.digest import Digest
from pratique.model.finding import Finding, Result, Severity
from pratique.model.strict_json import canonical_json
from pratique.runner.baseline import baseline_predicate, parse_baseline, subject_of, take_baseline
from pratique.runner.check import Profile
from pratique.runner.posture import measure, predicate
from pratique.runner.probe import UnreadableError
from pratique.runner.table import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable

    Machine = Any  # the class in conftest.py, which cannot be imported

SPEC = Path(__file__).parents[3] / "docs" / "spec"
BY_ID = {check.id: check for check in CHECKS}
# printf '#!make\n' | sha256sum
MAKE = "0dac53df77e2d933c987190720b73eb70727cadf15ca641101bf02902ef610c1"
# printf '{"machineId":"0123…cdef","scope":"https://pratique.dev/machine/v1"}' | sha256sum
FORGE = "e9dcb3d418345cb52453644053058731a8c2cb0152cea48e8f3e7cdef6f40ec4"


@pytest.fixture
def known(machine: Machine) -> Machine:
    """The machine after its baseline was recorded."""
    machine.program("/usr/bin/passwd", "#!passwd", 0o4755)
    machine.program("/usr/bin/gcc", "#!gcc")
    machine.baseline = parse_baseline(baseline_predicate(take_baseline(machine.probe())))
    return machine


def look(machine: Machine, identifier: str) -> Finding:
    return BY_ID[identifier].run(machine.probe(), Profile.VM)


def test_a_baseline_says_what_is_there(known: Machine) -> None:
    known.deny("/usr/bin/gcc")
    owner = f"uid {os.getuid()} gid {known.at('/usr/bin/passwd').stat().st_gid}"
    written = baseline_predicate(take_baseline(known.probe()))
    known.remove("/usr/bin/gcc")
    assert written["recordedAt"] == "2026-11-23T01:02:03Z"
    assert written["path"] == ("/usr/bin", "/bin")
    assert written["commands"] == {"/usr/bin": ("gcc", "make", "passwd"), "/bin": ()}
    assert written["tools"] == {"make": {"path": "/usr/bin/make", "sha256": MAKE}}
    assert written["setuid"] == {"/usr/bin/passwd": f"4755 {owner}"}
    assert written["sysctls"]["kernel/yama/ptrace_scope"] == "1"
    assert "kernel/io_uring_disabled" not in written["sysctls"]
    assert written["accounts"]["root"] == "uid 0 gid 0 shell /bin/sh"


def test_the_subject_is_the_machine_whatever_it_is_called(machine: Machine) -> None:
    assert subject_of(machine.probe()) == ("forge", Digest(FORGE))
    machine.write("/proc/sys/kernel/hostname", "anvil\n")
    assert subject_of(machine.probe()) == ("anvil", Digest(FORGE))
    machine.remove("/etc/machine-id")
    machine.write("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
    assert subject_of(machine.probe())[1] == Digest(FORGE)
    machine.write("/etc/machine-id", "f" * 32)
    assert subject_of(machine.probe())[1] != Digest(FORGE)


@pytest.mark.parametrize("text", ["", "0" * 32, "uninitialized\n", "F" * 32])
def test_a_machine_without_an_id_has_no_baseline(machine: Machine, text: str) -> None:
    machine.write("/etc/machine-id", text)
    with pytest.raises(UnreadableError, match="no machine id"):
        subject_of(machine.probe())


def test_the_predicate_follows_the_published_schema(known: Machine) -> None:
    validator = _validator("runner-baseline")
    written = json.loads(json.dumps(baseline_predicate(take_baseline(known.probe()))))
    validator.validate(written)
    for spoiled in (
        {name: value for name, value in written.items() if name != "tools"},
        written | {"setuid": {"/usr/bin/x": "rwsr-xr-x"}},
        written | {"tools": {"make": {"path": "make"}}},
        written | {"commands": {"relative": []}},
    ):
        assert not validator.is_valid(spoiled)


def test_the_specifications_example_follows_the_schema_and_can_be_read() -> None:
    page = (SPEC / "runner-baseline.md").read_text()
    statement = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert statement["predicateType"] == "https://pratique.dev/predicate/runner-baseline/v1"
    assert statement["subject"][0]["digest"] == {"sha256": FORGE}
    _validator("runner-baseline").validate(statement["predicate"])
    assert parse_baseline(statement["predicate"]).tools["sudo"].sha256 is None


@pytest.mark.parametrize("spoil", [{"tools": []}, {"path": "x"}, {"accounts": None}])
def test_another_shape_is_refused(machine: Machine, spoil: dict[str, Any]) -> None:
    written = baseline_predicate(take_baseline(machine.probe()))
    with pytest.raises(EvidenceInvalidError, match="runner baseline: ") as caught:
        parse_baseline(written | spoil)
    assert caught.value.hint == "record it again with: pratique runner baseline"


def test_a_machine_that_did_not_change_has_no_drift(known: Machine) -> None:
    for identifier in ("TOO-32", "TOO-33", "TOO-34", "HST-25", "HST-26", "HST-30"):
        finding = look(known, identifier)
        assert finding.result is Result.PASS, finding.detail
    assert look(known, "TOO-34").detail == "2 tools are those of 2026-11-23T01:02:03Z"


CHANGES: list[tuple[str, Callable[[Machine], object], str]] = [
    (
        "TOO-34",
        lambda machine: machine.program("/usr/bin/make", "#!evil"),
        f"changed: /usr/bin/make (sha256 {MAKE[:12]} → ",
    ),
    ("TOO-34", lambda machine: machine.remove("/usr/bin/gcc"), "gone: gcc"),
    ("TOO-34", lambda machine: machine.program("/usr/bin/git"), "new: /usr/bin/git"),
    ("TOO-34", lambda machine: machine.program("/bin/oddity"), "since the baseline: new: /bin/oddity"),
    (
        "TOO-34",
        lambda machine: machine.remove("/usr/bin/passwd"),
        "since the baseline: gone: /usr/bin/passwd",
    ),
    (
        "TOO-34",
        lambda machine: (machine.program("/usr/local/bin/gcc", "#!gcc"), _path(machine, "/usr/local/bin:")),
        "since the baseline: moved: /usr/bin/gcc → /usr/local/bin/gcc",
    ),
    ("TOO-32", lambda machine: _path(machine, "/opt/evil:"), "since the baseline: new: /opt/evil (on PATH)"),
    (
        "TOO-32",
        lambda machine: machine.environ.update(PATH="/bin:/usr/bin"),
        "since the baseline: the order of the folders changed",
    ),
    (
        "TOO-33",
        lambda machine: machine.program("/usr/bin/oddity"),
        "1 of 1 are in no package: /usr/bin/oddity",
    ),
    ("HST-25", lambda machine: machine.program("/tmp/sh", "", 0o4755), "new: /tmp/sh (4755 uid "),  # noqa: S108
    (
        "HST-25",
        lambda machine: machine.program("/usr/lib/a/b/x", "", 0o2755),
        "new: /usr/lib/a/b/x (2755 uid ",
    ),
    ("HST-25", lambda machine: machine.at("/usr/bin/passwd").chmod(0o755), "gone: /usr/bin/passwd"),
    (
        "HST-25",
        lambda machine: machine.at("/usr/bin/passwd").chmod(0o6755),
        "changed: /usr/bin/passwd (4755 ",
    ),
    (
        "HST-26",
        lambda machine: machine.write("/proc/sys/kernel/yama/ptrace_scope", "2\n"),
        "changed: kernel/yama/ptrace_scope (1 → 2)",
    ),
    (
        "HST-30",
        lambda machine: machine.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\neve:x:7:7::/:/bin/sh\n"),
        "since the baseline: new: eve (uid 7 gid 7 shell /bin/sh), gone: build",
    ),
]


def _path(machine: Machine, before: str) -> None:
    machine.environ["PATH"] = before + machine.environ["PATH"]


@pytest.mark.parametrize(("identifier", "change", "says"), CHANGES)
def test_drift_is_named(
    known: Machine, identifier: str, change: Callable[[Machine], object], says: str
) -> None:
    change(known)
    finding = look(known, identifier)
    assert finding.result is Result.FAIL, finding.detail
    assert says in finding.detail


def test_changed_tools_are_critical(known: Machine) -> None:
    assert look(known, "TOO-34").severity is Severity.CRITICAL


def test_without_a_baseline_nothing_is_compared(known: Machine) -> None:
    known.baseline = None
    known.program("/usr/bin/make", "#!evil")
    assert look(known, "TOO-34").result is Result.NOT_APPLICABLE


def test_a_tool_that_cannot_be_read_is_unknown_not_unchanged(known: Machine) -> None:
    written = baseline_predicate(known.baseline)
    known.baseline = parse_baseline(
        written | {"tools": written["tools"] | {"gcc": {"path": "/usr/bin/gcc", "sha256": None}}}
    )
    finding = look(known, "TOO-34")
    assert (finding.result, finding.detail) == (Result.UNKNOWN, "cannot be read: /usr/bin/gcc")
    known.program("/usr/bin/make", "#!evil")
    assert look(known, "TOO-34").result is Result.FAIL


def test_a_kernel_setting_that_one_side_could_not_read_is_no_drift(known: Machine) -> None:
    known.write("/proc/sys/kernel/io_uring_disabled", "2")
    assert look(known, "HST-26").result is Result.PASS


def test_a_linked_folder_is_looked_at_once(machine: Machine) -> None:
    machine.link("/sbin", "usr/bin")
    machine.environ["PATH"] += ":/sbin"
    assert take_baseline(machine.probe()).path == ("/usr/bin", "/bin")


def test_names_that_are_not_utf8_are_no_obstacle(known: Machine) -> None:
    known.program("/usr/bin/od\udcffd", "", 0o4755)
    known.environ["PATH"] += ":/opt/\udcff"
    baseline = take_baseline(known.probe())
    assert canonical_json(baseline_predicate(baseline))
    assert "od\\udcffd" in baseline.commands["/usr/bin"]
    assert baseline.path == ("/usr/bin", "/bin")
    posture = measure(known.probe(), clock=known.probe().clock, invocation_id="b", nonce="n")
    assert b"new: /usr/bin/od\\\\udcffd" in canonical_json(predicate(posture))
    known.baseline = baseline
    assert look(known, "TOO-34").result is Result.PASS


def test_many_changes_are_counted(known: Machine) -> None:
    for number in range(10):
        known.program(f"/usr/bin/tool{number}")
    assert look(known, "TOO-34").detail.endswith("new: /usr/bin/tool7, and 2 more")


def test_the_posture_names_phase_and_baseline(known: Machine) -> None:
    posture = measure(
        known.probe(),
        clock=known.probe().clock,
        invocation_id="b",
        nonce="n",
        phase="after-build",
        baseline=Digest("a" * 64),
    )
    written = predicate(posture)
    assert (written["phase"], written["baseline"]) == ("after-build", {"digest": {"sha256": "a" * 64}})
    validator = _validator("runner-posture")
    validator.validate(written)
    assert not validator.is_valid(written | {"phase": "during-build"})
    assert not validator.is_valid(written | {"baseline": {"digest": {}}})


def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SPEC / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
