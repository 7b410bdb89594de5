"""The ledger of this journal: a fold of the deployment records that our own deployer signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.ledger.fold import Entry, Environment, Ledger, Step, fold
from pratique.model import predicate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest


def ledger_of(workspace: Workspace) -> Ledger:
    """Fold the journal's deployment records; what anybody else signed does not count.

    Raises:
        EvidenceInvalidError: a record does not verify, or cannot be read.
    """
    deployer = workspace.authority.signer("deployer").identity
    entries = []
    for reference in workspace.journal.find(predicate_type=predicate.DEPLOYMENT):
        if reference.key_id is not None:
            continue
        verified = workspace.verify(reference.digest)
        if verified.signer == deployer:
            entries.append(
                Entry(
                    index=verified.log_index,
                    signed_at=verified.signed_at,
                    artifact=verified.statement.subjects[0].sha256,
                    predicate=verified.statement.predicate,
                    evidence=verified.digest,
                )
            )
    return fold(entries)


def environment_of(workspace: Workspace, name: str) -> Environment:
    """Give one environment as the records tell it; one without records is empty."""
    return ledger_of(workspace).get(name, Environment(name=name))


def left_at(history: Sequence[Step], artifact: Digest) -> Step | None:
    """Find the newest record that an environment was rolled back from an artifact."""
    for step in reversed(history):
        if step.action == "rollback" and step.phase == "live" and step.previous == artifact:
            return step
    return None


def way_back(history: Sequence[Step]) -> list[Step]:
    """Give what was live, oldest first and what is live now last, each by the record that put it there.

    What was rolled back from is not among it: a second roll-back leads further back, never forward again.
    """
    lived: list[Step] = []
    for step in history:
        if step.phase != "live":
            continue
        if step.action == "rollback" and any(earlier.artifact == step.artifact for earlier in lived):
            while lived[-1].artifact != step.artifact:
                lived.pop()
        elif lived and lived[-1].artifact == step.artifact:
            lived[-1] = step
        else:
            lived.append(step)
    return lived
