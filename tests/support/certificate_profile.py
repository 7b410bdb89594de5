"""Certificates as the embedded authority issues them, or different in one point."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pratique.testing.authority import START
from pratique.trust.authority import ca
from pratique.trust.identity import role_identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.trust.authority.init import Authority


class Profile:
    """Issues certificates that differ from the profile in one point."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.identity = role_identity("pratique.local", "builder")

    def issue(
        self,
        key: Any,
        extensions: list[tuple[x509.ExtensionType, bool]],
        change_scts: Callable[[bytes], bytes] = bytes,
    ) -> bytes:
        anchor = self.authority._ca
        builder = ca._builder(x509.Name([]), anchor.subject, key, START, START + timedelta(minutes=10))
        builder = builder.add_extension(ca._authority_key(anchor), critical=False)
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        precertificate = builder.sign(self.authority._ca_key, hashes.SHA256())
        scts = ca._sct_extension(precertificate, anchor, self.authority._ctlog_key, START)
        changed = x509.UnrecognizedExtension(scts.oid, change_scts(scts.value))
        return (
            builder.add_extension(changed, critical=False)
            .sign(self.authority._ca_key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )

    def extensions(self) -> dict[str, tuple[x509.ExtensionType, bool]]:
        return {
            "usage": (ca._usage(certificates=False), True),
            "extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
            "name": (x509.SubjectAlternativeName([uri("spiffe://pratique.local/builder")]), True),
            "v1": issuer("1.1", b"https://pratique.local/pratique"),
            "v2": issuer("1.8", b"\x0c\x1fhttps://pratique.local/pratique"),
        }


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def issuer(arc: str, value: bytes) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.{arc}"), value), False
