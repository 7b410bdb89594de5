"""What an image's file system is, once its layers lie on each other (OCI image-spec 1.1, layer.md).

Pure. Paths are tuples of names below `/`. A layer's whiteouts (`.wh.<name>`, `.wh..wh..opq`) hide what lower
layers have, never what their own layer has, wherever in the archive they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError
from pratique.image.member import Kind, Member

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]
MAX_MEMBERS: Final = 500_000
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_MAX_PATH: Final = 4096
_MAX_NAME: Final = 255
_MAX_LINKS: Final = 40


class Node(msgspec.Struct, frozen=True):
    """What is at a path, and which layer put it there."""

    member: Member
    layer: int


def split_path(path: str) -> Path:
    """Split a member's path; a leading or trailing slash and `.` mean nothing.

    Raises:
        MalformedError: it leads out of the image, or is longer than a file system allows.
    """
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if ".." in parts:
        raise MalformedError(f"{path[:200]!r} leads out of the image")
    if len(path) > _MAX_PATH or any(
        len(part.encode("utf-8", "surrogateescape")) > _MAX_NAME for part in parts
    ):
        raise MalformedError(f"{path[:80]!r}… is longer than a file system allows")
    return parts


class Tree:
    """A merged file system: apply the layers from the lowest up."""

    def __init__(self) -> None:
        self._nodes: dict[Path, Node] = {}
        self._children: dict[Path, set[str]] = {}
        self._layer = -1

    def begin_layer(self) -> None:
        """Start the next layer."""
        self._layer += 1

    def apply(self, member: Member) -> list[tuple[Path, Node]]:
        """Put one member of the current layer in its place, or let a whiteout take away what is below it.

        Returns:
            What disappeared: paths and the nodes of lower layers that were there.

        Raises:
            MalformedError: a path that leads out of the image or is its root, or too many members.
        """
        path = split_path(member.path)
        if not path and member.kind is not Kind.DIRECTORY:
            raise MalformedError(f"a {member.kind} in place of the image's root")
        if path and path[-1] == _OPAQUE:
            return self._remove_below(path[:-1])
        if path and path[-1].startswith(_WHITEOUT):
            return self._remove((*path[:-1], path[-1].removeprefix(_WHITEOUT)))
        gone = []
        before = self._nodes.get(path)
        if before is not None and not (before.member.kind is Kind.DIRECTORY is member.kind):
            gone = self._remove(path)
        if len(self._nodes) >= MAX_MEMBERS:
            raise MalformedError(f"more than {MAX_MEMBERS} files in an image")
        self._nodes[path] = Node(member, self._layer)
        for depth in range(len(path), 0, -1):
            siblings = self._children.setdefault(path[: depth - 1], set())
            if path[depth - 1] in siblings:
                break
            siblings.add(path[depth - 1])
        return gone

    def get(self, path: Path) -> Node | None:
        """Give what is at exactly this path; None too for a directory no layer mentions."""
        return self._nodes.get(path)

    def items(self) -> Iterator[tuple[Path, Node]]:
        """Give all paths with what is there, sorted."""
        yield from sorted(self._nodes.items(), key=lambda item: item[0])

    def is_directory(self, path: Path) -> bool:
        """Say whether a directory is there, mentioned or implied by what is below it."""
        node = self._nodes.get(path)
        return node.member.kind is Kind.DIRECTORY if node else bool(self._children.get(path)) or not path

    def resolve(self, path: Path) -> Path | None:
        """Follow symbolic links as the kernel would inside the image; None if that leads nowhere."""
        done: Path = ()
        pending = list(reversed(path))
        links = 0
        while pending:
            name = pending.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                done = done[:-1]
                continue
            node = self._nodes.get((*done, name))
            if node is None or node.member.kind is not Kind.SYMLINK:
                done = (*done, name)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if node.member.target.startswith("/"):
                done = ()
            pending.extend(reversed(node.member.target.split("/")))
        return done if done in self._nodes or self.is_directory(done) else None

    def _remove(self, path: Path) -> list[tuple[Path, Node]]:
        gone = self._remove_below(path)
        node = self._nodes.get(path)
        if node is not None and node.layer < self._layer:
            del self._nodes[path]
            gone.append((path, node))
        if path and path not in self._nodes and not self._children.get(path):
            self._children.get(path[:-1], set()).discard(path[-1])
        return gone

    def _remove_below(self, path: Path) -> list[tuple[Path, Node]]:
        gone: list[tuple[Path, Node]] = []
        pending = [(*path, name) for name in self._children.get(path, ())]
        seen = []
        while pending:
            child = pending.pop()
            seen.append(child)
            pending.extend((*child, name) for name in self._children.get(child, ()))
        for child in reversed(seen):  # children before their parents
            node = self._nodes.get(child)
            if node is not None and node.layer < self._layer:
                del self._nodes[child]
                gone.append((child, node))
            if child not in self._nodes and not self._children.get(child):
                self._children.pop(child, None)
                self._children[child[:-1]].discard(child[-1])
        return gone
