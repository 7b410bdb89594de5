"""Object storage behind a state directory: where it is, putting everything there, starting again from there.

`storage.toml` in the state directory names the bucket. Credentials are not in it: they are taken from the
environment.
"""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, UsageError
from pratique.journal.journal import Journal
from pratique.journal.published import fetch_digests, fetch_log
from pratique.journal.sequencer import Sequencer
from pratique.journal.tiles import Tiles
from pratique.policy.settings import typed
from pratique.store.atomic import write_atomic
from pratique.store.blobs import BlobStore
from pratique.store.objects import Objects, open_objects
from pratique.store.sharedblobs import SharedBlobs
from pratique.trust.note import log_key_id
from pratique.trust.verify import log_public_key

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.trust.authority.init import Authority
    from pratique.trust.root import TrustedRoot

FILE: Final = "storage.toml"


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """`storage.toml`.

    Attributes:
        url: `s3://bucket/prefix`; one prefix a log.
        endpoint: of a service other than AWS.
        region: as the service names it.
    """

    url: str
    endpoint: str | None = None
    region: str | None = None

    def open(self) -> Objects:
        """Open the bucket; nothing is asked of the service yet.

        Raises:
            ConfigError: see `open_objects`.
        """
        return open_objects(self.url, endpoint=self.endpoint, region=self.region)


def storage_of(home: Path) -> Storage | None:
    """Read which object storage a state directory uses; None when it uses none.

    Raises:
        ConfigError: the file does not hold up.
    """
    path = home / FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise InfrastructureError(f"{path}: cannot be read: {error.strerror}") from error
    return typed(table, Storage, what=str(path), known=Storage.__struct_fields__)


def open_journal(home: Path, authority: Authority, storage: Storage | None) -> Journal:
    """Open the journal of a state directory with its blobs, and the bucket behind both where there is one.

    Raises:
        ConfigError: the bucket cannot be opened as it is configured.
        EvidenceInvalidError, InfrastructureError: as `Journal.open`.
    """
    objects = None if storage is None else storage.open()
    folder = home / "blobs"
    return Journal.open(
        home,
        log_key=authority.log_key,
        origin=authority.trust_domain,
        blobs=BlobStore(folder) if objects is None else SharedBlobs(folder, objects),
        objects=objects,
        former=authority.former_log_keys,
        guard=authority.check_current,
    )


class Sent(msgspec.Struct, frozen=True):
    """What the bucket got: blobs that it had not, and the size of the log that is published now."""

    blobs: int
    size: int


def send(home: Path, authority: Authority, storage: Storage) -> Sent:
    """Put everything into the bucket that it has not: blobs first, then the log over them.

    Raises:
        EvidenceInvalidError: the bucket has another log, or entries that this machine has not.
        InfrastructureError: the service did not answer, or refused.
    """
    with open_journal(home, authority, storage) as journal:
        count = SharedBlobs(home / "blobs", storage.open()).send_all()
        return Sent(count, journal.publish())


def attach(home: Path, authority: Authority, storage: Storage) -> Sent:
    """Use object storage from now on: all there is goes there, and only then is `storage.toml` written.

    Raises:
        EvidenceInvalidError, InfrastructureError: as `send`; nothing was changed here.
    """
    sent = send(home, authority, storage)
    _note(home, storage)
    return sent


def fetch(storage: Storage, folder: Path, root: TrustedRoot) -> int:
    """Copy a published log into a new folder, verified, for any reader of tiles; give its size.

    Raises:
        UsageError: the folder has something in it.
        EvidenceInvalidError: there is no log, or none that the trusted root names signed it.
        InfrastructureError: the service did not answer, or the disk refused.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="give a new folder")
    objects, failures = storage.open(), []
    for log in root.tlogs:
        try:
            return fetch_log(objects, folder, origin=log.origin, keys=[log_public_key(log)]).size
        except EvidenceInvalidError as error:
            failures.append(error)
    if not failures:
        raise EvidenceInvalidError("the trusted root knows no log")
    raise failures[-1]


def restore(home: Path, authority: Authority, storage: Storage) -> int:
    """Begin a journal with what was published: tiles, order of the entries, evidence, index; give its size.

    The state directory has the trust folder of the log and nothing of the journal. A restore that was cut
    short is begun again by the same call.

    Raises:
        UsageError: there is a journal here already.
        EvidenceInvalidError: what is in the bucket does not verify.
        InfrastructureError: the service did not answer, or the disk refused.
    """
    sequencer = home / "journal" / "sequencer.sqlite"
    if sequencer.exists():
        raise UsageError(f"{sequencer} is there: this machine has a journal", hint="pratique log push")
    objects, origin = storage.open(), authority.trust_domain
    key = authority.log_key.public_key()
    folder = home / "journal" / "tiles"
    head = fetch_log(objects, folder, origin=origin, keys=(key, *authority.former_log_keys))
    leaves = Tiles(folder).leaves(0, head.size, published=head.size)
    new = sequencer.with_suffix(".new")
    for leftover in home.joinpath("journal").glob(f"{new.name}*"):
        leftover.unlink()
    restored = Sequencer(new)
    try:
        restored.initialise(origin, log_key_id(origin, key))
        restored.restore(head, zip(leaves, fetch_digests(objects, head.size), strict=True))
    finally:
        restored.close()
    new.replace(sequencer)
    with open_journal(home, authority, storage) as journal:
        journal.rebuild_index()
    _note(home, storage)
    return head.size


def _note(home: Path, storage: Storage) -> None:
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in msgspec.to_builtins(storage).items()]
    write_atomic(home / FILE, "".join(lines).encode())
