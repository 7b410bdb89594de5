"""Accepting a released policy: signed by whom the project names, unexpired, the digest pinned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.flow.policy_archive import MAX_ARCHIVE_BYTES, POLICY, Kind, Packed, unpack
from pratique.model.digest import Digest, parse_digest, sha256_bytes
from pratique.model.predicate import POLICY_RELEASE
from pratique.policy.bundle import PolicyBundle
from pratique.policy.distribution.release import PolicyRelease, parse_release
from pratique.policy.organisation import Organisation, parse_organisation
from pratique.trust.bundle import key_id_of
from pratique.trust.identity import EnrolledKey
from pratique.trust.keys import load_public_key
from pratique.trust.pattern import IdentityPattern, parse_pattern
from pratique.trust.rootfile import load_root
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pratique.flow.bundle_config import BundleConfig
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.trust.root import TrustedRoot
    from pratique.trust.verify import Verified

_PULL = (
    "fetch it with: pratique policy pull; what an organisation's file pins: pratique policy pull --pin FILE"
)
_SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Which releases are accepted.

    Attributes:
        root: what their signatures are verified against.
        keys: keys of people who may sign, by id.
        signer: who must have signed.
        digest: the policy it must be; None where any of the signer's will do.
    """

    root: TrustedRoot
    keys: Mapping[str, EnrolledKey]
    signer: IdentityPattern
    digest: Digest | None


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release that was accepted.

    Attributes:
        digest: of what is released, as decisions name it.
        content: the policy, or the organisation's.
        release: what its signer says about it.
        verified: the signature.
    """

    digest: Digest
    content: PolicyBundle | Organisation
    release: PolicyRelease
    verified: Verified


def accept(packed: Packed, accepted: Accepted, *, at: datetime, what: str) -> Release:
    """Verify a release in full before anything of it is used (pure).

    1. the policy is the one pinned;
    2. the signature verifies against the root, and is by the signer named;
    3. the statement is a policy release about exactly this policy;
    4. it has not expired at `at`;
    5. the policy itself parses, a bundle in its canonical form.

    Raises:
        EvidenceInvalidError: any of it does not hold; the message says which.
    """
    digest = sha256_bytes(packed.policy)
    if accepted.digest is not None and not digest.matches(accepted.digest):
        raise EvidenceInvalidError(
            f"{what}: it holds policy {digest}, where {accepted.digest} is pinned",
            hint="look what changed before you pin another: pratique policy diff",
        )
    verified = verify_bundle(packed.signature, accepted.root, keys=accepted.keys)
    if not accepted.signer.matches(verified.signer):
        raise EvidenceInvalidError(
            f"{what}: signed by {verified.signer}, where {accepted.signer} must sign",
            hint="if that signer is right, name it: signer, of [policy.bundle] in pratique.toml",
        )
    statement = verified.statement
    if statement.predicate_type != POLICY_RELEASE:
        raise EvidenceInvalidError(f"{what}: what is signed is no policy release: {statement.predicate_type}")
    if digest.digest_set not in [{"sha256": item.digest.get("sha256")} for item in statement.subjects]:
        raise EvidenceInvalidError(f"{what}: what is signed is about another policy than {digest}")
    release = parse_release(statement.predicate)
    release.check_in_force(at)
    return Release(digest=digest, content=_content(packed, what), release=release, verified=verified)


def _content(packed: Packed, what: str) -> PolicyBundle | Organisation:
    if packed.artifact.kind == POLICY:
        return PolicyBundle.parse(packed.policy)
    try:
        return parse_organisation(packed.policy, what=what)
    except ConfigError as error:  # it is not the reader's own file to correct
        raise EvidenceInvalidError(error.message, hint=error.hint) from error


def acceptance(
    workspace: Workspace,
    *,
    signer: Any,
    digest: str | None,
    trusted_root: Path | None = None,
    key: Path | None = None,
) -> Accepted:
    """Say which releases are accepted.

    Args:
        workspace: the state directory, whose root and people count where no other root is given.
        signer: a pattern over identities, as text or table.
        digest: the policy's; None for any of the signer's.
        trusted_root: file of another root; then nobody enrolled here counts.
        key: file of a public key that counts besides.

    Raises:
        ConfigError: any of it does not hold up.
    """
    root, keys = workspace.root, dict(workspace.community.keys)
    if trusted_root is not None:
        root, keys = load_root(trusted_root), {}
    if key is not None:
        spki = load_public_key(key)
        keys[key_id_of(spki)] = EnrolledKey(spki, "the policy's publisher", _SINCE_EVER)
    return Accepted(
        root=root,
        keys=keys,
        signer=parse_pattern(signer, what="signer of the policy"),
        digest=parse_digest(digest) if digest is not None else None,
    )


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A release that a file pins, and the folder which the file's paths are relative to."""

    config: BundleConfig
    folder: Path

    def path(self, relative: str | None) -> Path | None:
        """Resolve a path of the file, where it names one."""
        return self.folder / relative if relative else None

    def file(self, home: Path) -> Path:
        """Say where the release is: the file that is named, or where `policy pull` puts it."""
        return self.path(self.config.path) or pulled_file(home, parse_digest(self.config.digest))


def accepted_by(workspace: Workspace, pin: Pin) -> Accepted:
    """Say which release a pin accepts.

    Raises:
        ConfigError: its root, key, pattern or digest does not hold up.
    """
    config = pin.config
    return acceptance(
        workspace,
        signer=config.signer,
        digest=config.digest,
        trusted_root=pin.path(config.trusted_root),
        key=pin.path(config.key),
    )


def release_pinned(workspace: Workspace, pin: Pin, kind: Kind) -> Release:
    """Load the release that is pinned, and verify it as of now.

    Raises:
        ConfigError: it is not there.
        EvidenceInvalidError: it is not accepted, or of another kind; nothing is decided then.
    """
    path = pin.file(workspace.home)
    packed = unpack(read_archive(path), str(path))
    if packed.artifact.kind != kind:
        raise EvidenceInvalidError(
            f"{path}: it holds {packed.artifact.kind.noun}, where {kind.noun} is pinned",
            hint="an organisation's policy is pinned in the file that [policy] organisation names",
        )
    return accept(packed, accepted_by(workspace, pin), at=workspace.clock(), what=str(path))


def release_in_force(workspace: Workspace, project: Project, config: BundleConfig) -> Release:
    """Load the policy that a project's `[policy.bundle]` pins; see `release_pinned`."""
    return release_pinned(workspace, Pin(config=config, folder=project.root), POLICY)


def pulled_file(home: Path, digest: Digest) -> Path:
    """Say where a pulled release is kept, by its policy's digest."""
    return home / "policies" / f"{digest.hex}.tar"


def read_archive(path: Path) -> bytes:
    """Read an archive, no further than one may be long.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_ARCHIVE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: the policy bundle cannot be read: {error.strerror}",
            hint=_PULL if path.parent.name == "policies" else "",
        ) from error
