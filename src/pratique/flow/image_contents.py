"""What is in an image, layer by layer: what each brought, and what a later one took away again."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

import msgspec

from pratique.errors import CouldNotCheckError, EvidenceInvalidError
from pratique.image.layerread import open_layer
from pratique.image.member import Kind
from pratique.image.tarread import read_tar
from pratique.image.tree import Tree, split_path
from pratique.scan.catalog import catalog_members, wanted
from pratique.scan.catalogers.golang import Executables
from pratique.scan.members import Gathering, Members, joined, may_be_link, read_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pratique.image.descriptor import Descriptor
    from pratique.image.layout import Layout
    from pratique.image.member import Member
    from pratique.image.tarread import Content
    from pratique.image.tree import Path
    from pratique.scan.component import Catalog, Component


def catalog_image(
    layout: Layout, descriptor: Descriptor, say: Callable[[int, int], object] = lambda _done, _all: None
) -> Catalog:
    """Catalogue an image: its components with the layer that brought them, and those that are gone again.

    Args:
        layout: where the image is.
        descriptor: of its manifest.
        say: told after each layer how many of how many are read.

    Raises:
        CouldNotCheckError: nothing was recognised, or a layer is of a kind that is not read.
        EvidenceInvalidError: a layer is not what the image says it is.
        MalformedError: a layer that is no tar archive, or hostile.
    """
    manifest = layout.manifest(descriptor)
    config = layout.config(manifest)
    view = _View()
    states: list[tuple[str, dict[str, Component]]] = []
    last: Catalog | None = None
    for number, (layer, diff_id) in enumerate(zip(manifest.layers, config.diff_ids, strict=True), 1):
        what = f"layer {number} of {descriptor.digest.short}"
        with layout.open(layer) as blob:
            stream = open_layer(blob, layer)
            changed = view.apply(read_tar(stream, what), what)
            stream.drain()
            if not stream.diff_id.matches(diff_id):
                raise EvidenceInvalidError(f"{what} uncompresses to {stream.diff_id}, not to {diff_id}")
        if changed:
            last = _catalogued(view, f"image {descriptor.digest.short}")
            states.append((str(diff_id), {item.purl: item for item in last.components} if last else {}))
        say(number, len(manifest.layers))
    if last is None:
        raise CouldNotCheckError(
            f"image {descriptor.digest}: no component was recognised among {view.count} files",
            hint="packages are recognised by their records (docs/scan.md)",
        )
    return _attributed(last, states)


class _View:
    """The file system so far, and what was read of its files."""

    def __init__(self) -> None:
        self._tree = Tree()
        self._read: dict[str, Members] = {}
        self._search = Executables()

    @property
    def count(self) -> int:
        """How many paths there are."""
        return sum(1 for _ in self._tree.items())

    def apply(self, members: Iterator[tuple[Member, Content]], what: str) -> bool:
        """Put a layer on top; say whether that changed anything that was read."""
        self._tree.begin_layer()
        changed = False
        for member, content in members:
            gone = self._tree.apply(member)
            path = split_path(member.path)
            lost = [self._read.pop(_name(below), None) for below, _ in gone]
            changed |= any(lost)
            changed |= self._replace(path, member, content, what)
        return changed

    def members(self) -> Members:
        """Give what is there now."""
        files = (_name(path) for path, node in self._tree.items() if node.member.kind is not Kind.DIRECTORY)
        return joined(self._read.values(), files)

    def _replace(self, path: Path, member: Member, content: Content, what: str) -> bool:
        name = _name(path)
        if self._tree.get(path) is None or self._tree.get(path).member is not member:  # type: ignore[union-attr]
            return False  # a whiteout, which is no file
        before = self._read.pop(name, None)
        if member.kind is Kind.HARDLINK:
            linked = self._read.get(_name(split_path(member.target)))
            found = _renamed(linked, _name(split_path(member.target)), name) if linked else None
        elif member.kind is Kind.FILE:
            found = self._looked_into(name, content, what)
        elif member.kind is Kind.SYMLINK and wanted(name) and not may_be_link(name):
            found = Members([name], {}, {}, {name: "a link in place of a package record"})
        else:
            found = None
        if found:
            self._read[name] = found
        return before is not None or found is not None

    def _looked_into(self, name: str, content: Content, what: str) -> Members | None:
        gathering = Gathering(what, wanted, self._search, separator="")
        stream = cast("IO[bytes]", _Stream(content))
        if limit := gathering.wanted(name):
            gathering.take([(name, read_member(what, name, stream, limit))])
        elif self._search.named(name) and (record := self._search.found(stream)):
            gathering.take([(name, record)])
        else:
            return None
        return gathering.members()


class _Stream:
    """A layer's member as something to read from."""

    def __init__(self, content: Content) -> None:
        self._chunks = content.chunks()
        self._kept = b""

    def read(self, size: int, /) -> bytes:
        """Give `size` bytes, fewer only at the end."""
        parts, length = [self._kept], len(self._kept)
        while length < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        self._kept = data[size:]
        return data[:size]


def _name(path: Path) -> str:
    return "/".join(path)


def _renamed(members: Members, old: str, new: str) -> Members:
    def moved(found: dict[str, bytes]) -> dict[str, bytes]:
        return {new + name.removeprefix(old): data for name, data in found.items()}

    return Members(
        [new + name.removeprefix(old) for name in members.names],
        moved(members.contents),
        moved(members.records),
        {new + name.removeprefix(old): reason for name, reason in members.unopened.items()},
    )


def _catalogued(view: _View, what: str) -> Catalog | None:
    try:
        return catalog_members(view.members(), what)
    except CouldNotCheckError:
        return None


def _attributed(last: Catalog, states: list[tuple[str, dict[str, Component]]]) -> Catalog:
    """Say of each component since which layer it is there, and of each that is not until which it was."""
    since: dict[str, str] = {}
    removed: dict[str, Component] = {}
    before: dict[str, Component] = {}
    for layer, present in states:
        for purl, component in before.items():
            if purl not in present:
                removed[purl] = msgspec.structs.replace(
                    component, layer=since.pop(purl), removed_by=layer, requires=()
                )
        for purl in present:
            since.setdefault(purl, layer)
        before = present
    return msgspec.structs.replace(
        last,
        components=tuple(
            msgspec.structs.replace(component, layer=since[component.purl]) for component in last.components
        ),
        removed=tuple(component for purl, component in sorted(removed.items()) if purl not in before),
    )
