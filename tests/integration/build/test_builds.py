"""Real builds in a real sandbox.

Inputs are looked for in $PRATIQUE_TEST_INPUTS/<example>/, or where `pratique build fetch` puts them:
examples/<example>/inputs/. Tests that need them are skipped where they are absent.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pratique.build.compare import compare_artifacts
from pratique.build.environment import FACTORS, NORMAL, VARIED, varied_factors
from pratique.build.execute import BuildFailedError, BuildResult, run
from pratique.build.inputs import load_inputs
from pratique.build.lock import load_lock
from pratique.build.plan import BuildPlan
from pratique.build.provenance import provenance_predicate
from pratique.build.rebuild import rebuild_predicate
from pratique.build.source import load_directory, load_sdist
from pratique.build.toolchain import load_toolchain
from pratique.errors import EvidenceInvalidError
from pratique.model.strict_json import canonical_json
from pratique.sandbox.bubblewrap import Bubblewrap

pytestmark = pytest.mark.sandbox
REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLES = REPOSITORY / "examples"


def inputs_of(example: str) -> Path:
    chosen = os.environ.get("PRATIQUE_TEST_INPUTS")
    folder = Path(chosen, example) if chosen else EXAMPLES / example / "inputs"
    if not folder.is_dir():
        pytest.skip(
            f"locked inputs not here: pratique build fetch in examples/{example}, or set PRATIQUE_TEST_INPUTS"
        )
    return folder


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return Bubblewrap.find()


def make_plan(sandbox: Bubblewrap, folder: Path, **changes: Any) -> BuildPlan:
    tools = load_lock(EXAMPLES / "harbour" / "build.lock")
    fields: dict[str, Any] = {
        "project": folder.name,
        "recipe": "python-wheel",
        **({} if "source" in changes else {"source": load_directory(folder)}),
        "build_tools": load_inputs(tools, inputs_of("harbour")),
        "lock_digests": {"build": tools.digest},
        "toolchain": load_toolchain(),
        "isolation": sandbox.preflight(),
    }
    return BuildPlan(**(fields | changes))


def markupsafe(sandbox: Bubblewrap) -> BuildPlan:
    folder = EXAMPLES / "markupsafe"
    tools, source = load_lock(folder / "build.lock"), load_lock(folder / "source.lock")
    inputs = inputs_of("markupsafe")
    return make_plan(
        sandbox,
        folder,
        source=load_sdist(load_inputs(source, inputs, kind="sdist")[0]),
        build_tools=load_inputs(tools, inputs),
        lock_digests={"build": tools.digest, "source": source.digest},
    )


def twice(plan: BuildPlan, sandbox: Bubblewrap, scratch: Path) -> tuple[BuildResult, BuildResult]:
    one, other = (run(plan, sandbox, environment, scratch, clock=clock) for environment in (NORMAL, VARIED))
    return one, other


def clock() -> datetime:
    return datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def validate(predicate: dict[str, Any]) -> None:
    schema = json.loads((REPOSITORY / "docs/spec/rebuild.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(predicate)


def hello(folder: Path, **files: str) -> Path:
    package = folder / "hello"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit-core"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "hello"\nversion = "1.0"\ndescription = "x"\n'
    )
    (package / "hello.py").write_text("GREETING = 'hello'\n")
    (package / "backend.py").write_text("from flit_core.buildapi import *\n" + files.get("backend", ""))
    return package


@pytest.mark.slow
def test_a_c_extension_is_bit_identical_in_another_environment(sandbox: Bubblewrap, tmp_path: Path) -> None:
    plan = markupsafe(sandbox)
    one, other = twice(plan, sandbox, tmp_path)
    with zipfile.ZipFile(one.output.path) as wheel:
        assert any(
            name.startswith("markupsafe/_speedups.") and name.endswith(".so") for name in wheel.namelist()
        )
    left, right = one.output.path.read_bytes(), other.output.path.read_bytes()
    assert left == right
    assert one.output.digest == other.output.digest
    predicate = rebuild_predicate(
        original=one.output.digest,
        original_environment=NORMAL,
        rebuilt=other,
        comparison=compare_artifacts(left, right),
        definition_digest=plan.definition_digest,
        invocation_id="again",
    )
    validate(predicate)
    assert predicate["verdict"] == "bit-identical"
    assert set(FACTORS) - {"cpus"} <= set(predicate["varied"])
    assert sorted(path.name[:6] for path in tmp_path.iterdir()) == ["built-", "built-"]


@pytest.mark.slow
def test_a_pure_package_is_bit_identical_and_provenance_names_what_was_mounted(
    sandbox: Bubblewrap, tmp_path: Path
) -> None:
    plan = make_plan(sandbox, hello(tmp_path))
    one, other = twice(plan, sandbox, tmp_path / "scratch")
    assert one.output.digest == other.output.digest
    assert one.output.name == "hello-1.0-py2.py3-none-any.whl"
    body = provenance_predicate(plan, one, builder_id="spiffe://test/builder", invocation_id="i")
    dependencies = body["buildDefinition"]["resolvedDependencies"]
    kinds = {item["annotations"]["kind"] for item in dependencies}
    assert kinds == {"source", "build-tool", "toolchain", "recipe"}
    names = {item["name"] for item in dependencies}
    assert {"hello", "interpreter", "python-installation", "system", "python_wheel.py", "common.py"} <= names
    assert all(len(item["digest"]["sha256"]) == 64 for item in dependencies)
    assert body["buildDefinition"]["internalParameters"]["isolation"]["network"] == "none"
    assert body["runDetails"]["metadata"]["startedOn"] == "2026-11-23T01:02:03Z"
    assert str(tmp_path).encode() not in canonical_json(body)


@pytest.mark.slow
def test_an_application_carries_its_dependencies_and_no_place(sandbox: Bubblewrap, tmp_path: Path) -> None:
    harbour = tmp_path / "harbour"
    shutil.copytree(EXAMPLES / "harbour", harbour, ignore=shutil.ignore_patterns("inputs", "__pycache__"))
    lock = load_lock(EXAMPLES / "harbour" / "requirements.lock")
    dependencies = load_inputs(lock, inputs_of("harbour"))
    plan = make_plan(sandbox, harbour, recipe="python-app", dependencies=dependencies)
    one, other = twice(plan, sandbox, tmp_path / "scratch")
    assert one.output.digest == other.output.digest
    assert one.output.name == "harbour-1.0.0.tar"
    data = one.output.path.read_bytes()
    for leak in (b"direct_url.json", sandbox.python.encode(), str(tmp_path).encode(), b"/build/"):
        assert leak not in data
    with tarfile.open(one.output.path) as archive:
        members = archive.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert {"lib", "lib/harbour/__main__.py", "lib/starlette/__init__.py"} <= set(names)
    assert not [name for name in names if name.endswith(".pyc") or name.startswith("lib/bin")]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", plan.source.epoch)}
    assert {oct(m.mode) for m in members} <= {"0o644", "0o755"}


def test_an_unreproducible_package_is_different_and_the_member_is_named(
    sandbox: Bubblewrap, tmp_path: Path
) -> None:
    stamped = tmp_path / "unreproducible"
    shutil.copytree(EXAMPLES / "negative" / "unreproducible", stamped)
    plan = make_plan(sandbox, stamped)
    one, other = twice(plan, sandbox, tmp_path / "scratch")
    comparison = compare_artifacts(one.output.path.read_bytes(), other.output.path.read_bytes())
    assert not comparison.identical
    contents = {item.member for item in comparison.differences if item.kind == "content"}
    assert contents == {"stamped/_stamp.py", "stamped-1.0.0.dist-info/RECORD"}
    predicate = rebuild_predicate(
        original=one.output.digest,
        original_environment=NORMAL,
        rebuilt=other,
        comparison=comparison,
        definition_digest=plan.definition_digest,
        invocation_id="again",
    )
    validate(predicate)
    assert predicate["verdict"] == "different"


def test_a_failing_build_shows_the_end_of_its_log(sandbox: Bubblewrap, tmp_path: Path) -> None:
    backend = "def build_wheel(*a): raise SystemExit('the reason \\x1b[31m why')\n"
    with pytest.raises(BuildFailedError) as caught:
        run(make_plan(sandbox, hello(tmp_path, backend=backend)), sandbox, NORMAL, tmp_path / "scratch")
    assert "the reason" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert not list((tmp_path / "scratch").iterdir())


def test_a_source_that_changes_after_planning_is_noticed(sandbox: Bubblewrap, tmp_path: Path) -> None:
    package = hello(tmp_path)
    plan = make_plan(sandbox, package)
    (package / "hello.py").write_text("GREETING = 'changed'\n")
    with pytest.raises(EvidenceInvalidError, match="changed while it was being used"):
        run(plan, sandbox, NORMAL, tmp_path / "scratch")


def test_the_same_definition_has_the_same_digest_and_another_has_another(
    sandbox: Bubblewrap, tmp_path: Path
) -> None:
    package = hello(tmp_path)
    first = make_plan(sandbox, package).definition_digest
    assert make_plan(sandbox, package).definition_digest == first
    (package / "hello.py").write_text("GREETING = 'changed'\n")
    assert make_plan(sandbox, package).definition_digest != first


def test_environments_that_differ_are_said_to_differ() -> None:
    available = len(os.sched_getaffinity(0))
    assert varied_factors(NORMAL, VARIED) == tuple(f for f in FACTORS if f != "cpus" or available > 1)
    assert varied_factors(NORMAL, NORMAL) == ()
