"""PKCS#11 URIs (RFC 7512): which module, which token, which key."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from pratique.errors import UsageError

_PATH: Final = frozenset({"token", "manufacturer", "serial", "model", "object", "id", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source"})
_HINT: Final = "pkcs11:token=NAME;object=KEY?module-path=/usr/lib/…/module.so"


class Pkcs11Uri(NamedTuple):
    """The attributes that select a key; None for any.

    Attributes:
        token: label of the token.
        serial: its serial number; likewise manufacturer and model.
        object: label of the key.
        id: id of the key.
        module: path of the module; empty when the URI does not say.
        pin_source: path of the file that holds the PIN; empty for none.
    """

    token: str | None
    manufacturer: str | None
    serial: str | None
    model: str | None
    object: str | None
    id: bytes | None
    module: str
    pin_source: str


def parse_pkcs11_uri(rest: str) -> Pkcs11Uri:
    """Read what follows `pkcs11:` (RFC 7512 §2.3).

    Raises:
        UsageError: an attribute that is not known or given twice, a PIN in the URI itself, or nothing that
            names a key.
    """
    path_text, _, query_text = rest.partition("?")
    path = _attributes(path_text, ";", _PATH)
    query = _attributes(query_text, "&", _QUERY)
    if path.get("type", "private") != "private":
        raise UsageError(f"pkcs11: type={path['type']} cannot sign", hint="leave type away")
    if not ("object" in path or "id" in path):
        raise UsageError("pkcs11: the URI names no key", hint=_HINT)
    source = unquote(query.get("pin-source", "")).removeprefix("file://").removeprefix("file:")
    if source.startswith("|"):
        raise UsageError("pkcs11: pin-source names a command", hint="name a file: pin-source=file:/path")
    names = {name: unquote(value) for name, value in path.items()}
    return Pkcs11Uri(
        token=names.get("token"),
        manufacturer=names.get("manufacturer"),
        serial=names.get("serial"),
        model=names.get("model"),
        object=names.get("object"),
        id=unquote_to_bytes(path["id"]) if "id" in path else None,
        module=unquote(query.get("module-path", "")),
        pin_source=source,
    )


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in filter(None, text.split(separator)):
        name, equals, value = item.partition("=")
        if name == "pin-value":
            raise UsageError(
                "pkcs11: a PIN in the URI is visible to everyone on this machine",
                hint="name a file: pin-source=file:/path, or $PRATIQUE_PIN_FILE",
            )
        if not equals or name not in known:
            raise UsageError(f"pkcs11: attribute {name[:40]!r} is not known", hint=_HINT)
        if name in found:
            raise UsageError(f"pkcs11: {name} is given twice", hint=_HINT)
        found[name] = value
    return found
