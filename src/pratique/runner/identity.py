"""Which machine this is: one canonical identity, the same for every user and across restarts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.runner.probe import UnreadableError

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

SCOPE: Final = "https://pratique.dev/machine/v1"
_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_MACHINE_ID = re.compile(r"[0-9a-f]{32}\Z")


def machine_identity(probe: Probe) -> dict[str, str]:
    """Give the machine's identity, to be digested as canonical JSON.

    machine-id(5) is confidential and asks programs to derive an id of their own from it: digested together
    with `scope`, it is known here and nowhere else.

    Raises:
        UnreadableError: the machine has no id.
    """
    for path in _FILES:
        found = probe.read_if_there(path).strip()
        if _MACHINE_ID.match(found) and found.strip("0"):
            return {"machineId": found, "scope": SCOPE}
    raise UnreadableError(_FILES[0], "no machine id", absent=True)


def identity_digest(probe: Probe) -> Digest:
    """Digest the machine's identity: what baselines of it have as their subject; raises likewise."""
    return sha256_bytes(canonical_json(machine_identity(probe)))
