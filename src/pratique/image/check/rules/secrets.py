"""Rules about secrets in files, also in those that an upper layer deletes: the lower layer still has them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from pratique.image.check.facts import Facts, Rule, Seen, shown
from pratique.image.check.secretscan import PRIVATE_KEY
from pratique.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pratique.image.tree import Path

_HOLDERS: Final[dict[str, re.Pattern[str]]] = {
    ".npmrc": re.compile(r"(?m)^[^#;\n]*(?:_authToken|_auth|_password)[ \t]*=[ \t]*[^$\s]"),
    ".pypirc": re.compile(r"(?m)^\s*password[ \t]*[:=][ \t]*\S"),
    ".netrc": re.compile(r"\bpassword\s+\S"),
    ".git-credentials": re.compile(r"://[^:/\s]+:[^@\s]+@"),
    ".pgpass": re.compile(r"(?m)^[^#\n]+(?::[^:\n]*){3}:[^:\n]+$"),
    ".env": re.compile(
        r"(?mi)^\s*(?:export\s+)?\w*(?:PASSWORD|SECRET|TOKEN|API_?KEY)[ \t]*=[ \t]*['\"]?[^\s'\"$]"
    ),
    "credentials": re.compile(r"(?m)^\s*aws_secret_access_key[ \t]*=[ \t]*\S"),
    "config": re.compile(r"(?m)^\s*(?:-\s*)?(?:token|password|client-key-data):[ \t]*\S"),
}


def _holds_secret(path: Path, data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    if path[-1] == "config.json":
        return _has_docker_auth(text)
    pattern = _HOLDERS.get(path[-1])
    return bool(pattern and pattern.search(text))


def _has_docker_auth(text: str) -> bool:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return False
    auths = body.get("auths") if isinstance(body, dict) else None
    entries = auths.values() if isinstance(auths, dict) else ()
    return any(isinstance(entry, dict) and (entry.get("auth") or entry.get("password")) for entry in entries)


def _in_content(*, keys: bool) -> Callable[[Facts], Iterator[Seen]]:
    def look(facts: Facts) -> Iterator[Seen]:
        for secret in facts.secrets:
            if (secret.kind == PRIVATE_KEY) is keys and facts.is_live(secret.layer, secret.path):
                yield Seen(shown(secret.path), f"{secret.kind}, in layer {secret.layer + 1}")

    return look


def _credential_files(facts: Facts) -> Iterator[Seen]:
    for (layer, path), data in facts.kept.items():
        if facts.is_live(layer, path) and _holds_secret(path, data):
            yield Seen(shown(path), f"credentials, in layer {layer + 1}")


def _deleted(facts: Facts) -> Iterator[Seen]:
    for secret in facts.secrets:
        if not facts.is_live(secret.layer, secret.path):
            yield Seen(
                shown(secret.path), f"{secret.kind}, hidden above but still in layer {secret.layer + 1}"
            )
    for (layer, path), data in facts.kept.items():
        if not facts.is_live(layer, path) and _holds_secret(path, data):
            yield Seen(shown(path), f"credentials, hidden above but still in layer {layer + 1}")


_REVOKE: Final = "revoke it now, as the image may be copied already; then build again without it"

RULES: Final = (
    Rule(
        id="IMG-SEC-01",
        severity=Severity.CRITICAL,
        title="No private keys",
        fix=_REVOKE,
        look=_in_content(keys=True),
        needs_files=True,
    ),
    Rule(
        id="IMG-SEC-02",
        severity=Severity.CRITICAL,
        title="No tokens",
        fix=_REVOKE,
        look=_in_content(keys=False),
        needs_files=True,
    ),
    Rule(
        id="IMG-SEC-03",
        severity=Severity.CRITICAL,
        title="No files with credentials",
        fix=_REVOKE,
        look=_credential_files,
        needs_files=True,
    ),
    Rule(
        id="IMG-SEC-04",
        severity=Severity.CRITICAL,
        title="No deleted secrets in lower layers",
        fix="revoke it now; build again so that it never enters a layer: deleting does not remove it",
        look=_deleted,
        needs_files=True,
    ),
)
