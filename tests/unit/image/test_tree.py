from __future__ import annotations

import pytest

from pratique.errors import MalformedError
from pratique.image.member import Kind, Member
from pratique.image.tree import Tree, split_path


def layer(tree: Tree, *paths: str) -> list[str]:
    """Apply a layer: `d/` is a folder, `a->b` a link, the rest files. Give what disappeared."""
    tree.begin_layer()
    gone = []
    for text in paths:
        path, arrow, target = text.partition("->")
        kind = Kind.SYMLINK if arrow else Kind.DIRECTORY if path.endswith("/") else Kind.FILE
        gone += tree.apply(Member(path=path, kind=kind, target=target))
    return sorted("/".join(path) for path, _ in gone)


def paths(tree: Tree) -> list[str]:
    return ["/".join(path) for path, _ in tree.items()]


def test_a_whiteout_takes_away_what_lower_layers_have() -> None:
    tree = Tree()
    layer(tree, "etc/", "etc/a", "etc/b", "opt/x/y")
    assert layer(tree, "etc/.wh.a", ".wh.opt") == ["etc/a", "opt/x/y"]
    assert paths(tree) == ["etc", "etc/b"]
    assert not tree.is_directory(("opt",))


def test_a_whiteout_leaves_its_own_layer_alone() -> None:
    tree = Tree()
    layer(tree, "d/", "d/old")
    assert layer(tree, "d/new", "d/.wh..wh..opq", "d/.wh.new") == ["d/old"]
    assert paths(tree) == ["d", "d/new"]


def test_a_file_over_a_folder_takes_the_folder_away() -> None:
    tree = Tree()
    layer(tree, "d/", "d/x")
    assert layer(tree, "d") == ["d", "d/x"]
    assert paths(tree) == ["d"]


def test_a_folder_over_a_folder_keeps_what_is_in_it() -> None:
    tree = Tree()
    layer(tree, "d/", "d/x")
    assert layer(tree, "d/") == []
    assert paths(tree) == ["d", "d/x"]
    node = tree.get(("d",))
    assert node is not None
    assert node.layer == 1


def test_an_overwritten_file_is_told() -> None:
    tree = Tree()
    layer(tree, "key")
    assert layer(tree, "key") == ["key"]


def test_links_are_followed_inside_the_image() -> None:
    tree = Tree()
    layer(tree, "usr/bin/sh", "bin->usr/bin", "usr/bin/s->../../../../bin/sh", "abs->/bin/sh", "loop->loop")
    layer(tree, "dangling->nowhere")
    assert tree.resolve(("bin", "sh")) == ("usr", "bin", "sh")
    assert tree.resolve(("usr", "bin", "s")) == ("usr", "bin", "sh")
    assert tree.resolve(("abs",)) == ("usr", "bin", "sh")
    assert tree.resolve(("loop",)) is None
    assert tree.resolve(("dangling",)) is None


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../b", "a/..", "x" * 256, "d/" * 2100])
def test_paths_that_lead_out_or_are_too_long_are_refused(path: str) -> None:
    with pytest.raises(MalformedError):
        split_path(path)


def test_dots_and_outer_slashes_mean_nothing() -> None:
    assert split_path("./a/./b/") == split_path("/a/b") == ("a", "b")
    assert split_path("./") == ()
