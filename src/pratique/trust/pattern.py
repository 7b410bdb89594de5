"""Patterns over signer identities: whose signature a configuration means, written as text or as a table.

    "spiffe://pratique.local/builder"                    a certificate of that trust domain's own authority
    "key:sha256:<64 hex>"                                a public key, by its SubjectPublicKeyInfo
    {issuer = "https://token.actions.githubusercontent.com",
     subject = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*"}
    {…, root = "public-good"}, {key = "sha256:<64 hex>", root = "none"}    evidence that others made

A `*` stands for one or more characters within one segment, where segments end at `/` and `@`: it never
reaches into another path segment, another host, or a workflow's ref. One segment holds at most one.

Who says a name matters as much as the name: two issuers may both certify `ada@example.org`. So a table names
the issuer. A SPIFFE identity alone means the issuer of its own trust domain, `https://<trust domain>` or a
path below; one that another issuer vouches for is written as a table (Fulcio, docs/oid-info.md: extension
.1.8 is the issuer of the token that the certificate was given for). And who runs the root matters as much:
what does not name a root means one's own, however the names in another root's certificates read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pratique.errors import ConfigError
from pratique.trust.identity import check_root_name

if TYPE_CHECKING:
    from pratique.trust.identity import Identity

_MAX_LENGTH: Final = 2048
_WAYS: Final = (
    "write spiffe://<trust domain>/<path>, key:sha256:<hex>, or"
    ' {issuer = "https://…", subject = "<URI or e-mail address>"}; others\' evidence also has root = "NAME"'
)
_KEY: Final = "key:sha256:"
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_SEGMENT_ENDS = re.compile("([/@])")
_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/@\s]+)(?P<path>(?:/[^/\s]+)*/?)\Z")
_EMAIL = re.compile(r"[^/@\s]+@(?P<host>[^/@\s*]+\.[^/@\s*]+)\Z")


class IdentityPattern(msgspec.Struct, frozen=True, order=True):
    """Which identities are meant; made by `parse_pattern` alone.

    Attributes:
        kind: what must have proved the identity; a key is never taken for a name.
        subject: the certificate's subject, or the key's hex id; `*` within a segment of a subject.
        issuer: the certificate's issuer, `*` within a segment; empty for a key, and for a SPIFFE subject
            whose own trust domain has to be the issuer.
        root: name of the trusted root, exactly; empty for one's own.
    """

    kind: Literal["certificate", "key"]
    subject: str
    issuer: str = ""
    root: str = ""

    def matches(self, identity: Identity) -> bool:
        """Say whether an identity is one of those meant."""
        if (identity.kind, identity.root) != (self.kind, self.root):
            return False
        if self.kind == "key":
            return identity.subject == self.subject and not identity.issuer
        if not matches_glob(self.subject, identity.subject):
            return False
        return matches_glob(self.issuer, identity.issuer) if self.issuer else own_issuer(identity)

    def to_plain(self) -> str | dict[str, str]:
        """Give the text or table that `parse_pattern` reads back."""
        root = {"root": self.root} if self.root else {}
        if self.kind == "key":
            return {"key": f"sha256:{self.subject}", **root} if root else f"{_KEY}{self.subject}"
        return {"issuer": self.issuer, "subject": self.subject, **root} if self.issuer else self.subject

    def __str__(self) -> str:
        notes = (("issuer", self.issuer), ("root", self.root))
        shown = ", ".join(f"{name} {value}" for name, value in notes if value)
        subject = f"{_KEY}{self.subject}" if self.kind == "key" else self.subject
        return f"{subject} ({shown})" if shown else subject


def parse_pattern(value: Any, *, what: str) -> IdentityPattern:
    """Read a pattern as TOML or JSON has it.

    Args:
        value: text or a table; anything else is refused.
        what: names the setting in errors.

    Raises:
        ConfigError: no pattern, or one that would match more than anybody can mean: without an issuer where
            the name alone proves nothing, with `*` in a host or trust domain, or in the first path segment of
            a URL, where a host that many share has its tenants.
    """
    if isinstance(value, str):
        return _parse_text(value, what)
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise ConfigError(f"{what}: {value!r} is neither text nor a table of text", hint=_WAYS)
    root = check_root_name(value["root"], what=what) if "root" in value else ""
    if set(value) == {"key", "root"}:
        return msgspec.structs.replace(_parse_text(f"key:{value['key']}", what), root=root)
    if set(value) - {"root"} != {"issuer", "subject"}:
        keys = ", ".join(sorted(value)) or "nothing"
        raise ConfigError(
            f"{what}: an identity has exactly issuer and subject, not {keys}",
            hint=_WAYS,
        )
    issuer, subject = value["issuer"], value["subject"]
    _check_subject(subject, what)
    check_glob(issuer, what=f"{what}: issuer")
    found = _URI.match(issuer)
    if not found or found["scheme"] != "https":
        raise ConfigError(f"{what}: the issuer {issuer[:90]!r} is no https URL", hint=_WAYS)
    _check_tenant(found, what)
    return IdentityPattern("certificate", subject, issuer, root)


def _parse_text(text: str, what: str) -> IdentityPattern:
    if text.startswith(_KEY):
        if not _HEX.match(text[len(_KEY) :]):
            raise ConfigError(f"{what}: {text[:90]!r} does not end in 64 lower-case hex digits")
        return IdentityPattern("key", text[len(_KEY) :])
    _check_subject(text, what)
    if not text.startswith("spiffe://"):
        raise ConfigError(
            f"{what}: {text!r} says nothing about who vouches for that name",
            hint=f'{{issuer = "https://…", subject = "{text}"}}',
        )
    return IdentityPattern("certificate", text)


def check_url_glob(text: str, *, what: str) -> None:
    """Refuse what is no URI with a host and a path, and `*` where other people's names begin.

    Raises:
        ConfigError: not such a URI; `*` in the host, or (but for SPIFFE) in the first path segment.
    """
    check_glob(text, what=what)
    found = _URI.match(text)
    if not found:
        raise ConfigError(f"{what}: {text[:90]!r} is no URI with a host")
    if not found["path"] or found["path"].endswith("/"):
        raise ConfigError(f"{what}: {text!r} needs a path after its host, without a slash at its end")
    _check_tenant(found, what)


def check_glob(text: str, *, what: str) -> None:
    """Refuse what is no glob of one line.

    Raises:
        ConfigError: empty, too long, unprintable, or with two `*` in one segment.
    """
    if not text or len(text) > _MAX_LENGTH or not text.isprintable():
        raise ConfigError(f"{what}: empty, longer than {_MAX_LENGTH} characters, or not printable")
    if any(segment.count("*") > 1 for segment in _SEGMENT_ENDS.split(text)):
        raise ConfigError(f"{what}: {text!r} has two * in one segment", hint="segments end at / and @")


def matches_glob(pattern: str, text: str) -> bool:
    """Compare segment by segment; linear in the text, whatever the pattern."""
    ours, theirs = _SEGMENT_ENDS.split(pattern), _SEGMENT_ENDS.split(text)
    return len(ours) == len(theirs) and all(map(_segment, ours, theirs))


def own_issuer(identity: Identity) -> bool:
    """Say whether an identity is a SPIFFE identity whose issuer is of its own trust domain."""
    scheme, _, rest = identity.subject.partition("://")
    own = f"https://{rest.partition('/')[0]}"
    return scheme == "spiffe" and (identity.issuer == own or identity.issuer.startswith(f"{own}/"))


def _check_subject(subject: str, what: str) -> None:
    if _EMAIL.match(subject):
        check_glob(subject, what=what)
    elif subject and "://" not in subject:
        raise ConfigError(f"{what}: {subject[:90]!r} is neither a URI with a host nor an address", hint=_WAYS)
    else:
        check_url_glob(subject, what=what)


def _check_tenant(found: re.Match[str], what: str) -> None:
    """Refuse `*` in a host, and where a host that many share has its tenants."""
    if "*" in found["host"]:
        raise ConfigError(f"{what}: {found[0]!r} would match hosts of anybody's", hint="name the host")
    first = found["path"][1:].partition("/")[0]
    if "*" in first and found["scheme"] != "spiffe":
        raise ConfigError(
            f"{what}: {found[0]!r} would match every tenant of {found['host']}",
            hint="name the first path segment: the organisation or user",
        )


def _segment(pattern: str, text: str) -> bool:
    head, star, tail = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) > len(head) + len(tail) and text.startswith(head) and text.endswith(tail)
