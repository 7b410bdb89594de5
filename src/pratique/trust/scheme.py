"""How a person's key signs a statement, and how signatures other than plain ECDSA P-256 are logged.

| scheme | public key | DSSE signature |
|---|---|---|
| `ecdsa-sha2-nistp256` | DER SubjectPublicKeyInfo | DER ECDSA over the PAE, for any Sigstore verifier |
| `sshsig` | SSH key blob | SSHSIG blob over the PAE, in the namespace of `trust.sshsig` |
| `openpgp` | canonical exported form (`trust.openpgp`) | binary detached OpenPGP signature over the PAE |

The last two are for verifiers that know the scheme, as ours does. They are logged as Rekor v1 logs such
signatures, `rekord/0.0.1`: there is no newer entry for them.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import canonical_json
from pratique.trust.encoding import b64decode, b64encode

if TYPE_CHECKING:
    from datetime import datetime

ECDSA_P256: Final = "ecdsa-sha2-nistp256"
SSHSIG: Final = "sshsig"
OPENPGP: Final = "openpgp"
HASHEDREKORD: Final = ("hashedrekord", "0.0.2")
REKORD: Final = ("rekord", "0.0.1")
_FORMATS: Final = {SSHSIG: "ssh", OPENPGP: "pgp"}
_MAX_OPENPGP_BYTES: Final = 16 * 1024


def entry_kind(scheme: str) -> tuple[str, str]:
    """Give kind and version of the log entry of a scheme's signatures."""
    return HASHEDREKORD if scheme == ECDSA_P256 else REKORD


class DetachedKey(msgspec.Struct, frozen=True):
    """A key whose signatures are SSH's or OpenPGP's.

    Attributes:
        kind: its scheme.
        public_key: see the table above.
    """

    kind: str
    public_key: bytes

    @property
    def key_id(self) -> str:
        """The key's name here: hex SHA-256 of it."""
        return sha256(self.public_key).hexdigest()


def check_public_key(scheme: str, public_key: bytes) -> None:
    """Check that a public key is one of its scheme, and strong enough; of OpenPGP only the size is looked at.

    Raises:
        MalformedError: no such scheme, or a key that does not parse or is not in its one spelling.
        SignatureInvalidError: a kind of key that is not taken.
    """
    if scheme == ECDSA_P256:
        from pratique.trust.keys import load_p256_spki  # noqa: PLC0415 - verifying needs no key files

        load_p256_spki(public_key)
    elif scheme == SSHSIG:
        from pratique.trust.sshsig import parse_public_key  # noqa: PLC0415 - most people have a plain key

        parse_public_key(public_key)
    elif scheme != OPENPGP:
        raise MalformedError(f"no signature scheme is called {scheme[:40]!r}")
    elif not 0 < len(public_key) <= _MAX_OPENPGP_BYTES:
        raise MalformedError(f"an OpenPGP key of {len(public_key)} bytes, not 1 to {_MAX_OPENPGP_BYTES}")


def verify_detached(key: DetachedKey, signature: bytes, message: bytes, *, at: datetime) -> None:
    """Verify an SSH or OpenPGP signature over a message, as of a moment (runs GnuPG for OpenPGP).

    Raises:
        MalformedError: signature or key do not parse.
        SignatureInvalidError: it does not hold.
        CouldNotCheckError: GnuPG is needed and not installed.
        InfrastructureError: GnuPG failed.
    """
    if key.kind == SSHSIG:
        from pratique.trust.sshsig import verify_sshsig  # noqa: PLC0415 - most people have a plain key

        verify_sshsig(signature, message, key.public_key)
    elif key.kind == OPENPGP:
        from pratique.trust.openpgp import verify_openpgp  # noqa: PLC0415 - likewise

        verify_openpgp(signature, message, key.public_key, at, os.environ)
    else:
        raise MalformedError(f"{key.kind[:40]!r} is no scheme of detached signatures")


def rekord_body(key: DetachedKey, covered: bytes, signature: bytes) -> bytes:
    """Give the leaf bytes for an SSH or OpenPGP signature (Rekor v1 `rekord/0.0.1`, RFC 8785 JSON).

    Signature and key are in base64 as they are, without armour.
    """
    kind, version = REKORD
    return canonical_json(
        {
            "apiVersion": version,
            "kind": kind,
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": sha256(covered).hexdigest()}},
                "signature": {
                    "content": b64encode(signature),
                    "format": _FORMATS[key.kind],
                    "publicKey": {"content": b64encode(key.public_key)},
                },
            },
        }
    )


def rekord_signer(document: dict[str, Any]) -> DetachedKey:
    """Read whose a `rekord/0.0.1` entry is.

    Raises:
        MalformedError: an entry without a key of a kind that is known.
    """
    try:
        signature = document["spec"]["signature"]
        (scheme,) = [name for name, form in _FORMATS.items() if form == signature["format"]]
        encoded = signature["publicKey"]["content"]
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError("the log entry names no SSH or OpenPGP key") from error
    return DetachedKey(scheme, b64decode(encoded, what="log entry: public key"))
