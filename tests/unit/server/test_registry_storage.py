"""The registry's folder where two requests meet."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from pratique.model.digest import sha256_bytes
from pratique.server.registry.problem import RegistryError
from pratique.server.registry.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path


def test_an_upload_takes_nothing_more_once_its_end_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(tmp_path, 1000)
    number = storage.begin_upload()
    storage.append(number, 0, b"image")
    original = hashlib.file_digest

    def meanwhile(stream: Any, name: str) -> Any:
        found = original(stream, name)
        with pytest.raises(RegistryError, match="no such upload"):
            storage.append(number, 5, b" and something else")
        return found

    monkeypatch.setattr(hashlib, "file_digest", meanwhile)
    storage.finish_upload(number, "app", sha256_bytes(b"image"))
    assert storage.blob("app", sha256_bytes(b"image")).read_bytes() == b"image"
    assert list((tmp_path / "uploads").iterdir()) == []
    with pytest.raises(RegistryError, match="no such upload"):
        storage.finish_upload(number, "app", sha256_bytes(b"image"))
    storage.close()
