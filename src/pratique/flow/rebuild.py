"""Build again in an environment that differs in all that must not matter, and compare bit by bit."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.build.compare import compare_artifacts
from pratique.build.environment import NORMAL, VARIED
from pratique.build.execute import run
from pratique.build.rebuild import rebuild_predicate
from pratique.flow.evidence import newest
from pratique.flow.progress import Outcome
from pratique.model import predicate
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.flow.build import Built, Workbench
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.trust.verify import Verified

_SHOWN = 4


class Rebuilt(msgspec.Struct, frozen=True):
    """What rebuilding came to; `differences` names the members that differ."""

    evidence: Digest
    identical: bool
    differences: tuple[str, ...]


def rebuild(workspace: Workspace, workbench: Workbench, built: Built) -> Rebuilt:
    """Rebuild an artifact from its definition and journal whether the same bytes came out.

    A result that is already in the journal for this artifact and definition is not made again.

    Raises:
        BuildFailedError: it does not build in the other environment.
        EvidenceInvalidError: the artifact's bytes are not in the store any more.
    """
    workspace.progress.begin("rebuild", f"{built.artifact.name}: other path, zone, locale, umask, CPUs …")
    known = rebuilt_before(workspace, built)
    if known:
        evidence, body, outcome = known.digest, known.statement.predicate, Outcome.REUSED
    else:
        evidence, body = _rebuild(workspace, workbench, built)
        outcome = Outcome.DONE
    names = tuple(dict.fromkeys(item["member"] or "(the archive itself)" for item in body["differences"]))
    identical = body["verdict"] == "bit-identical"
    if identical:
        workspace.progress.end(outcome, f"bit-identical with {', '.join(body['varied'])} varied")
    else:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        workspace.progress.end(Outcome.REFUSED, f"DIFFERENT: {', '.join(names[:_SHOWN])}{more}")
    return Rebuilt(evidence, identical, names)


def rebuilt_before(workspace: Workspace, built: Built) -> Verified | None:
    """Find a rebuild of the same artifact from the same definition in the journal."""
    definition = str(built.definition)
    return newest(
        workspace,
        predicate.REBUILD,
        "rebuilder",
        lambda item: item.statement.predicate.get("definitionDigest") == definition,
        built.artifact.digest,
    )


def _rebuild(workspace: Workspace, workbench: Workbench, built: Built) -> tuple[Digest, dict[str, Any]]:
    with workspace.scratch() as folder:
        result = run(
            workbench.plan,
            workbench.sandbox,
            VARIED,
            folder,
            clock=workspace.clock,
            limits=workbench.limits,
        )
        workspace.blobs.put(result.log)
        comparison = compare_artifacts(
            workspace.blobs.get(built.artifact.digest), result.output.path.read_bytes()
        )
        body = rebuild_predicate(
            original=built.artifact.digest,
            original_environment=NORMAL,
            rebuilt=result,
            comparison=comparison,
            definition_digest=built.definition,
            invocation_id=secrets.token_hex(16),
        )
    subject = [Subject(built.artifact.name, built.artifact.digest.digest_set)]
    return workspace.record("rebuilder", predicate.REBUILD, body, subject).digest, body
