"""Makes the scenario importable: test folders are not packages."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "unit" / "policy"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
