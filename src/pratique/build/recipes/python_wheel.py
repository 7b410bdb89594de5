"""Recipe: a Python source tree or source archive becomes one wheel. Runs inside the sandbox."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - isolated mode leaves it out

from common import OUTPUT, build_wheel, start, unpack_source  # type: ignore[import-not-found]


def main() -> None:
    """Build the wheel into the output directory."""
    parameters = start()
    source = unpack_source(reverse=parameters["order"] == "reversed")
    wheel = build_wheel(source, OUTPUT)
    print("recipe: built", wheel.name)


if __name__ == "__main__":
    main()
