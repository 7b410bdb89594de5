"""The whole path for one project: from source to a healthy deployment, or to what stands in the way."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import AwaitingApprovalError
from pratique.flow.build import Built, build, prepare
from pratique.flow.consent import approve, consent_to, propose
from pratique.flow.deploy import deploy
from pratique.flow.gate import Decided, gate
from pratique.flow.progress import Outcome
from pratique.flow.rebuild import Rebuilt, rebuild
from pratique.flow.scan import Scanned, scan
from pratique.flow.send import send_own, team_of
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.rollout import Deployed
    from pratique.flow.workspace import Workspace
    from pratique.trust.signers.port import AskSecret


class Arrival(StrEnum):
    """How far the project came."""

    LIVE = "live"
    REFUSED = "refused"
    AWAITING = "awaiting-approval"
    DECIDED = "decided"


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """What each stage left; what was not reached is None.

    Attributes:
        arrival: how far it came. `DECIDED` is the end of the path of a project without environments.
        sent: evidence that went to the team's server by this run.
        waiting_for: while awaiting approval, whose is owed.
    """

    arrival: Arrival
    artifact: Artifact
    built: Built
    rebuilt: Rebuilt
    scanned: Scanned
    decided: Decided
    sent: tuple[Digest, ...] = ()
    deployed: Deployed | None = None
    waiting_for: str = ""


def ship(
    workspace: Workspace,
    project: Project,
    *,
    environment: str | None = None,
    approve_with: Sequence[str] = (),
    ask: AskSecret,
) -> Shipped:
    """Take a project along the whole path; what was done before on the same inputs is not done again.

    Runner check, build, rebuild, scan and decision always happen; approvals and deployment only if policy
    lets the artifact pass. Run again after an interruption, or once people have approved. Where the project
    names its team's server, nothing is deployed whose evidence did not get there.

    Args:
        workspace: the state directory.
        project: what to ship.
        environment: where to; may be left out where there is only one.
        approve_with: keys (files or key URIs) to approve with on the way, for those who hold them.
        ask: gives passphrases and PINs.

    Raises:
        PratiqueError: a stage could not do its work; the ones before are in the journal.
    """
    if project.config.environments:
        project.environment(environment)  # a wrong name is said before minutes of building
    workbench = prepare(workspace, project)
    built = build(workspace, project, workbench)
    rebuilt = rebuild(workspace, workbench, built)
    scanned = scan(workspace, project, built.artifact)
    decided = gate(workspace, project, built.artifact)
    sent = _hand_over(workspace, project, built.artifact)

    def arrived(arrival: Arrival, deployed: Deployed | None = None, waiting_for: str = "") -> Shipped:
        return Shipped(
            arrival=arrival,
            artifact=built.artifact,
            built=built,
            rebuilt=rebuilt,
            scanned=scanned,
            decided=decided,
            sent=sent,
            deployed=deployed,
            waiting_for=waiting_for,
        )

    if not decided.decision.allowed:
        return arrived(Arrival.REFUSED)
    if not project.config.environments:
        return arrived(Arrival.DECIDED)
    proposal = propose(workspace, project, environment, built.artifact, decided.evidence)
    for key in approve_with:
        if consent_to(workspace, proposal).quorum.met:
            break
        approve(workspace, proposal, key, ask=ask)
    try:
        return arrived(Arrival.LIVE, deploy(workspace, proposal))
    except AwaitingApprovalError as error:
        return arrived(Arrival.AWAITING, waiting_for=error.message)


def _hand_over(workspace: Workspace, project: Project, artifact: Artifact) -> tuple[Digest, ...]:
    team = team_of(project, workspace.home)
    if team is None:
        return ()
    workspace.progress.begin("send", f"{artifact.name}: its evidence to {team.url}")
    sent = tuple(digest for digest, _ in send_own(workspace, team, artifact.digest))
    workspace.progress.end(Outcome.DONE if sent else Outcome.REUSED, f"{len(sent)} sent")
    return sent
