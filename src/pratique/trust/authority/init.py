"""The embedded authority on disk: made once, as a whole or not at all, and loaded to sign.

`trust_dir/trusted_root.json` (public) and `trust_dir/keys/{ca,tsa,ctlog,log}.pem` (0600). Whoever can read
the keys can sign as anyone of the trust domain, so the folder belongs on the machine of the journal alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pratique.errors import ConfigError, InfrastructureError, UsageError
from pratique.trust.authority import ca, tsa
from pratique.trust.authority.remote import RemoteKey
from pratique.trust.authority.tsq import Query, query_of
from pratique.trust.identity import Identity, check_trust_domain, role_identity
from pratique.trust.keys import load_private_key, read_private_file, spki, write_new_file
from pratique.trust.note import log_key_id
from pratique.trust.root import (
    KEY_ED25519,
    KEY_P256,
    CertificateAuthority,
    LogInstance,
    TrustedRoot,
    Validity,
    encode_root,
    parse_root,
)
from pratique.trust.signers.statement import CertificateSigner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

    from pratique.model.clock import Clock
    from pratique.trust.signers.port import KeyHandle

ROOT_FILE: Final = "trusted_root.json"
REMOTE_KEYS: Final = ("ca", "tsa", "ctlog")
KEY_FILES: Final = (*REMOTE_KEYS, "log")
_INIT_HINT: Final = "make one with `pratique trust init`"
PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey
OpenKey = Callable[[str], "KeyHandle"]
"""Opens a key by its URI (`trust.signers.table`)."""


class RemoteKeySource(NamedTuple):
    """A key that is elsewhere: how it is opened again, and the key itself."""

    uri: str
    handle: KeyHandle


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
        remote: keys that are elsewhere already, by name (`REMOTE_KEYS`): instead of `NAME.pem` there will be
            `NAME.uri`. The log's own key is Ed25519, which key services rarely have, and always a file.

    Raises:
        UsageError: an authority, or anything else, is there already; or not a trust domain.
        InfrastructureError: the disk refused.
    """
    check_trust_domain(trust_domain)
    try:
        with _parent_lock(trust_dir.parent):
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


@contextmanager
def _parent_lock(parent: Path) -> Iterator[None]:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_authority(
    trust_dir: Path, trust_domain: str, moment: datetime, remote: Mapping[str, RemoteKeySource]
) -> TrustedRoot:
    draft = trust_dir.parent / f".{trust_dir.name}.new"
    shutil.rmtree(draft, ignore_errors=True)
    keys: dict[str, PrivateKey] = {
        name: RemoteKey(remote[name].handle) if name in remote else ec.generate_private_key(ec.SECP256R1())
        for name in REMOTE_KEYS
    }
    keys["log"] = Ed25519PrivateKey.generate()
    data = _root_of(keys, trust_domain, moment)
    folder = draft / "keys"
    draft.mkdir(mode=0o700)
    folder.mkdir(mode=0o700)
    for name, key in keys.items():
        if name in remote:
            write_new_file(folder / f"{name}.uri", f"{remote[name].uri}\n".encode())
            continue
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_new_file(folder / f"{name}.pem", pem)
    write_new_file(draft / ROOT_FILE, data)
    _sync_folder(folder)
    _sync_folder(draft)
    draft.rename(trust_dir)
    return parse_root(data)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _root_of(keys: dict[str, PrivateKey], trust_domain: str, moment: datetime) -> bytes:
    ca_key, tsa_key, ctlog_key, log_key = (keys[name] for name in KEY_FILES)
    if (
        not isinstance(ca_key, ec.EllipticCurvePrivateKey)
        or not isinstance(tsa_key, ec.EllipticCurvePrivateKey)
        or not isinstance(ctlog_key, ec.EllipticCurvePrivateKey)
        or not isinstance(log_key, Ed25519PrivateKey)
    ):
        raise TypeError("authority keys of the wrong kinds")
    since = Validity(moment)
    ca_certificate = ca.make_ca(trust_domain, ca_key, moment)
    tsa_certificate = ca.make_tsa(trust_domain, tsa_key.public_key(), ca_certificate, ca_key, moment)
    ca_der, tsa_der = (item.public_bytes(Encoding.DER) for item in (ca_certificate, tsa_certificate))
    url = f"https://{trust_domain}"
    ctlog_spki = spki(ctlog_key.public_key())
    log_spki = log_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    log_id = log_key_id(trust_domain, log_key.public_key())
    return encode_root(
        [LogInstance(url, log_spki, KEY_ED25519, log_id, since)],
        [CertificateAuthority(url, (ca_der,), since, (trust_domain, "pratique certificate authority"))],
        [LogInstance(url, ctlog_spki, KEY_P256, sha256(ctlog_spki).digest(), since)],
        [CertificateAuthority(url, (tsa_der, ca_der), since, (trust_domain, "pratique timestamp authority"))],
    )


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
    ) -> None:
        self.trusted_root = trusted_root
        self.log_key = log_key
        self.trust_domain = trusted_root.tlogs[0].origin
        self._ca_key = ca_key
        self._tsa_key = tsa_key
        self._ctlog_key = ctlog_key
        self._clock = clock
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
        root = load_root(trust_dir / ROOT_FILE)
        if not (root.tlogs and root.ctlogs and root.certificate_authorities and root.timestamp_authorities):
            raise ConfigError(f"{trust_dir}/{ROOT_FILE} does not name all that signs here", hint=_INIT_HINT)
        folder = trust_dir / "keys"
        authority = cls(
            root,
            ca_key=_load_key(folder, "ca", open_key),
            tsa_key=_load_key(folder, "tsa", open_key),
            ctlog_key=_load_key(folder, "ctlog", open_key),
            log_key=_load_log_key(folder / "log.pem"),
            clock=clock,
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


def load_root(path: Path) -> TrustedRoot:
    """Load a trusted root (I/O).

    Raises:
        ConfigError: there is none.
        MalformedError: it does not parse.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: no trusted root: {error.strerror}", hint=_INIT_HINT) from error
    return parse_root(data)


def _load_key(folder: Path, name: str, open_key: OpenKey | None) -> ec.EllipticCurvePrivateKey:
    path = folder / f"{name}.uri"
    if not path.exists():
        return load_private_key(folder / f"{name}.pem")
    if open_key is None:
        raise ConfigError(f"{path}: this key is elsewhere, and this command opens no keys")
    return RemoteKey(open_key(read_private_file(path).decode("utf-8", "replace").strip()))


def _load_log_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_private_file(path), password=None)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a private key that can be opened") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: not an Ed25519 key")
    return key
