"""Build a project in the sandbox: posture before, provenance after, both in the journal."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from pratique import __version__
from pratique.build.environment import NORMAL
from pratique.build.execute import run
from pratique.build.inputs import load_inputs
from pratique.build.lock import load_lock
from pratique.build.plan import BuildPlan
from pratique.build.provenance import provenance_predicate
from pratique.build.source import Source, load_directory, load_sdist
from pratique.build.toolchain import load_toolchain
from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.flow.artifact import Artifact
from pratique.flow.evidence import newest
from pratique.flow.posture import record_posture
from pratique.flow.progress import Outcome
from pratique.model import predicate
from pratique.model.strict_json import canonical_json
from pratique.policy.build_facts import byproducts
from pratique.sandbox.bubblewrap import Bubblewrap
from pratique.sandbox.job import Limits
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.sandbox.job import Sandbox
    from pratique.trust.verify import Verified


class Built(msgspec.Struct, frozen=True):
    """A build in the journal, and what repeats it.

    Attributes:
        artifact: what came out.
        provenance: evidence digest.
        definition: digest of the build definition.
        reused: it had been built before, from the same definition.
    """

    artifact: Artifact
    provenance: Digest
    definition: Digest
    reused: bool


class Workbench(msgspec.Struct, frozen=True):
    """What builds and rebuilds need: a sandbox that works here, and the plan."""

    sandbox: Sandbox
    plan: BuildPlan
    limits: Limits


def prepare(workspace: Workspace, project: Project) -> Workbench:
    """Look at source, inputs, tool chain and sandbox, and plan the build; nothing is built.

    Raises:
        ConfigError: a lock file or source that does not hold up, or inputs not fetched yet.
        SandboxError: no sandbox can be had here.
    """
    config = project.config.build
    workspace.progress.begin("plan", f"{project.name}: source, locked inputs, tool chain, sandbox")
    tools = load_lock(project.path(config.tools))
    dependencies = load_lock(project.path(config.dependencies)) if config.dependencies else None
    inputs = project.path(config.inputs)
    sandbox = Bubblewrap.find()
    plan = BuildPlan(
        project=project.name,
        recipe=config.recipe,
        source=_load_source(project),
        build_tools=load_inputs(tools, inputs),
        dependencies=load_inputs(dependencies, inputs) if dependencies else (),
        lock_digests={"tools": tools.digest}
        | ({"dependencies": dependencies.digest} if dependencies else {}),
        toolchain=load_toolchain(),
        isolation=sandbox.preflight(),
        environment=NORMAL,
    )
    source = plan.source
    what = (
        f"commit {source.commit[:12]}{', changed' if source.dirty else ''}" if source.commit else source.uri
    )
    count = len(plan.build_tools) + len(plan.dependencies)
    workspace.progress.end(
        Outcome.DONE, f"{what}, {count} locked inputs, sandbox {plan.isolation.isolation_class}"
    )
    limits = Limits(wall_seconds=config.timeout_seconds, cpu_seconds=config.timeout_seconds)
    return Workbench(sandbox, plan, limits)


def _load_source(project: Project) -> Source:
    source = project.config.build.source
    if source.directory is not None:
        return load_directory(project.path(source.directory))
    lock = load_lock(project.path(source.sdist or ""))
    found = load_inputs(lock, project.path(project.config.build.inputs), kind="sdist")
    if len(found) != 1:
        raise ConfigError(f"{source.sdist}: names {len(found)} source distributions, and has to name one")
    return load_sdist(found[0])


def build(workspace: Workspace, project: Project, workbench: Workbench) -> Built:
    """Build the project, unless the same definition was built before and the artifact is still here.

    The runner's posture is measured, signed and journalled before anything of the project's runs; the
    provenance names it.

    Raises:
        BuildFailedError: the project does not build.
        EvidenceInvalidError: an input changed, or the output is not what the recipe promises.
    """
    plan = workbench.plan
    definition = plan.definition_digest
    if earlier := built_before(workspace, plan):
        workspace.progress.begin("build", project.name)
        workspace.progress.end(Outcome.REUSED, f"{earlier.artifact.name}  {earlier.artifact.digest.short}")
        return earlier
    invocation = secrets.token_hex(16)
    posture = record_posture(workspace, project.root, invocation, definition)
    workspace.progress.begin("build", f"{project.name}: {plan.recipe}, no network")
    with workspace.scratch() as folder:
        result = run(plan, workbench.sandbox, NORMAL, folder, clock=workspace.clock, limits=workbench.limits)
        workspace.blobs.put_file(result.output.path)
    workspace.blobs.put(result.log)
    body = provenance_predicate(
        plan,
        result,
        builder_id=workspace.authority.signer("builder").identity.subject,
        invocation_id=invocation,
        version=__version__,
        posture=posture,
    )
    artifact = Artifact(result.output.name, result.output.digest)
    recorded = workspace.record("builder", predicate.PROVENANCE, body, [_subject(artifact)])
    workspace.progress.end(Outcome.DONE, f"{artifact.name}  {artifact.digest.short}")
    return Built(artifact, recorded.digest, definition, reused=False)


def built_before(workspace: Workspace, plan: BuildPlan) -> Built | None:
    """Find a build of the same definition in the journal whose artifact and posture are still here."""
    definition = canonical_json(plan.definition())

    def same(item: Verified) -> bool:
        body = item.statement.predicate
        return (
            canonical_json(body["buildDefinition"]) == definition
            and _is_intact(workspace, _subject_of(item).digest)
            and all(workspace.blobs.has(posture) for posture in byproducts(body, "runner-posture"))
        )

    found = newest(workspace, predicate.PROVENANCE, "builder", same)
    return Built(_subject_of(found), found.digest, plan.definition_digest, reused=True) if found else None


def _is_intact(workspace: Workspace, digest: Digest) -> bool:
    """Say whether an artifact is still here as it was built; if not, building again brings it back."""
    try:
        workspace.blobs.open(digest).close()
    except EvidenceInvalidError:
        return False
    return True


def _subject_of(item: Verified) -> Artifact:
    subject = item.statement.subjects[0]
    return Artifact(subject.name, subject.sha256)


def _subject(artifact: Artifact) -> Subject:
    return Subject(artifact.name, artifact.digest.digest_set)
