"""A roll-out: carries out the state machine's commands on a directory target, and gives back how it ended.

What it does can be killed at any point and run again with the same arguments: it then goes on, and comes to
the same end. For that the environment keeps one file, `.pratique/rollout.json`, which says which roll-out was
begun last, what was serving before it, and whether it came out healthy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec

from pratique.deploy.machine import (
    Command,
    Deployment,
    Event,
    LiveRecorded,
    Phase,
    ReleaseHealthy,
    RolloutBegan,
    RolloutFailed,
    advance,
    commands_of,
)
from pratique.deploy.plan import DeploymentPlan  # noqa: TC001 - msgspec resolves it at run time
from pratique.deploy.target.directory import KEEP_RELEASES, DirectoryTarget
from pratique.deploy.target.health import Checkup, check_health
from pratique.deploy.target.service import ServiceHost
from pratique.deploy.wire import parse_struct
from pratique.errors import EvidenceInvalidError, InfrastructureError, PratiqueError, UsageError
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.store.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.deploy.record import Health
    from pratique.model.digest import Digest


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment record says beyond plan and grounds; see `record.make_record`."""

    previous: Digest | None
    content: Digest | None = None
    health: Health | None = None
    reason: str | None = None
    serving: Digest | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a roll-out ended: `live`, or `failed` with the reason and what the environment was left with."""

    phase: Literal["live", "failed"]
    state: Deployment
    facts: Facts
    pruned: tuple[Digest, ...] = ()


class Recorder(Protocol):
    """Puts one phase of the deployment into the journal.

    Returns only once it is durable there. May be called again for a phase recorded before, by a deployer that
    takes over from one that was killed; it then need not record it twice. If it raises, the roll-out stops
    where it is: before `rolling-out` is recorded nothing has been touched.
    """

    def __call__(self, phase: Literal["rolling-out", "live", "failed"], facts: Facts, /) -> None:
        """Record one phase."""


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The environment's memory of its last roll-out."""

    deployment: Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
    plan: DeploymentPlan
    previous: DeploymentPlan | None
    healthy: bool


def roll_out(
    state: Deployment,
    plan: DeploymentPlan,
    *,
    deployment_id: str,
    artifact: Path,
    target: DirectoryTarget,
    record: Recorder,
    host: ServiceHost | None = None,
    progress: Callable[[str], None] = lambda _: None,
    keep: int = KEEP_RELEASES,
) -> Outcome:
    """Bring an approved deployment to its end.

    A roll-back is the same with a plan for an earlier artifact and the action `rollback`.

    Args:
        state: approved; or rolling out, where an earlier attempt was cut off.
        plan: what the approvals are for.
        deployment_id: see `plan.deployment_id`.
        artifact: the artifact's bytes, not trusted to be what their name says.
        target: the environment's directory.
        record: see `Recorder`.
        host: runs the environment's service; one with defaults if left out.
        progress: told each step in words.
        keep: how many releases to keep, the live one included.

    Raises:
        UsageError: the deployment is not approved, or the directory holds something that is not ours.
        InfrastructureError: another deployer is at work, or the environment's state cannot be read.
    """
    if state.phase not in {Phase.APPROVED, Phase.ROLLING_OUT}:
        raise UsageError(f"a roll-out needs an approved deployment; this one is {state.phase}")
    if str(target.path) != plan.path:
        raise UsageError(f"the plan is for {plan.path}, not for {target.path}")
    with target.locked():
        run = _Run(
            plan=plan,
            deployment_id=deployment_id,
            artifact=artifact,
            target=target,
            host=host or ServiceHost(target.state),
            record=record,
            progress=progress,
        )
        if state.phase is Phase.ROLLING_OUT:
            run.begin()
        return run.to_the_end(state, keep)


