"""Configuration files that cannot be read say so, each in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pratique.errors import ConfigError
from pratique.store.toml_file import read_toml

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[a]\nb = 1\n")
    assert read_toml(path) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"a = ", "not TOML"),
        (b"a = '\xff'", "not TOML"),
        (b"#" * (1024 * 1024 + 1), "larger than 1048576 bytes"),
    ],
)
def test_what_is_none(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "a.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=f"a.toml: {said}"):
        read_toml(path)
