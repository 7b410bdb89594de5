"""The embedded authority on disk: made once, as a whole or not at all, and loaded to sign.

`trust_dir/trusted_root.json` (public) and `trust_dir/keys/{ca,tsa,ctlog,log}.pem` (0600), or `NAME.uri` for a
key that is elsewhere. Whoever can read the keys can sign as anyone of the trust domain, so the folder belongs
on the machine of the journal alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pratique.errors import ConfigError, InfrastructureError, UsageError
from pratique.model.clock import format_time
from pratique.trust.authority import ca, tsa
from pratique.trust.authority.folder import (
    KEY_FILES,
    LOG,
    PrivateKey,
    RemoteKeySource,
    folder_lock,
    is_unsettled,
    settle,
    write_folder,
)
from pratique.trust.authority.remote import RemoteKey, RemoteLogKey
from pratique.trust.authority.roots import first_root
from pratique.trust.authority.tsq import Query, query_of
from pratique.trust.identity import Identity, check_trust_domain, role_identity
from pratique.trust.keys import load_private_key, read_private_file, spki
from pratique.trust.note import log_key_id
from pratique.trust.root import TrustedRoot, instances, parse_root
from pratique.trust.rootfile import INIT_HINT, ROOT_FILE, load_root
from pratique.trust.signers.statement import CertificateSigner
from pratique.trust.verify import log_public_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.model.clock import Clock
    from pratique.trust.signers.port import KeyHandle, LogKeyHandle

_TRIES: Final = 5
OpenKey = Callable[[str, str], "KeyHandle | LogKeyHandle"]
"""Opens the authority's key of a name by its URI (`trust.signers.table`): `log` is Ed25519, others P-256."""


def initialise(
    trust_dir: Path, *, trust_domain: str, clock: Clock, remote: Mapping[str, RemoteKeySource] | None = None
) -> TrustedRoot:
    """Make a new authority in a folder that must not exist yet, or be empty (I/O).

    Everything is written beside the folder, synced, and renamed into place; a killed run leaves nothing
    that counts, and its leftovers are removed by the next run.

    Args:
        trust_dir: the folder.
        trust_domain: names identities and the log.
        clock: the time.
        remote: keys that are elsewhere already, by name (`KEY_FILES`): instead of `NAME.pem` there will be
            `NAME.uri`.

    Raises:
        UsageError: an authority, or anything else, is there already; or not a trust domain.
        InfrastructureError: the disk refused.
    """
    check_trust_domain(trust_domain)
    try:
        with folder_lock(trust_dir.parent):
            if trust_dir.exists() and (not trust_dir.is_dir() or any(trust_dir.iterdir())):
                raise UsageError(
                    f"{trust_dir} holds something already; an authority is never overwritten",
                    hint="choose another folder, or move this one away if its trust is to end",
                )
            return _write_authority(trust_dir, trust_domain, clock(), remote or {})
    except OSError as error:
        raise InfrastructureError(
            f"{trust_dir}: the authority cannot be written: {error.strerror}"
        ) from error


def _write_authority(
    trust_dir: Path, trust_domain: str, moment: datetime, remote: Mapping[str, RemoteKeySource]
) -> TrustedRoot:
    draft = trust_dir.parent / f".{trust_dir.name}.new"
    shutil.rmtree(draft, ignore_errors=True)
    keys = new_keys(KEY_FILES, remote)
    data = first_root(keys, trust_domain, moment)
    write_folder(draft, data, keys, remote)
    draft.rename(trust_dir)
    return parse_root(data)


def new_keys(names: Iterable[str], remote: Mapping[str, RemoteKeySource]) -> dict[str, PrivateKey]:
    """Make the keys of these names, or take those that are elsewhere (randomness)."""
    keys: dict[str, PrivateKey] = {}
    for name in names:
        if name in remote:
            keys[name] = _remote(name, remote[name].handle)
        elif name == LOG:
            keys[name] = Ed25519PrivateKey.generate()
        else:
            keys[name] = ec.generate_private_key(ec.SECP256R1())
    return keys