class _Run:
    """One attempt, with the environment locked."""

    def __init__(
        self,
        *,
        plan: DeploymentPlan,
        deployment_id: str,
        artifact: Path,
        target: DirectoryTarget,
        host: ServiceHost,
        record: Recorder,
        progress: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._deployment_id = deployment_id
        self._artifact = artifact
        self._target = target
        self._host = host
        self._record = record
        self._progress = progress
        self._begun_file = target.state / "rollout.json"
        self._previous = self._find_previous()
        self._facts = Facts(previous=self._previous.artifact_digest if self._previous else None)

    def to_the_end(self, state: Deployment, keep: int) -> Outcome:
        commands = commands_of(state)
        while state.phase not in {Phase.LIVE, Phase.FAILED}:
            state, commands = advance(state, self._carry_out(commands))
        if state.phase is Phase.FAILED:
            self._fail(state.reason)
            return Outcome(phase="failed", state=state, facts=self._facts)
        protect = (self._facts.previous,) if self._facts.previous else ()
        pruned = self._target.prune(keep=keep, protect=protect)
        return Outcome(phase="live", state=state, facts=self._facts, pruned=tuple(pruned))

    def begin(self, *, healthy: bool = False) -> None:
        """Write down what was serving before anything is touched."""
        begun = Begun(self._deployment_id, self._plan, self._previous, healthy)
        write_atomic(self._begun_file, canonical_json(msgspec.to_builtins(begun)))

    def _carry_out(self, commands: tuple[Command, ...]) -> Event:
        match commands:
            case (Command.RECORD_ROLLING_OUT,):
                self._record("rolling-out", self._facts)
                self.begin()
                return RolloutBegan()
            case (Command.INSTALL, Command.SWITCH, Command.CHECK_HEALTH):
                return self._install_and_switch()
            case (Command.RECORD_LIVE,):
                self.begin(healthy=True)
                self._record("live", self._facts)
                return LiveRecorded()
            case _:
                raise UsageError(f"not for a roll-out: {', '.join(commands)}")

    def _install_and_switch(self) -> Event:
        try:
            self._install()
            problem = self._switch_to(self._plan)
        except (PratiqueError, OSError) as error:
            problem = str(error)
        return RolloutFailed(problem) if problem else ReleaseHealthy()

    def _install(self) -> None:
        plan = self._plan
        self._host.refuse_strangers(plan)  # while what serves now is still untouched
        self._progress(f"put release {plan.artifact_digest.short} in place")
        content = self._target.install(plan.artifact_digest, plan.artifact.name, self._artifact)
        self._facts = msgspec.structs.replace(self._facts, content=content)

    def _switch_to(self, plan: DeploymentPlan) -> str:
        """Make a plan's installed release the current one, with its service; say what is wrong with it."""
        self._progress(f"switch {plan.environment} to {plan.artifact_digest.short}")
        self._target.switch(plan.artifact_digest)
        release = self._target.release(plan.artifact_digest)
        self._host.start(plan, release)
        if plan.service is None:
            return ""
        self._progress(f"wait for {plan.service.health} on port {plan.service.port}")
        checkup: Checkup = check_health(plan, plan.service, self._host, release)
        if plan is self._plan:
            self._facts = msgspec.structs.replace(self._facts, health=checkup.health)
        return checkup.problem

    def _fail(self, reason: str) -> None:
        """Go back to what served before, whatever state the attempt left, and record both."""
        previous = self._previous
        try:
            if previous is None:
                self._progress("nothing served before: leave the environment empty")
                self._host.stop()
                self._target.switch(None)
                problem = ""
            else:
                if self._target.current() != previous.artifact_digest:
                    self._target.verify(previous.artifact_digest)
                problem = self._switch_to(previous)
        except (PratiqueError, OSError) as error:
            problem = str(error)
        serving = None
        if problem:
            reason = f"{reason}; and the release before it could not be restored: {problem}"
        elif previous is not None:
            serving = previous.artifact_digest
        self._facts = msgspec.structs.replace(self._facts, reason=reason, serving=serving)
        self._record("failed", self._facts)

    def _find_previous(self) -> DeploymentPlan | None:
        """Give the plan to go back to: the one before this deployment, however often it was begun."""
        begun = self._last_begun()
        if begun is None:
            if self._target.current() is not None:
                raise UsageError(
                    f"{self._target.path}/current exists, but {self._begun_file} does not say by which plan",
                    hint="move the directory away and deploy anew",
                )
            return None
        if begun.deployment == self._deployment_id:
            return begun.previous
        return begun.plan if begun.healthy else begun.previous

    def _last_begun(self) -> Begun | None:
        try:
            data = self._begun_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InfrastructureError(f"cannot read {self._begun_file}: {error.strerror}") from error
        try:
            return parse_struct(
                parse_json_object(data, what=str(self._begun_file)), Begun, what=str(self._begun_file)
            )
        except EvidenceInvalidError as error:
            raise InfrastructureError(
                f"{error.message}: what was deployed last is not known",
                hint=f"move {self._target.path} away and deploy anew",
            ) from error
