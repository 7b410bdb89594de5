"""Reads an image's layers once, as a stream, and notes what the rules will ask about.

The layers are taken for hostile: nothing is unpacked, bombs end early, and a path that leads out of the
image is a finding rather than a place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError
from pratique.image.check.facts import Facts, Secret, Seen, shown
from pratique.image.check.secretscan import scan_chunks
from pratique.image.layerread import BombError, open_layer
from pratique.image.member import Kind
from pratique.image.tarread import read_tar
from pratique.image.tree import Path, Tree, split_path

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.image.descriptor import Descriptor
    from pratique.image.layerread import LayerStream
    from pratique.image.layout import Layout
    from pratique.image.member import Member
    from pratique.image.tarread import Content
    from pratique.model.digest import Digest

_KEEP_BYTES: Final = 1 << 16
_MAX_KEPT: Final = 2000
_MAX_NOTES: Final = 1000
_KEPT_PATHS: Final = frozenset(
    tuple(path.split("/"))
    for path in ("etc/passwd", "etc/shadow", "etc/sudoers", "etc/os-release", "usr/lib/os-release")
)
_KEPT_NAMES: Final = frozenset((".npmrc", ".pypirc", ".netrc", ".git-credentials", ".pgpass", ".env"))
_KEPT_ENDS: Final = frozenset(((".docker", "config.json"), (".aws", "credentials"), (".kube", "config")))


def is_kept(path: Path) -> bool:
    """Say whether rules want to see a file's content."""
    return (
        path in _KEPT_PATHS
        or path[-1:][0] in _KEPT_NAMES
        or path[-2:] in _KEPT_ENDS
        or path[:2] == ("etc", "sudoers.d")
    )


def gather(layout: Layout, descriptor: Descriptor, now: datetime) -> Facts:
    """Read an image.

    Raises:
        EvidenceInvalidError: the manifest or the configuration is missing, damaged or malformed.
    """
    manifest = layout.manifest(descriptor)
    config = layout.config(manifest)
    facts = Facts(descriptor=descriptor, manifest=manifest, config=config, now=now, tree=Tree())
    for number, (layer, diff_id) in enumerate(zip(manifest.layers, config.diff_ids, strict=True)):
        _Layer(facts, number, layer.digest).read(layout, layer, diff_id)
    return facts


class _Layer:
    """One layer being read."""

    def __init__(self, facts: Facts, number: int, digest: Digest) -> None:
        self._facts = facts
        self._number = number
        self._name = f"layer {number + 1} ({digest.short})"
        self._own: set[Path] = set()

    def read(self, layout: Layout, descriptor: Descriptor, diff_id: Digest) -> None:
        """Read it to its end, or say why not."""
        self._facts.tree.begin_layer()
        try:
            with layout.open(descriptor) as blob:
                stream = open_layer(blob, descriptor)
                self._read_members(stream)
                stream.drain()
        except CouldNotCheckError as error:
            self._facts.unread.append(Seen(self._name, error.message))
            return
        except BombError as error:
            self._broken("IMG-LAY-03", error.message)
            return
        except MalformedError as error:
            self._broken("IMG-LAY-02", error.message)
            return
        except EvidenceInvalidError as error:
            self._broken("IMG-LAY-01", error.message)
            return
        if not stream.diff_id.matches(diff_id):
            self._note("IMG-LAY-01", self._name, f"its diff_id is {stream.diff_id}, not {diff_id}")

    def _broken(self, rule: str, why: str) -> None:
        self._note(rule, self._name, why)
        self._facts.unread.append(Seen(self._name, why))

    def _note(self, rule: str, location: str, detail: str) -> None:
        notes = self._facts.problems.setdefault(rule, [])
        if len(notes) < _MAX_NOTES:
            notes.append(Seen(location, detail))

    def _read_members(self, stream: LayerStream) -> None:
        for member, content in read_tar(stream, self._name):
            try:
                path = split_path(member.path)
            except MalformedError as error:
                self._note("IMG-LAY-04", self._name, error.message)
                continue
            if not path and member.kind is not Kind.DIRECTORY:
                self._note("IMG-LAY-04", self._name, f"has a {member.kind} in place of the image's root")
                continue
            self._judge(member, path)
            self._facts.removed += self._facts.tree.apply(member)
            self._own.add(path)
            if member.kind is Kind.FILE and member.size:
                self._look_inside(member, path, content)

    def _judge(self, member: Member, path: Path) -> None:
        """Note what is wrong with a member as part of an archive, before it takes its place."""
        place = f"{self._name}: {shown(path)}"
        tree = self._facts.tree
        if member.path.startswith("/"):
            self._note("IMG-LAY-05", place, "its name begins with /")
        if path in self._own and not (member.kind is Kind.DIRECTORY and tree.is_directory(path)):
            self._note("IMG-LAY-06", place, "is there twice; readers disagree which one counts")
        if any(self._is_link(path[:depth]) for depth in range(1, len(path))):
            self._note("IMG-LAY-07", place, "lies below a symbolic link")
        if not all(part.isprintable() for part in path):
            self._note("IMG-LAY-09", place, "has control characters, or is not UTF-8")
        if member.kind is Kind.HARDLINK:
            self._judge_hard_link(member, place)

    def _is_link(self, path: Path) -> bool:
        node = self._facts.tree.get(path)
        return node is not None and node.member.kind is Kind.SYMLINK

    def _judge_hard_link(self, member: Member, place: str) -> None:
        try:
            target = split_path(member.target)
        except MalformedError as error:
            self._note("IMG-LAY-08", place, f"a hard link: {error.message}")
            return
        node = self._facts.tree.get(target)
        if node is None or node.member.kind is Kind.DIRECTORY:
            self._note("IMG-LAY-08", place, f"a hard link to {shown(target)}, which is no file in the image")
        elif node.member.kind is Kind.SYMLINK:
            self._note("IMG-LAY-08", place, f"a hard link to {shown(target)}, a symbolic link")

    def _look_inside(self, member: Member, path: Path, content: Content) -> None:
        if is_kept(path) and member.size <= _KEEP_BYTES and len(self._facts.kept) < _MAX_KEPT:
            data = b"".join(content.chunks())
            self._facts.kept[self._number, path] = data
            kinds = scan_chunks([data])
        else:
            kinds = scan_chunks(content.chunks())
        room = _MAX_NOTES - len(self._facts.secrets)
        self._facts.secrets += [Secret(self._number, path, kind) for kind in sorted(kinds)[: max(0, room)]]
