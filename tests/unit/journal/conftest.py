"""What the unit tests of the journal leave out."""

from __future__ import annotations

import pytest

from pratique.store import atomic


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fsync: only a power cut could tell, and these tests have none (the kill drills keep it)."""
    monkeypatch.setattr(atomic, "_fsync", lambda _: None)
    monkeypatch.setattr(atomic, "_sync_file_system", lambda _: None)
