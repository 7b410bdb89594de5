from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; they share one module

from handmade_image import Handmade


@pytest.fixture
def handmade(tmp_path: Path) -> Handmade:
    """An empty layout made by hand."""
    return Handmade(tmp_path / "handmade")
