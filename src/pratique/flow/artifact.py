"""An artifact as the flows know it: a name for people, a digest for identity, bytes in the blob store."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.model import predicate
from pratique.model.digest import Digest, parse_digest, sha256_file
from pratique.store.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.journal.index import EvidenceRef


class Artifact(msgspec.Struct, frozen=True):
    """Bytes known by digest; the name is a label."""

    name: str
    digest: Digest


def find_artifact(workspace: Workspace, project: Project | None, given: str | None) -> Artifact:
    """Find the artifact a person means: a file, a digest, or nothing for the project's newest build.

    A file is identified by its bytes alone, whatever evidence there may be under its name.

    Raises:
        UsageError: neither a file nor a digest, or nothing was built yet.
    """
    if given is None:
        return _newest_build(workspace, project)
    if Path(given).is_file():
        return Artifact(Path(given).name, sha256_file(Path(given)))
    try:
        digest = parse_digest(given)
    except MalformedError as error:
        raise UsageError(
            f"{given!r} is neither a file nor a digest", hint="name a file, or a digest as sha256:<hex>"
        ) from error
    for reference in workspace.journal.find(subject=digest):
        return Artifact(_name_in(reference, digest), digest)
    return Artifact(str(digest), digest)


def bring_artifact(workspace: Workspace, project: Project | None, given: str | None) -> Artifact:
    """Find an artifact as `find_artifact` does, to look into it: the bytes of a file are kept.

    Raises:
        UsageError: neither a file nor a digest, nothing was built yet, or its bytes are not known.
    """
    if given is not None and Path(given).is_file():
        return Artifact(Path(given).name, workspace.blobs.put_file(Path(given)))
    found = find_artifact(workspace, project, given)
    if not workspace.blobs.has(found.digest):
        raise UsageError(f"the bytes of {found.digest} are not here", hint="name a file that has them")
    return found


def artifacts_of(workspace: Workspace, project: Project) -> list[Artifact]:
    """List what the builder says it built for a project, newest first."""
    builder = workspace.authority.signer("builder").identity
    found: dict[Digest, Artifact] = {}
    for reference in workspace.journal.find(predicate_type=predicate.PROVENANCE):
        if reference.key_id is not None:
            continue
        verified = workspace.verify(reference.digest)
        parameters = verified.statement.predicate["buildDefinition"]["externalParameters"]
        if verified.signer == builder and parameters.get("project") == project.name:
            digest = verified.statement.subjects[0].sha256
            found.setdefault(digest, Artifact(_name_in(reference, digest), digest))
    return list(found.values())


def _newest_build(workspace: Workspace, project: Project | None) -> Artifact:
    if project is None:
        raise UsageError("no artifact given", hint="name a file or a digest, or run this in a project")
    built = artifacts_of(workspace, project)
    if not built:
        raise UsageError(f"{project.name}: nothing was built yet", hint="pratique build")
    return built[0]


def _name_in(reference: EvidenceRef, digest: Digest) -> str:
    return next(
        (item.name for item in reference.subjects if item.digest.get("sha256") == digest.hex), str(digest)
    )


@contextmanager
def artifact_file(workspace: Workspace, artifact: Artifact) -> Iterator[Path]:
    """Give an artifact's bytes as a file under its own name, verified, until the context ends.

    Raises:
        EvidenceInvalidError: the bytes are not in the store, or not what the digest says.
    """
    with workspace.scratch() as folder:
        path = folder / PurePath(artifact.name).name
        with workspace.blobs.open(artifact.digest) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target)
        yield path


def copy_artifact(workspace: Workspace, artifact: Artifact, folder: Path) -> Path:
    """Copy an artifact, verified, into a folder under its own name.

    Raises:
        EvidenceInvalidError: the bytes are not in the store, or not what the digest says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / PurePath(artifact.name).name
    write_atomic(target, workspace.blobs.get(artifact.digest), mode=0o644)
    return target