class Authority:
    """A loaded authority: certifies roles, timestamps, and holds the log's key."""

    def __init__(
        self,
        trusted_root: TrustedRoot,
        *,
        ca_key: ec.EllipticCurvePrivateKey,
        tsa_key: ec.EllipticCurvePrivateKey,
        ctlog_key: ec.EllipticCurvePrivateKey,
        log_key: Ed25519PrivateKey,
        clock: Clock,
        file: Path | None = None,
    ) -> None:
        self.trusted_root = trusted_root
        self.log_key = log_key
        self.trust_domain = trusted_root.tlogs[0].origin
        self._ca_key = ca_key
        self._tsa_key = tsa_key
        self._ctlog_key = ctlog_key
        self._clock = clock
        self._file = file
        self._ca: x509.Certificate = trusted_root.certificate_authorities[0].certificates[0]
        self._tsa: x509.Certificate = trusted_root.timestamp_authorities[0].certificates[0]

    @classmethod
    def load(cls, trust_dir: Path, clock: Clock, open_key: OpenKey | None = None) -> Authority:
        """Load an authority that `initialise` made, and check that keys and root belong together (I/O).

        Args:
            trust_dir: its folder.
            clock: the time.
            open_key: opens those of its keys that are elsewhere.

        Raises:
            ConfigError: missing or foreign files, or keys that others can touch.
            MalformedError: the trusted root does not parse.
        """
        for _ in range(_TRIES):
            settle(trust_dir)
            root = load_root(trust_dir / ROOT_FILE)
            try:
                return cls._load(root, trust_dir, clock, open_key)
            except ConfigError:
                if not is_unsettled(trust_dir) and load_root(trust_dir / ROOT_FILE).data == root.data:
                    raise  # otherwise root and keys were being replaced while they were read
        raise InfrastructureError(f"{trust_dir} is being changed again and again", hint="try again")

    @classmethod
    def _load(cls, root: TrustedRoot, trust_dir: Path, clock: Clock, open_key: OpenKey | None) -> Authority:
        if not (root.tlogs and root.ctlogs and root.certificate_authorities and root.timestamp_authorities):
            raise ConfigError(f"{trust_dir}/{ROOT_FILE} does not name all that signs here", hint=INIT_HINT)
        folder = trust_dir / "keys"
        authority = cls(
            root,
            ca_key=_load_key(folder, "ca", open_key),
            tsa_key=_load_key(folder, "tsa", open_key),
            ctlog_key=_load_key(folder, "ctlog", open_key),
            log_key=_load_log_key(folder, open_key),
            clock=clock,
            file=trust_dir / ROOT_FILE,
        )
        authority._check(trust_dir)
        return authority

    def _check(self, trust_dir: Path) -> None:
        log_public = self.log_key.public_key()
        matches = (
            self._ca.public_key() == self._ca_key.public_key(),
            self._tsa.public_key() == self._tsa_key.public_key(),
            self.trusted_root.ctlogs[0].key == spki(self._ctlog_key.public_key()),
            self.trusted_root.tlogs[0].log_id == log_key_id(self.trust_domain, log_public),
        )
        for name, held in zip(KEY_FILES, matches, strict=True):
            if not held:
                place = next((trust_dir / "keys").glob(f"{name}.*"))
                raise ConfigError(f"{place} is not the key that {ROOT_FILE} names")

    @property
    def former_log_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys with which the log signed its checkpoints before this one, newest first."""
        older = self.trusted_root.tlogs[1:]
        return tuple(log_public_key(log) for log in older if log.origin == self.trust_domain)

    @property
    def ca_key(self) -> ec.EllipticCurvePrivateKey:
        """The key of the certificate authority."""
        return self._ca_key

    def at(self, moment: datetime) -> Authority:
        """Give this authority with a clock that stands still."""
        return Authority(
            self.trusted_root,
            ca_key=self._ca_key,
            tsa_key=self._tsa_key,
            ctlog_key=self._ctlog_key,
            log_key=self.log_key,
            clock=lambda: moment,
            file=self._file,
        )

    def check_current(self) -> None:
        """See that what is signed now will count: by the root on the disk, and the clock.

        Raises:
            InfrastructureError: the root was replaced since it was loaded, or the clock is wrong.
        """
        if self._file is not None and load_root(self._file).data != self.trusted_root.data:
            raise InfrastructureError(
                f"{self._file} was replaced while this ran; nothing was recorded under the old keys",
                hint="do it again; a server has to be started again",
            )
        now = self._clock()
        for name, found in instances(self.trusted_root).items():
            if now < found[0].valid_for.start:
                raise InfrastructureError(
                    f"the clock says {format_time(now)}, and the {name} key counts from"
                    f" {format_time(found[0].valid_for.start)} on: what is signed now would never verify",
                    hint="set the clock right",
                )

    def signer(self, role: str) -> CertificateSigner:
        """Give a signer for one of the roles.

        Raises:
            UsageError: no such role.
        """
        return CertificateSigner(role_identity(self.trust_domain, role), self.issue, self.timestamp)

    def issue(
        self,
        identity: Identity,
        public_key: ec.EllipticCurvePublicKey,
        *,
        email: bool = False,
        extensions: Mapping[int, str] | None = None,
    ) -> bytes:
        """Certify a key for an identity, for ten minutes from now (DER); see `ca.issue_certificate`."""
        return ca.issue_certificate(
            identity,
            public_key,
            ca=self._ca,
            ca_key=self._ca_key,
            ctlog_key=self._ctlog_key,
            moment=self._clock(),
            email=email,
            extensions=extensions,
        )

    def timestamp(self, data: bytes) -> bytes:
        """Timestamp bytes, now (DER RFC 3161 response)."""
        return self.answer(query_of(data))

    def answer(self, query: Query, serial: int | None = None) -> bytes:
        """Grant a timestamp query, now (DER RFC 3161 response)."""
        return tsa.issue_timestamp(
            query, certificate=self._tsa, key=self._tsa_key, moment=self._clock(), serial=serial
        )


def _load_key(folder: Path, name: str, open_key: OpenKey | None) -> ec.EllipticCurvePrivateKey:
    if not (folder / f"{name}.uri").exists():
        return load_private_key(folder / f"{name}.pem")
    key = _load_remote(folder, name, open_key)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{folder / name}.uri: not a P-256 key")
    return key


def _load_remote(folder: Path, name: str, open_key: OpenKey | None) -> PrivateKey:
    path = folder / f"{name}.uri"
    if open_key is None:
        raise ConfigError(f"{path}: this key is elsewhere, and this command opens no keys")
    return _remote(name, open_key(name, read_private_file(path).decode("utf-8", "replace").strip()))


def _remote(name: str, handle: KeyHandle | LogKeyHandle) -> PrivateKey:
    if name == LOG:
        return RemoteLogKey(cast("LogKeyHandle", handle))
    return RemoteKey(cast("KeyHandle", handle))


def _load_log_key(folder: Path, open_key: OpenKey | None) -> Ed25519PrivateKey:
    path = folder / f"{LOG}.pem"
    if (folder / f"{LOG}.uri").exists():
        remote = _load_remote(folder, LOG, open_key)
        if not isinstance(remote, Ed25519PrivateKey):
            raise ConfigError(f"{path.with_suffix('.uri')}: not an Ed25519 key")
        return remote
    try:
        key = load_pem_private_key(read_private_file(path), password=None)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a private key that can be opened") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: not an Ed25519 key")
    return key
