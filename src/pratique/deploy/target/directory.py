"""An environment of kind `directory`: releases side by side, and one link that says which is current.

    <path>/current -> releases/<digest>     switched by rename, so it always points somewhere whole
    <path>/releases/<digest>/               appears by rename, after its bytes are on the disk
    <path>/.pratique/manifests/<digest>.json  there before the release is
    <path>/.pratique/staging/               whatever a killed deployer left; cleared by the next

Every step can be repeated, and killed between any two instructions. One deployer at a time holds `locked()`.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import msgspec

from pratique.deploy.target.content import Manifest, differences, measure, parse_manifest
from pratique.deploy.target.unpack import unpack_tar
from pratique.errors import CouldNotCheckError, EvidenceInvalidError, InfrastructureError, UsageError
from pratique.model.digest import Digest, sha256_file
from pratique.store.atomic import locked, make_folder, sync_paths, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEEP_RELEASES: Final = 5
MAX_ARTIFACT_BYTES: Final = 4 << 30
_LINK = re.compile(r"releases/([0-9a-f]{64})\Z")
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_CHUNK: Final = 1 << 20


class Observation(msgspec.Struct, frozen=True):
    """What is there right now.

    Attributes:
        current: the release that `current` points to; None when there is no `current`.
        content: digest of that release's content as it is on the disk.
        problems: how it differs from what was put there; none means it is intact.
    """

    current: Digest | None
    content: Digest | None = None
    problems: tuple[str, ...] = ()


class DirectoryTarget:
    """The releases of one environment, below one directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = path / ".pratique"
        self._releases = path / "releases"
        self._manifests = self.state / "manifests"
        self._staging = self.state / "staging"
        self._current = path / "current"

    @contextmanager
    def locked(self, *, wait: float = 10.0) -> Iterator[None]:
        """Hold the environment; everything below that changes it wants this held.

        Raises:
            InfrastructureError: another deployer holds it.
        """
        try:
            make_folder(self.state)
        except OSError as error:
            raise InfrastructureError(f"cannot make {self.state}: {error.strerror}") from error
        with locked(self.state / "lock", wait=wait):
            yield

    def release(self, artifact: Digest) -> Path:
        """Where a release is, or would be."""
        return self._releases / artifact.hex

    def install(self, artifact: Digest, name: str, source: Path) -> Digest:
        """Put a release in place beside the others, unless it is there and intact already.

        The bytes are copied first and checked then, so that what was checked is what is unpacked. A release
        that was tampered with is replaced.

        Args:
            artifact: its digest.
            name: its file name; a `.tar` is unpacked, anything else is put there as it is.
            source: its bytes.

        Returns:
            The digest of the release's content.

        Raises:
            EvidenceInvalidError: the bytes are not the artifact's, or not those of a safe application.
            InfrastructureError: the disk refused.
        """
        try:
            self._clear(self._staging)
            if self.release(artifact).is_dir():
                manifest = self._manifest(artifact)
                if manifest and not differences(manifest, measure(self.release(artifact))):
                    return manifest.digest
            return self._put(artifact, name, source)
        except OSError as error:
            raise InfrastructureError(
                f"cannot put release {artifact.short} into {self.path}: {error.strerror or error}"
            ) from error

    def verify(self, artifact: Digest) -> None:
        """Verify that an installed release is what was put there, before going back to it.

        Raises:
            EvidenceInvalidError: it was changed, or is gone.
            InfrastructureError: it cannot be read.
        """
        manifest = self._manifest(artifact)
        if manifest is None or not self.release(artifact).is_dir():
            raise EvidenceInvalidError(f"release {artifact.short} is no longer in {self.path}")
        try:
            found = differences(manifest, measure(self.release(artifact)))
        except OSError as error:
            raise InfrastructureError(f"cannot read release {artifact.short}: {error.strerror}") from error
        if found:
            raise EvidenceInvalidError(f"release {artifact.short} was changed: {found[0]}")

    def current(self) -> Digest | None:
        """Give the release that `current` points to.

        Raises:
            UsageError: `current` is not a link of ours.
            InfrastructureError: it cannot be read.
        """
        try:
            found = _LINK.match(self._current.readlink().as_posix())
        except FileNotFoundError:
            return None
        except OSError as error:
            if self._current.exists():
                found = None
            else:
                raise InfrastructureError(f"cannot read {self._current}: {error.strerror}") from error
        if not found:
            raise UsageError(
                f"{self._current} was not made by pratique", hint="move it away, or choose another directory"
            )
        return Digest(found.group(1))

    def switch(self, artifact: Digest | None) -> None:
        """Point `current` to an installed release, or to nothing; whoever looks sees the one or the other.

        Raises:
            InfrastructureError: no such release, or the disk refused.
        """
        if self.current() == artifact:
            return
        try:
            if artifact is None:
                self._current.unlink(missing_ok=True)
            else:
                os.utime(self._manifests / f"{artifact.hex}.json")
                link = self.path / ".current.new"
                link.unlink(missing_ok=True)
                link.symlink_to(f"releases/{artifact.hex}")
                link.replace(self._current)
            sync_paths([self.path])
        except OSError as error:
            raise InfrastructureError(f"cannot switch {self._current}: {error.strerror}") from error

    def inspect(self) -> Observation:
        """Look at what is there, re-reading every file of the current release.

        Raises:
            CouldNotCheckError: it cannot be read, so nothing is known.
        """
        try:
            artifact = self.current()
            if artifact is None:
                return Observation(None)
            if not self.release(artifact).is_dir():
                return Observation(artifact, None, ("the release that `current` points to is missing",))
            found = measure(self.release(artifact))
            manifest = self._manifest(artifact)
        except UsageError as error:
            return Observation(None, None, (error.message,))
        except (OSError, InfrastructureError) as error:
            raise CouldNotCheckError(f"cannot inspect {self.path}: {error}") from error
        if manifest is None:
            return Observation(artifact, found.digest, ("no manifest to compare the release with",))
        return Observation(artifact, found.digest, differences(manifest, found))

    def prune(self, *, keep: int = KEEP_RELEASES, protect: tuple[Digest, ...] = ()) -> list[Digest]:
        """Remove the releases whose turn is longest ago; never the current one, nor those to protect.

        Raises:
            InfrastructureError: the disk refused.
        """
        spared = {digest.hex for digest in (self.current(), *protect) if digest}
        removed = []
        try:
            releases = [path for path in self._releases.iterdir() if _HEX.match(path.name)]
            by_age = sorted(releases, key=self._last_turn, reverse=True)
            for path in [path for path in by_age if path.name not in spared][max(0, keep - len(spared)) :]:
                self._remove(path)
                removed.append(Digest(path.name))
        except OSError as error:
            raise InfrastructureError(f"cannot prune {self._releases}: {error.strerror}") from error
        return removed

    def _put(self, artifact: Digest, name: str, source: Path) -> Digest:
        make_folder(self._releases)
        make_folder(self._staging)
        copy, fresh = self._staging / "artifact", self._staging / "release"
        _copy(source, copy)
        if not sha256_file(copy).matches(artifact):
            raise EvidenceInvalidError(f"{source} is not {artifact}", hint="fetch the artifact again")
        if name.endswith(".tar"):
            unpack_tar(copy, fresh)
        else:
            fresh.mkdir(mode=0o755)
            fresh.chmod(0o755)
            copy.chmod(0o644)
            copy.rename(fresh / name)
        manifest = measure(fresh)
        sync_paths([fresh, *(fresh / entry.path for entry in manifest.entries)])
        write_atomic(self._manifest_path(artifact.hex), manifest.encode())
        if self.release(artifact).exists():
            self._remove(self.release(artifact), manifest_too=False)
        fresh.rename(self.release(artifact))
        sync_paths([self._releases])
        self._clear(self._staging)
        return manifest.digest

    def _remove(self, release: Path, *, manifest_too: bool = True) -> None:
        """Take a release away in one step, then delete it: half a release is never under its name."""
        make_folder(self._staging)
        doomed = self._staging / f"removed-{release.name}"
        self._clear(doomed)
        release.rename(doomed)
        sync_paths([self._releases])
        self._clear(doomed)
        if manifest_too:
            self._manifest_path(release.name).unlink(missing_ok=True)

    def _clear(self, path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)

    def _manifest_path(self, name: str) -> Path:
        return self._manifests / f"{name}.json"

    def _manifest(self, artifact: Digest) -> Manifest | None:
        path = self._manifest_path(artifact.hex)
        try:
            return parse_manifest(path.read_bytes(), what=f"manifest {path}")
        except (FileNotFoundError, EvidenceInvalidError):
            return None

    def _last_turn(self, release: Path) -> tuple[int, str]:
        try:
            return self._manifest_path(release.name).stat().st_mtime_ns, release.name
        except FileNotFoundError:
            return 0, release.name


def _copy(source: Path, into: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with source.open("rb") as reader, os.fdopen(os.open(into, flags, 0o600), "wb") as writer:
        _copy_bounded(reader, writer, source)


def _copy_bounded(reader: IO[bytes], writer: IO[bytes], source: Path) -> None:
    total = 0
    while chunk := reader.read(_CHUNK):
        total += len(chunk)
        if total > MAX_ARTIFACT_BYTES:
            raise EvidenceInvalidError(f"{source} is larger than {MAX_ARTIFACT_BYTES} bytes")
        writer.write(chunk)
