"""What a check knows of an image: its documents, its merged file system, what reading its layers showed."""

from __future__ import annotations

from collections.abc import Callable, Iterable  # noqa: TC003 - msgspec reads the annotations
from datetime import datetime  # noqa: TC003

import msgspec

from pratique.image.descriptor import Descriptor  # noqa: TC001
from pratique.image.manifest import ImageConfig, Manifest  # noqa: TC001
from pratique.image.member import Kind
from pratique.image.tree import Node, Path, Tree  # noqa: TC001
from pratique.model.finding import Severity  # noqa: TC001


class Seen(msgspec.Struct, frozen=True, order=True):
    """One thing that a rule objects to: where, and what; never a secret itself."""

    location: str
    detail: str = ""


class Secret(msgspec.Struct, frozen=True, order=True):
    """A secret that a layer holds: what kind, and where; not its value."""

    layer: int
    path: Path
    kind: str


class Facts(msgspec.Struct, kw_only=True):
    """Everything the rules look at.

    Attributes:
        descriptor: the manifest's.
        manifest: as it is.
        config: as it is.
        now: the time at which ends of life are judged.
        tree: the merged file system.
        problems: by rule id, what was wrong with layers as archives.
        secrets: found in the content of files, deleted ones too.
        kept: content of a few small files that rules read, by layer and path.
        removed: what upper layers hide of lower ones.
        unread: layers that could not be read to their end, with the reason; what is in them is unknown.
    """

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig
    now: datetime
    tree: Tree
    problems: dict[str, list[Seen]] = msgspec.field(default_factory=dict)
    secrets: list[Secret] = msgspec.field(default_factory=list)
    kept: dict[tuple[int, Path], bytes] = msgspec.field(default_factory=dict)
    removed: list[tuple[Path, Node]] = msgspec.field(default_factory=list)
    unread: list[Seen] = msgspec.field(default_factory=list)

    def text(self, *path: str) -> str | None:
        """Give the content of a kept file as the merged file system has it, links followed; None without.

        Raises:
            UnknownError: it is there, but in a form that was not read.
        """
        resolved = self.tree.resolve(path)
        node = self.tree.get(resolved) if resolved else None
        if node is None or resolved is None or node.member.kind is Kind.DIRECTORY:
            return None
        data = self.kept.get((node.layer, resolved))
        if data is None and (node.member.size or node.member.kind is not Kind.FILE):
            raise UnknownError(f"{shown(resolved)} is too large to read, or no plain file")
        return (data or b"").decode("utf-8", "replace")

    def is_live(self, layer: int, path: Path) -> bool:
        """Say whether what a layer put at a path is what the merged file system has there."""
        node = self.tree.get(path)
        return node is not None and node.layer == layer


class NotApplicableError(Exception):
    """The question does not arise for this image."""


class UnknownError(Exception):
    """What the rule needs could not be had."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at.

    Attributes:
        id: stable; has a section in docs/image.md.
        severity: of each thing seen.
        title: what is right when nothing is seen.
        fix: what to do.
        look: gives what it objects to.
        needs_files: nothing seen is only a pass when every layer was read.
    """

    id: str
    severity: Severity
    title: str
    fix: str
    look: Callable[[Facts], Iterable[Seen]]
    needs_files: bool = False


def shown(path: Path) -> str:
    """Write a path for people: absolute, and without what a terminal would act on."""
    return "/" + "/".join(part if part.isprintable() else ascii(part)[1:-1] for part in path)
