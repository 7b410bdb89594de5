"""The engine's process, before it has anything of the program's: `python -I -S worker.py NUMBER… PATH…`.

The numbers are bytes of memory, seconds of processor time, bytes of an answer, and the control descriptor;
the paths are to import from. The environment is empty.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> None:
    """Import what is needed, which is out of reach afterwards, and serve."""
    memory, cpu, output, control = (int(text) for text in arguments[:4])
    sys.path[:0] = arguments[4:]
    from pratique.policy.engine.rego_serve import Limits, serve  # noqa: PLC0415 - the import path is set now

    serve(Limits(memory, cpu, output), control)


if __name__ == "__main__":
    main(sys.argv[1:])
