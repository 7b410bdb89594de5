"""The ledger of this journal: a fold of the deployment records that our own deployer signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.ledger.fold import Entry, Environment, Ledger, fold
from pratique.model import predicate

if TYPE_CHECKING:
    from pratique.flow.workspace import Workspace


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
