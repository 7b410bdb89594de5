"""Rules of sudoers(5) that let this user become another without a password; sudo itself is never asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pratique.runner.probe import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.runner.probe import Probe

_MAIN = "/etc/sudoers"
_FOLDER = "/etc/sudoers.d"
_ALIAS = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_NO_AUTHENTICATION = re.compile(r"Defaults(?:[@:]\S+)?\s.*!authenticate")


def rules_without_password(probe: Probe) -> list[str]:
    """Give the rules for this user that ask for no password; none where there is no sudo.

    A rule for an alias counts as one for this user: the stricter reading.

    Raises:
        UnreadableError: the rules may not be read, as is usual for any but root.
    """
    if not probe.exists(_MAIN):
        return []
    names = _own_names(probe)
    found = []
    for line in _rules(probe):
        users, _, rest = line.partition(" ")
        if _NO_AUTHENTICATION.match(line) or (
            "NOPASSWD:" in rest and any(user in names or _ALIAS.match(user) for user in users.split(","))
        ):
            found.append(line)
    return found


def _rules(probe: Probe) -> Iterator[str]:
    texts = [probe.read(_MAIN)]
    # sudo passes over names with a dot and those that end in a tilde.
    names = [name for name in probe.list(_FOLDER) if "." not in name and not name.endswith("~")]
    texts += [probe.read(f"{_FOLDER}/{name}") for name in names]
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            rule = " ".join(re.sub(r"#(?!\d).*", "", line).split())
            if rule:
                yield re.sub(r"\s*,\s*", ",", rule)


def _own_names(probe: Probe) -> set[str]:
    """Give what sudoers calls this user: name, #uid, %group, %#gid, ALL."""
    uid = probe.status_field("Uid").split()[1]
    gids = {*probe.status_field("Groups").split(), probe.status_field("Gid").split()[1]}
    names = {"ALL", f"#{uid}", *(f"%#{gid}" for gid in gids)}
    for path, mark, ids in (("/etc/passwd", "", {uid}), ("/etc/group", "%", gids)):
        for line in probe.read(path).splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2] in ids:  # noqa: PLR2004 - the third field is the id
                names.add(f"{mark}{fields[0]}")
    if len(names) == len(gids) + 2:
        raise UnreadableError("/etc/passwd", f"does not name uid {uid}")
    return names
