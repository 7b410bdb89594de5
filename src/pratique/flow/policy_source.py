"""Which policy a person means: a folder, a file, a digest, a shipped profile, or the one in force."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import ConfigError, EvidenceInvalidError, UsageError
from pratique.flow.policy import policy_of
from pratique.flow.policy_archive import POLICY, unpack
from pratique.flow.policy_release import read_archive
from pratique.model.digest import parse_digest
from pratique.policy.bundle import PolicyBundle
from pratique.policy.shipped import DEFAULT_PROFILE, shipped_bundle
from pratique.policy.suite.source import load_source
from pratique.trust.rootfile import load_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace

CURRENT: Final = "current"
_SHIPPED: Final = "shipped:"
_WAYS: Final = "a folder, a bundle file, sha256:<hex>, shipped:PROFILE, or: current"


class Surroundings:
    """Where a command runs, and what there is: perhaps a state directory, perhaps a project.

    Attributes:
        project: the project around it.
        home: where the state directory is, or would be.
    """

    def __init__(self, home: Path, project: Project | None, open_workspace: Callable[[], Workspace]) -> None:
        self.home = home
        self.project = project
        self._open = open_workspace

    @cached_property
    def workspace(self) -> Workspace | None:
        """The state directory, opened; None where there is no trust root in it."""
        return self._open() if (self.home / "trust").is_dir() else None

    @cached_property
    def trust_domain(self) -> str:
        """Whose identities the shipped policy's roles mean; found without opening the journal."""
        root = self.home / "trust" / "trusted_root.json"
        return load_root(root).tlogs[0].origin if root.exists() else "pratique.local"

    @property
    def profile(self) -> str:
        """Which profile of the shipped policy a source folder adds to, where nobody says."""
        return (self.project.config.policy.profile if self.project else None) or DEFAULT_PROFILE


def policy_meant(reference: str, around: Surroundings, *, profile: str | None = None) -> PolicyBundle:
    """Find the policy that a reference means; nothing about its signature is said.

    Args:
        reference: see `_WAYS`; a file is an archive of `policy bundle`, or a bundle's canonical JSON.
        around: where the command runs.
        profile: for a folder that adds to the shipped policy.

    Raises:
        UsageError: it means nothing here.
        ConfigError, EvidenceInvalidError: what it means does not hold up.
    """
    if reference == CURRENT:
        if around.workspace is None or around.project is None:
            raise UsageError("there is no policy in force: no project or no state directory here")
        return policy_of(around.workspace, around.project)
    if reference.startswith(_SHIPPED):
        return shipped_bundle(
            reference.removeprefix(_SHIPPED), requirements={"trust_domain": around.trust_domain}
        )
    if re.match(r"sha256:[0-9a-f]{64}\Z", reference):
        if around.workspace is None:
            raise UsageError(f"{reference}: there is no state directory here to look it up in")
        digest = parse_digest(reference)
        if not around.workspace.blobs.has(digest):
            raise UsageError(
                f"{reference}: no policy of that digest has decided here",
                hint="which have: pratique log list --type vsa; its publisher's file is a policy, too",
            )
        return PolicyBundle.parse(around.workspace.blobs.get(digest))
    path = Path(reference)
    if path.is_dir():
        requirements = {"trust_domain": around.trust_domain}
        return load_source(path, profile=profile or around.profile, requirements=requirements)
    if not path.exists():
        raise UsageError(f"{reference}: neither a folder nor a file", hint=f"name {_WAYS}")
    return _read(path)


def _policy(data: bytes, path: Path) -> bytes:
    packed = unpack(data, str(path))
    if packed.artifact.kind != POLICY:
        raise UsageError(
            f"{path}: it holds {packed.artifact.kind.noun}, which decides nothing by itself",
            hint="in a project that it holds for: pratique policy diff shipped:standard current",
        )
    return packed.policy


def _read(path: Path) -> PolicyBundle:
    data = read_archive(path)
    try:
        return PolicyBundle.parse(data if data.startswith(b"{") else _policy(data, path))
    except ConfigError as error:  # a bundle is not the reader's own file to correct
        raise EvidenceInvalidError(f"{path}: {error.message}", hint=error.hint) from error
