"""What a signature or a claim is about: a file, a directory, a digest, or what another bundle speaks of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pratique.errors import MalformedError, UsageError
from pratique.flow.artifact import find_artifact
from pratique.flow.verify import find_target
from pratique.model.digest import parse_digest, sha256_file
from pratique.trust.entity import Envelope
from pratique.trust.foreign.table import read_evidence
from pratique.trust.statement import MAX_SUBJECTS, Subject, parse_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


def find_subjects(
    opened: Callable[[], Workspace], project: Project | None, given: str | None
) -> tuple[Subject, ...]:
    """Take what a claim is about; nothing given is the project's newest build (I/O: reads files).

    A directory is every file in it, each a subject by its path inside: verification wants all of them and no
    other. `NAME@sha256:…` is how registries name images. The state directory is opened where it has to be
    asked: a runner that signs for its team's server has none.

    Raises:
        UsageError: none of these, or a directory that is empty, too large or holds odd files.
    """
    if given is not None and Path(given).is_dir():
        files = find_target(given, Path(given)).files
        if len(files) > MAX_SUBJECTS:
            raise UsageError(
                f"{given}: {len(files)} files, more than the {MAX_SUBJECTS} that a claim is about"
            )
        return tuple(Subject(name, {"sha256": digest}) for name, digest in files.items())
    if given is not None and "@sha256:" in given and not Path(given).exists():
        name, _, digest = given.rpartition("@")
        try:
            return (Subject(name, parse_digest(digest).digest_set),)
        except MalformedError as error:
            raise UsageError(error.message, hint=error.hint) from error
    if given is not None and Path(given).is_file():
        return (Subject(Path(given).name, sha256_file(Path(given)).digest_set),)
    found = find_artifact(opened(), project, given)
    return (Subject(found.name, found.digest.digest_set),)


def subjects_of(data: bytes, *, what: str) -> tuple[Subject, ...]:
    """Take what the statement in another's bundle is about; the bundle itself is not judged.

    Raises:
        MalformedError: not evidence that is read here, or without a statement about anything with a SHA-256.
    """
    contents = [entity.content for entity in read_evidence(data)]
    statements = [parse_statement(item.payload) for item in contents if isinstance(item, Envelope)]
    if len(statements) != 1:
        raise MalformedError(f"{what}: it holds {len(statements)} statements, not one")
    subjects = tuple(item for item in statements[0].subjects if "sha256" in item.digest)
    if not subjects:
        raise MalformedError(f"{what}: its statement is about nothing that has a SHA-256")
    return tuple(Subject(item.name or item.digest["sha256"], item.digest) for item in subjects)
