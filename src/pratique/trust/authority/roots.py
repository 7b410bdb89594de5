"""The embedded authority's trusted root over time (pure): the first one, and each one that follows.

Nothing is ever taken out of a root. An instance whose key is replaced gets an end, its successor begins where
the signing begins, and evidence goes on being judged by whichever was to be believed when it was signed. The
newest instance of each kind comes first: it is the one that signs.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import UsageError
from pratique.model.clock import format_time
from pratique.trust.authority import ca
from pratique.trust.keys import spki
from pratique.trust.note import log_key_id
from pratique.trust.root import (
    KEY_ED25519,
    KEY_P256,
    CertificateAuthority,
    LogInstance,
    TrustedRoot,
    Validity,
    encode_root,
    instance_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pratique.model.digest import Digest
    from pratique.trust.authority.folder import PrivateKey

Instance = LogInstance | CertificateAuthority
AnyInstance = TypeVar("AnyInstance", LogInstance, CertificateAuthority)


def first_root(keys: Mapping[str, PrivateKey], trust_domain: str, moment: datetime) -> bytes:
    """Write the root of a new authority.

    Args:
        keys: by name (`folder.KEY_FILES`): three P-256 keys, and the log's Ed25519 key.
        trust_domain: names identities and the log.
        moment: everything is to be believed from here on.
    """
    ca_key = _p256(keys["ca"])
    certificate = ca.make_ca(trust_domain, ca_key, moment)
    ca_der = certificate.public_bytes(Encoding.DER)
    tsa_key = _p256(keys["tsa"])
    tsa_certificate = ca.make_tsa(trust_domain, tsa_key.public_key(), certificate, ca_key, moment)
    tsa_chain = (tsa_certificate.public_bytes(Encoding.DER), ca_der)
    return encode_root(
        [_log(keys["log"], trust_domain, moment)],
        [_authority("certificate", (ca_der,), trust_domain, moment)],
        [_ctlog(keys["ctlog"], trust_domain, moment)],
        [_authority("timestamp", tsa_chain, trust_domain, moment)],
    )


def next_root(
    root: TrustedRoot,
    new: Mapping[str, PrivateKey],
    ca_key: PrivateKey,
    moment: datetime,
    *,
    ends: Mapping[Digest, datetime],
) -> bytes:
    """Write the root that follows: new instances for new keys, and an end for those that they replace.

    Args:
        root: the one in force.
        new: new keys, by name.
        ca_key: the key of the certificate authority from now on, which certifies a new timestamp authority.
        moment: the new keys are to be believed from here on, the replaced ones up to here.
        ends: an earlier end for the key of a digest (`instance_key`), replaced or long since so.

    Raises:
        UsageError: an end before an instance began, or the clock does.
    """
    trust_domain = root.tlogs[0].origin
    cas, tsas = list(root.certificate_authorities), list(root.timestamp_authorities)
    tlogs, ctlogs = list(root.tlogs), list(root.ctlogs)
    certificate = cas[0].certificates[0]
    if "ca" in new:
        certificate = ca.make_ca(trust_domain, _p256(new["ca"]), moment)
        chain: tuple[bytes, ...] = (certificate.public_bytes(Encoding.DER),)
        cas[:1] = [_authority("certificate", chain, trust_domain, moment), _closed(cas[0], moment)]
    if "tsa" in new:
        public = _p256(new["tsa"]).public_key()
        issued = ca.make_tsa(trust_domain, public, certificate, _p256(ca_key), moment)
        chain = (issued.public_bytes(Encoding.DER), certificate.public_bytes(Encoding.DER))
        tsas[:1] = [_authority("timestamp", chain, trust_domain, moment), _closed(tsas[0], moment)]
    if "ctlog" in new:
        ctlogs[:1] = [_ctlog(new["ctlog"], trust_domain, moment), _closed(ctlogs[0], moment)]
    if "log" in new:
        tlogs[:1] = [_log(new["log"], trust_domain, moment), _closed(tlogs[0], moment)]
    return encode_root(
        [_ended(item, ends) for item in tlogs],
        [_ended(item, ends) for item in cas],
        [_ended(item, ends) for item in ctlogs],
        [_ended(item, ends) for item in tsas],
    )


def _closed(instance: AnyInstance, moment: datetime) -> AnyInstance:
    if moment <= instance.valid_for.start:
        began = format_time(instance.valid_for.start)
        raise UsageError(
            f"the key began to count at {began}, and the clock says {format_time(moment)}",
            hint="a key that is replaced in the same second, or before it began, would never have counted;"
            " see that the clock is right",
        )
    return msgspec.structs.replace(instance, valid_for=Validity(instance.valid_for.start, moment))


def _ended(instance: AnyInstance, ends: Mapping[Digest, datetime]) -> AnyInstance:
    end, validity = ends.get(instance_key(instance)), instance.valid_for
    if end is None or (validity.end is not None and validity.end <= end):
        return instance
    if end < validity.start:
        raise UsageError(
            f"the key counts from {format_time(validity.start)} on, so it cannot end at {format_time(end)}",
            hint=f"--compromised-since {format_time(validity.start)} takes all of it back",
        )
    return msgspec.structs.replace(instance, valid_for=Validity(validity.start, end))


def _log(key: PrivateKey, trust_domain: str, moment: datetime) -> LogInstance:
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("a log signs with Ed25519")
    public = key.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    log_id = log_key_id(trust_domain, public)
    return LogInstance(_url(trust_domain), der, KEY_ED25519, log_id, Validity(moment))


def _ctlog(key: PrivateKey, trust_domain: str, moment: datetime) -> LogInstance:
    der = spki(_p256(key).public_key())
    return LogInstance(_url(trust_domain), der, KEY_P256, sha256(der).digest(), Validity(moment))


def _authority(
    kind: str, chain: tuple[bytes, ...], trust_domain: str, moment: datetime
) -> CertificateAuthority:
    subject = (trust_domain, f"pratique {kind} authority")
    return CertificateAuthority(_url(trust_domain), chain, Validity(moment), subject)


def _url(trust_domain: str) -> str:
    return f"https://{trust_domain}"


def _p256(key: PrivateKey) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("an authority signs with P-256")
    return key
