"""The rebuild predicate refuses to be made from parts that contradict one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pratique.build.compare import Comparison, Difference
from pratique.build.environment import NORMAL, VARIED, Environment
from pratique.build.execute import BuildResult, Output
from pratique.build.rebuild import rebuild_predicate
from pratique.errors import EvidenceInvalidError
from pratique.model.digest import Digest, sha256_bytes
from pratique.sandbox.job import Isolation

if TYPE_CHECKING:
    from pathlib import Path

DEFINITION = Digest("d" * 64)
DATA = b"an artifact"
ISOLATION = Isolation(
    isolation_class="namespaces",
    backend="none",
    version="0",
    origin="system",
    namespaces=(),
    network="none",
    privileges="none",
    host_user="unprivileged",
    seccomp="none",
    resource_limits={},
)


def predicate(tmp_path: Path, environment: Environment = VARIED, **changes: Any) -> dict[str, Any]:
    path = tmp_path / "a.whl"
    path.write_bytes(DATA)
    result = BuildResult(
        output=Output("a.whl", path, sha256_bytes(DATA), len(DATA)),
        log=b"said",
        environment=environment,
        isolation=ISOLATION,
        definition_digest=DEFINITION,
        started_on="2026-11-23T00:00:00Z",
        finished_on="2026-11-23T00:00:01Z",
    )
    if changes.pop("tamper", False):
        path.write_bytes(b"changed since")
    fields: dict[str, Any] = {
        "original": sha256_bytes(DATA),
        "original_environment": NORMAL,
        "rebuilt": result,
        "comparison": Comparison("bit-identical"),
        "definition_digest": DEFINITION,
        "invocation_id": "i",
    }
    return rebuild_predicate(**(fields | changes))


def test_parts_that_agree(tmp_path: Path) -> None:
    body = predicate(tmp_path)
    assert (body["verdict"], body["differences"]) == ("bit-identical", [])
    assert body["original"]["digest"] == body["rebuilt"]["digest"] == {"sha256": sha256_bytes(DATA).hex}
    assert body["definitionDigest"] == "sha256:" + "d" * 64
    assert body["byproducts"] == [{"name": "build.log", "digest": {"sha256": sha256_bytes(b"said").hex}}]


DIFFERENT = Comparison("different", (Difference("m", "content"),))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"original": Digest("0" * 64)}, "not of these two"),
        ({"comparison": DIFFERENT}, "not of these two"),
        ({"definition_digest": Digest("e" * 64)}, "another definition"),
        ({"environment": NORMAL}, "varied nothing"),
        ({"tamper": True}, "not the file that was built"),
    ],
)
def test_parts_that_contradict_one_another(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(EvidenceInvalidError, match=match):
        predicate(tmp_path, **changes)
