"""VEX statements about an artifact that count under the project's policy, as the gate takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError
from pratique.flow.evidence import gather
from pratique.flow.gate import gate_input
from pratique.flow.policy import policy_of
from pratique.policy.standing import assess
from pratique.scan.openvex import Statement, statements_of

if TYPE_CHECKING:
    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


class Spoken(msgspec.Struct, frozen=True):
    """What was said, and the evidence that says it, sorted by digest."""

    statements: tuple[Statement, ...] = ()
    evidence: tuple[str, ...] = ()


def accepted_statements(workspace: Workspace, project: Project, artifact: Artifact) -> Spoken:
    """Give the statements in VEX evidence that stands for an artifact; a document that is none says nothing.

    Raises:
        ConfigError: the policy does not hold up.
    """
    policy = policy_of(workspace, project)
    given = gate_input(workspace, artifact, gather(workspace, artifact.digest), policy)
    statements: list[Statement] = []
    evidence: list[str] = []
    for item in assess(given, policy.requirements).standing.get("vex", ()):
        try:
            statements += statements_of(item.predicate, what=f"VEX evidence {item.digest}")
        except MalformedError as error:
            workspace.progress.note(error.message)
            continue
        evidence.append(str(item.digest))
    return Spoken(tuple(statements), tuple(sorted(evidence)))
