"""The playground: a policy on a saved input, and nothing journalled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.flow.artifact import find_artifact
from pratique.flow.gate import latest_decision
from pratique.flow.policy_history import find_decision
from pratique.model.strict_json import MAX_BYTES, parse_json_object
from pratique.policy.bundle import PolicyBundle, make_bundle
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.evidence import GateInput, parse_input, read_input
from pratique.policy.explain.deep import deepen
from pratique.policy.explain.words import explain
from pratique.policy.gate import Gated, evaluate
from pratique.policy.rule_data import rule_data_table
from pratique.policy.settings import merge
from pratique.policy.trust_file import requirements_table

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.policy.decision import Decision
    from pratique.policy.engine.port import Engine
    from pratique.policy.explain.words import Explanation


def saved_input(path: Path) -> GateInput:
    """Read an input document from a file; it may have been edited and indented.

    Raises:
        UsageError: it cannot be read.
        MalformedError: it is no input document.
    """
    try:
        with path.open("rb") as stream:
            return read_input(stream.read(MAX_BYTES + 1))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except MalformedError as error:
        raise MalformedError(
            f"{path}: {error.message}", hint="save one with: pratique policy eval --save FILE"
        ) from error


def decision_meant(workspace: Workspace, project: Project | None, text: str | None) -> Decision:
    """Find the decision a person means: by its digest or its VSA's, or the newest on an artifact.

    Raises:
        UsageError: there is none.
        EvidenceInvalidError: it is damaged.
    """
    found = find_decision(workspace, text) if text else None
    if found is not None:
        return found
    artifact = find_artifact(workspace, project, text)
    latest = latest_decision(workspace, artifact.digest)
    if latest is None:
        raise UsageError(
            f"{artifact.name}: there is no decision on {artifact.digest.short} yet", hint="pratique gate"
        )
    return latest[1]


def input_of(workspace: Workspace, decision: Decision) -> GateInput:
    """Load the document that a decision was made on.

    Raises:
        EvidenceInvalidError: it is missing or damaged.
    """
    return parse_input(workspace.blobs.get(decision.input))


def with_data(bundle: PolicyBundle, data: dict[str, Any]) -> PolicyBundle:
    """Lay rule data over a policy's own.

    Raises:
        ConfigError: a key or value that no rule understands.
    """
    if not data:
        return bundle
    table = merge(rule_data_table(bundle.data), data)
    return make_bundle(bundle.modules, table, requirements_table(bundle.requirements), bundle.sources)


def try_policy(given: GateInput, bundle: PolicyBundle, engine: Engine, *, at: datetime | None) -> Gated:
    """Decide, at another time if one is given, and record nothing."""
    when = given if at is None else msgspec.structs.replace(given, effective_time=at)
    return evaluate(when, bundle, engine)


def trial_explained(gated: Gated, bundle: PolicyBundle) -> Explanation:
    """Explain what was just tried."""
    decision = gated.decision
    return deepen(explain(decision), decision, read_input(gated.input_bytes), bundle, RegorusEngine())


def input_text(given: GateInput) -> bytes:
    """Write an input document for people to edit; `saved_input` reads it back."""
    document = parse_json_object(given.encode(), what="policy input")
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
