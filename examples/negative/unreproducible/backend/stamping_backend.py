"""A build backend with a common bad habit: it stamps the build's host and time zone into the package."""

import socket
import time
from pathlib import Path

from flit_core.buildapi import build_sdist, prepare_metadata_for_build_wheel
from flit_core.buildapi import build_wheel as _build_wheel

__all__ = ["build_sdist", "build_wheel", "prepare_metadata_for_build_wheel"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Write the stamp, then build as usual."""
    stamp = f'HOST = "{socket.gethostname()}"\nZONE = "{time.tzname[0]}"\n'
    Path("src/stamped/_stamp.py").write_text(stamp, encoding="utf-8")
    return _build_wheel(wheel_directory, config_settings, metadata_directory)
