"""What a process is given to do in order to die of it."""

from __future__ import annotations

import os
from typing import NoReturn


def die(*_: object) -> NoReturn:
    os._exit(9)
