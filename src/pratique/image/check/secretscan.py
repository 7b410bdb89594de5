"""Secrets in the content of files: only formats that are certain, so that a finding is worth a person's time.

A format counts when its prefix is its issuer's own and what follows has the issuer's length and alphabet;
where the token carries a check sum, the check sum must be right. What is found is named by kind; its value
goes nowhere.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_OVERLAP: Final = 4096
_COMPILED: Final = (b"\x7fELF", b"!<arch>\n")
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62_checksum(body: bytes) -> str:
    """Give the last six characters of a GitHub or npm token: CRC-32 of the rest, in base 62."""
    value, digits = zlib.crc32(body), ""
    while value:
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0")


def _checked(token: bytes) -> bool:
    body = token.split(b"_", 1)[1]
    return base62_checksum(body[:-6]).encode() == body[-6:]


def _any(_: bytes) -> bool:
    return True


def _not_an_example(token: bytes) -> bool:
    return b"EXAMPLE" not in token


class Format(NamedTuple):
    """A kind of secret: bytes to look for first (fast), then the whole, then whether it is real."""

    kind: str
    needle: bytes
    pattern: re.Pattern[bytes]
    confirm: Callable[[bytes], bool] = _any


def _token(kind: str, needle: bytes, rest: bytes, confirm: Callable[[bytes], bool] = _any) -> Format:
    whole = b"(?<![A-Za-z0-9_-])" + re.escape(needle) + rest + b"(?![A-Za-z0-9_-])"
    return Format(kind, needle, re.compile(whole), confirm)


PRIVATE_KEY: Final = "private key"
FORMATS: Final = (
    Format(
        PRIVATE_KEY,
        b"PRIVATE KEY-----",
        re.compile(
            rb"-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----(?:\r?\n|\\n)"
            rb"(?:[A-Za-z-]+: [^\r\n]{1,200}\r?\n|\r?\n)*[A-Za-z0-9+/]{40}"
        ),
    ),
    Format("PGP private key", b"PGP PRIVATE KEY", re.compile(rb"-----BEGIN PGP PRIVATE KEY BLOCK-----\r?\n")),
    Format("age secret key", b"AGE-SECRET-KEY-1", re.compile(rb"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")),
    *(
        _token("GitHub token", prefix, b"[A-Za-z0-9]{36}", _checked)
        for prefix in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    _token("GitHub fine-grained token", b"github_pat_", b"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _token("npm token", b"npm_", b"[A-Za-z0-9]{36}", _checked),
    _token("PyPI token", b"pypi-AgEIcHlwaS5vcmc", b"[A-Za-z0-9_-]{50,250}"),
    _token("GitLab token", b"glpat-", b"[A-Za-z0-9_-]{20}(?:[A-Za-z0-9_.-]{0,100})"),
    Format(
        "AWS access key",
        b"AKIA",
        # A key id alone is no secret: the key of 40 characters must stand near it.
        re.compile(
            rb"(?<![A-Z0-9])AKIA[A-Z2-7]{16}(?![A-Z0-9])[^\0]{1,120}?(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}"
            rb"(?![A-Za-z0-9+/=])",
            re.DOTALL,
        ),
        _not_an_example,
    ),
    _token("Slack token", b"xox", b"[abprs]-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9-]{20,64}"),
    _token("Stripe live key", b"sk_live_", b"[A-Za-z0-9]{24,99}"),
    _token("Docker Hub token", b"dckr_pat_", b"[A-Za-z0-9_-]{27}"),
    _token("SendGrid key", b"SG.", rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _token("Vault token", b"hvs.", b"[A-Za-z0-9_-]{90,200}"),
)


def find_secrets(data: bytes) -> Iterator[str]:
    """Give the kind of each secret format that some bytes hold, each kind once."""
    seen: set[str] = set()
    for form in FORMATS:
        if form.kind in seen or form.needle not in data:
            continue
        if any(form.confirm(found.group()) for found in form.pattern.finditer(data)):
            seen.add(form.kind)
            yield form.kind


def scan_chunks(chunks: Iterable[bytes]) -> set[str]:
    """Give the kinds of secrets in a file's content, in constant memory; chunks overlap, so none is missed.

    Private keys compiled into programs are passed over: cryptographic libraries have keys for self-tests.
    """
    found: set[str] = set()
    head = tail = b""
    for chunk in chunks:
        head = head or chunk[:8]
        window = tail + chunk
        found.update(find_secrets(window))
        tail = window[-_OVERLAP:]
    return found - {PRIVATE_KEY} if head.startswith(_COMPILED) else found
