"""DSSE v1: the bytes that a signature over a typed payload covers."""

from __future__ import annotations


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give DSSE's pre-authentication encoding (DSSE v1.0.2, protocol.md, "Signature Definition").

    Lengths are in bytes, in decimal. The result is what gets signed, and its SHA-256 is what gets logged.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
