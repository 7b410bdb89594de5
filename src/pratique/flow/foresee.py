"""What `ship` would do now, found out without doing any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.flow.build import built_before, prepare
from pratique.flow.rebuild import rebuilt_before
from pratique.flow.status import status

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


class Foreseen(msgspec.Struct, frozen=True):
    """One stage: whether it would find its work done, and what it would do else."""

    stage: str
    reusable: bool
    detail: str


def foresee(workspace: Workspace, project: Project, environment: str | None) -> list[Foreseen]:
    """Plan the build and look up what of the path is in the journal already; nothing is written there.

    Raises:
        ConfigError, SandboxError: as `prepare`: what would stop a real run at its beginning stops this one.
    """
    if project.config.environments:
        project.environment(environment)
    plan = prepare(workspace, project).plan
    built = built_before(workspace, plan)
    if built is None:
        varied = "again, elsewhere and otherwise"
        stages = [
            Foreseen("build", reusable=False, detail=f"{plan.recipe} of {plan.source.uri}"),
            Foreseen("rebuild", reusable=False, detail=varied),
        ]
    else:
        known = rebuilt_before(workspace, built)
        verdict = str(known.statement.predicate["verdict"]) if known else "again, elsewhere and otherwise"
        stages = [
            Foreseen("build", reusable=True, detail=f"{built.artifact.name}  {built.artifact.digest}"),
            Foreseen("rebuild", reusable=known is not None, detail=verdict),
        ]
    stages.append(Foreseen("scan", reusable=False, detail="by today's advisories"))
    stages.append(
        Foreseen("gate", reusable=False, detail="by today's policy; a decision that stands is kept")
    )
    if project.config.environments:
        stages.append(_deployment(workspace, project, environment, built is not None))
    return stages


def _deployment(
    workspace: Workspace,
    project: Project,
    environment: str | None,
    is_built: bool,  # noqa: FBT001
) -> Foreseen:
    found = status(workspace, project, environment)
    name = found.environment.name
    if is_built and found.pending is None:
        return Foreseen("deploy", reusable=True, detail=f"live in {name}")
    waiting = found.waiting_for if is_built else "approvals of what is going to be built"
    return Foreseen(
        "deploy", reusable=False, detail=f"to {name}" + (f"; waits for {waiting}" if waiting else "")
    )
