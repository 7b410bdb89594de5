"""Decisions made again by an auditor: by the same engine, by another, by one that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from patience import PATIENT

from pratique.errors import CouldNotCheckError, EvidenceInvalidError
from pratique.flow.account import export_audit, verify_audit
from pratique.flow.artifact import Artifact
from pratique.flow.gate import gate
from pratique.model.digest import sha256_bytes
from pratique.policy.engine.port import EngineError
from pratique.policy.engine.regorus import RegorusEngine

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State
    from pratique.policy.engine.port import Answer

ENGINE = RegorusEngine(PATIENT)


class Auditor:
    """The default engine under another name, with a finding more, or failing."""

    def __init__(self, name: str = "opa", version: str = "1.2", *, more: Any = None, fails: str = "") -> None:
        self.name, self.version = name, version
        self._more, self._fails = more, fails

    def evaluate(self, *arguments: Any) -> Answer:
        if self._fails:
            raise EngineError("timeout", self._fails)
        answer = ENGINE.evaluate(*arguments)
        if self._more is None:
            return answer
        first, *rest = answer.sets
        first = msgspec.structs.replace(first, members=(*first.members, self._more))
        return msgspec.structs.replace(answer, sets=(first, *rest))

    def test(self, *_: Any) -> Any:
        raise NotImplementedError


FINDING = {"code": "sbom.components", "msg": "m", "term": [], "evidence": []}


@pytest.fixture
def package(state: State, tmp_path: Path) -> tuple[Path, Any]:
    artifact = Artifact("app-1.whl", sha256_bytes(b"an artifact"))
    gate(state.workspace, state.project(), artifact)
    path = tmp_path / "app.audit"
    export_audit(state.workspace, [artifact], path)
    return path, state.workspace.root.fingerprint


def test_another_engine_that_agrees_is_named(package: tuple[Path, Any]) -> None:
    audited = verify_audit(*package, Auditor())
    assert (audited.engine, audited.replayed) == ("opa 1.2", 1)
    assert audited.others == (f"regorus {ENGINE.version}",)
    assert verify_audit(*package, ENGINE).others == ()


@pytest.mark.parametrize(("name", "version"), [("opa", "1.2"), ("regorus", "0.0.1")])
def test_another_engine_that_differs_leaves_it_unknown(
    package: tuple[Path, Any], name: str, version: str
) -> None:
    with pytest.raises(
        CouldNotCheckError, match=rf"again by {name} {version}.*results.*is unknown"
    ) as caught:
        verify_audit(*package, Auditor(name, version, more=FINDING))
    assert caught.value.exit_code == 3
    assert caught.value.hint.endswith("--engine regorus")


def test_the_same_engine_that_differs_refutes_it(package: tuple[Path, Any]) -> None:
    with pytest.raises(EvidenceInvalidError, match="comes out otherwise"):
        verify_audit(*package, Auditor("regorus", ENGINE.version, more=FINDING))


@pytest.mark.parametrize("version", ["0.0.1", ENGINE.version])
def test_an_engine_that_fails_says_nothing(package: tuple[Path, Any], version: str) -> None:
    with pytest.raises(CouldNotCheckError, match=r"could not be made again by regorus .*: timeout: too slow"):
        verify_audit(*package, Auditor("regorus", version, fails="too slow"))
