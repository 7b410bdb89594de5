"""C2SP tlog-tiles: the numbers and paths that the specification itself gives (https://c2sp.org/tlog-tiles).

And the RFC 6962 tree of the Certificate Transparency reference implementation's test data
(google/certificate-transparency, merkletree/merkle_tree_test.cc).
"""

from __future__ import annotations

import pytest

from pratique.journal.layout import Tile, full_tiles, partial_tiles
from pratique.journal.tree import Frontier
from pratique.trust.merkle import leaf_hash

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_reference_tree(size: int) -> None:
    frontier, full = Frontier().extended([leaf_hash(leaf) for leaf in LEAVES[:size]])
    assert frontier.root.hex() == ROOTS[size]
    assert full == []


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067, 256), "tile/0/x001/x234/067"),  # "index 1234067 will be encoded as x001/x234/067"
        (Tile(None, 1234067, 8), "tile/entries/x001/x234/067.p/8"),
        (Tile(0, 0, 256), "tile/0/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(63, 999, 1), "tile/63/999.p/1"),
        (Tile(1, 1000, 255), "tile/1/x001/000.p/255"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path


def test_tree_of_70000() -> None:
    """273 full level 0 tiles, a partial of 112, one full level 1 tile, partials of 17 and 1 above."""
    full = [(tile.level, tile.index) for tile in full_tiles(70_000)]
    assert [level for level, _ in full].count(0) == 273
    assert [level for level, _ in full].count(None) == 273
    assert [level for level, _ in full if level] == [1]
    assert list(partial_tiles(70_000)) == [
        Tile(0, 273, 112),
        Tile(None, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]


def test_tree_of_256() -> None:
    """A full level 0 tile and a partial level 1 tile of width 1."""
    assert list(full_tiles(256)) == [Tile(0, 0, 256), Tile(None, 0, 256)]
    assert list(partial_tiles(256)) == [Tile(1, 0, 1)]
