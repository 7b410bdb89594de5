"""What `policy pull` was asked for, put together from the command line and the project, and done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import UsageError
from pratique.flow.policy_archive import unpack
from pratique.flow.policy_release import Release, accept, acceptance, pulled_file, read_archive
from pratique.flow.policy_transfer import open_repository, parse_place, pull_release
from pratique.store.atomic import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.flow.policy_release import Accepted, Pin
    from pratique.flow.workspace import Workspace

_OCI = "oci://"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says; what it leaves out is taken from a pin."""

    place: str | None
    signer: Any
    digest: str | None
    allow_tag: bool
    trusted_root: Path | None
    key: Path | None


class Fetched(msgspec.Struct, frozen=True):
    """A release that was accepted, where it came from, and the file that has it now."""

    release: Release
    place: str
    path: Path


def fetch_policy(workspace: Workspace, pin: Pin | None, wanted: Wanted, auth: Path | None) -> Fetched:
    """Fetch, verify, keep.

    Args:
        workspace: the state directory that keeps it.
        pin: a project's `[policy.bundle]`, or an organisation's.
        wanted: see `Wanted`.
        auth: file of registries' passwords.

    Raises:
        UsageError: no place, no signer, or a tag alone.
        EvidenceInvalidError: it is not accepted; nothing was kept.
        InfrastructureError: the registry does not answer.
    """
    place = wanted.place
    if place is None and pin:
        place = pin.config.oci or str(pin.path(pin.config.path))
    if not place:
        raise UsageError(
            "no place to pull from", hint="name one, or pin a bundle in pratique.toml: [policy.bundle]"
        )
    accepted = _accepted(workspace, pin, wanted)
    if not place.startswith(_OCI):
        return _from_file(workspace, place, accepted)
    there = parse_place(place)
    if there.digest is None and accepted.digest is None and not wanted.allow_tag:
        raise UsageError(
            f"{there} names no digest, and a tag can be moved",
            hint="pin it with --digest, or take what it names now with --allow-tag",
        )
    if there.digest is None and not there.tag:
        raise UsageError(f"{there} names neither a tag nor a digest")
    pulled = pull_release(
        there, open_repository(there, auth), accepted, at=workspace.clock(), home=workspace.home
    )
    return Fetched(pulled.release, str(pulled.place), pulled.path)


def _from_file(workspace: Workspace, place: str, accepted: Accepted) -> Fetched:
    from pathlib import Path  # noqa: PLC0415 - only annotations need it otherwise

    data = read_archive(Path(place))
    release = accept(unpack(data, place), accepted, at=workspace.clock(), what=place)
    path = pulled_file(workspace.home, release.digest)
    write_atomic(path, data)
    return Fetched(release, place, path)


def _accepted(workspace: Workspace, pin: Pin | None, wanted: Wanted) -> Accepted:
    signer = wanted.signer or (pin and pin.config.signer)
    if not signer:
        raise UsageError(
            "nobody is named whose signature counts", hint="--signer spiffe://acme.example/administrator"
        )
    root, key = wanted.trusted_root, wanted.key
    if pin:
        root = root or pin.path(pin.config.trusted_root)
        key = key or pin.path(pin.config.key)
    return acceptance(
        workspace,
        signer=signer,
        digest=wanted.digest or (pin.config.digest if pin else None),
        trusted_root=root,
        key=key,
    )
