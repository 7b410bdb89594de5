"""Start a program that is to evaluate rules, without what it does not need. A script: standard library only.

Usage: start.py MEMORY-BYTES CPU-SECONDS IMPORT-PATH -- PROGRAM ARGUMENT…
"""

from __future__ import annotations

import os
import sys

_DESCRIPTORS = 64


def main(arguments: list[str]) -> None:
    """Give up rights and turn into the program."""
    memory, cpu, path, _, *command = arguments
    sys.path.insert(0, path)
    from pratique.policy.engine import confine  # noqa: PLC0415 - not before the import path is set

    confine.limit(cpu=int(cpu), fsize=0, core=0, nofile=_DESCRIPTORS, **{"as": int(memory)})
    if not (confine.no_new_privileges() and confine.refuse(confine.OUTSIDE)):
        sys.exit("start: no system call filter on this machine, so the program could reach the network")
    os.execve(command[0], command, {"GOMAXPROCS": "2"})  # noqa: S606 - this is what a launcher does


if __name__ == "__main__":
    main(sys.argv[1:])
