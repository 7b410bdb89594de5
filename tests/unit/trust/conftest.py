from __future__ import annotations

import pytest

from pratique.testing.authority import World, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One world for all; tests change none of it (appending to its log is fine)."""
    return make_world(tmp_path_factory.mktemp("world"))
