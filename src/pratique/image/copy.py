"""Images copied from one place to another, with what refers to them: blobs first, what names them last.

What is to be copied is known before the first byte moves: the image or index, its parts, and recursively what
refers to any of these. A referrer goes before the image's tag, so that whoever finds the tag finds the
evidence.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.image.graph import parse_links, refers_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pratique.image.descriptor import Descriptor
    from pratique.image.place import Reader, Writer
    from pratique.model.digest import Digest

WORKERS: Final = 4
_MAX_DEPTH: Final = 8
_MAX_MANIFESTS: Final = 10_000


class Item(msgspec.Struct, frozen=True):
    """A manifest to be copied: what it is, its bytes, and whether it is offered by itself."""

    descriptor: Descriptor
    data: bytes
    offered: bool


class Plan(msgspec.Struct, frozen=True):
    """What a copy consists of.

    Attributes:
        root: the image or index.
        items: its parts, the referrers of all, and the root, in the order they have to be written.
        blobs: each once.
        referrers: how many of the items are there because they refer to another.
    """

    root: Item
    items: tuple[Item, ...]
    blobs: tuple[Descriptor, ...]
    referrers: int

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)


class Copied(msgspec.Struct, frozen=True):
    """What was done: blobs and bytes sent, and blobs that were there already, or mounted."""

    plan: Plan
    sent: int
    sent_bytes: int
    present: int


class _Walk:
    """Collects documents and blobs, each once."""

    def __init__(self, source: Reader, *, referrers: bool) -> None:
        self._source = source
        self._with_referrers = referrers
        self.items: dict[Digest, Item] = {}
        self.blobs: dict[Digest, Descriptor] = {}
        self.referrers = 0

    def visit(self, descriptor: Descriptor, depth: int, subject: Digest | None, *, offered: bool) -> None:
        """Take a document with its parts, then its referrers, then itself.

        Raises:
            EvidenceInvalidError: two descriptors contradict each other, or a referrer does not refer.
            MalformedError: too deep or too many.
        """
        if descriptor.digest in self.items:
            return
        if depth > _MAX_DEPTH or len(self.items) > _MAX_MANIFESTS:
            raise MalformedError(
                f"{descriptor.digest}: more than {_MAX_DEPTH} levels or {_MAX_MANIFESTS} manifests"
            )
        data = self._source.document(descriptor)
        links = parse_links(data, descriptor.media_type, f"manifest {descriptor.digest.short}")
        if subject is not None and not refers_to(links, subject):
            raise EvidenceInvalidError(
                f"{descriptor.digest} is listed as a referrer of {subject}, and is none"
            )
        for part in links.manifests:
            self.visit(part, depth + 1, None, offered=False)
        for blob in links.blobs:
            known = self.blobs.setdefault(blob.digest, blob)
            if known.size != blob.size:
                raise EvidenceInvalidError(
                    f"blob {blob.digest} is said to have {known.size} and {blob.size} bytes"
                )
        if self._with_referrers:
            for referrer in self._source.referrers(descriptor.digest):
                before = len(self.items)
                self.visit(referrer, depth + 1, descriptor.digest, offered=True)
                self.referrers += len(self.items) > before
        self.items[descriptor.digest] = Item(descriptor, data, offered)


def plan_copy(source: Reader, root: Descriptor, *, referrers: bool) -> Plan:
    """Find out what there is to copy (I/O: reads the documents, no blobs).

    Raises:
        EvidenceInvalidError: documents that are not what they are called, or contradict each other.
        MalformedError: neither an image nor an index, or without end.
    """
    walk = _Walk(source, referrers=referrers)
    walk.visit(root, 0, None, offered=True)
    items = tuple(walk.items.values())
    return Plan(items[-1], items, tuple(walk.blobs.values()), walk.referrers)


def missing(plan: Plan, target: Writer) -> tuple[Descriptor, ...]:
    """Say which blobs the target has not (I/O)."""
    if target.has_manifest(plan.root.descriptor) and not plan.referrers:
        return ()
    with ThreadPoolExecutor(WORKERS) as pool:
        there = list(pool.map(target.has_blob, plan.blobs))
    return tuple(blob for blob, known in zip(plan.blobs, there, strict=True) if not known)


def run_copy(
    plan: Plan, source: Reader, target: Writer, name: str | None, note: Callable[[int, int], None]
) -> Copied:
    """Copy what a plan says (I/O).

    Args:
        plan: from `plan_copy`.
        source: what the plan was made from.
        target: where to.
        name: the tag there; empty for none; None for something that is only to be there, and is not offered.
        note: told, from time to time, the bytes sent and the bytes to send.

    Raises:
        EvidenceInvalidError: bytes that are not what they are called; the target offers nothing new.
        InfrastructureError: a registry or the disk failed.
    """
    wanted = missing(plan, target)
    sent = _send(wanted, source, target, note)
    for item in plan.items:
        tag = (name if item is plan.root else "") if item.offered else None
        target.put_manifest(item.descriptor, item.data, tag)
    target.flush()
    return Copied(plan, len(sent), sum(blob.size for blob in sent), len(plan.blobs) - len(sent))


def _send(
    blobs: Iterable[Descriptor], source: Reader, target: Writer, note: Callable[[int, int], None]
) -> list[Descriptor]:
    """Send blobs side by side, the largest first, and give those sent; the first failure ends it."""
    ordered = sorted(blobs, key=lambda blob: -blob.size)
    total, done = sum(blob.size for blob in ordered), 0
    lock, broken = threading.Lock(), threading.Event()
    sent: list[Descriptor] = []

    def one(blob: Descriptor) -> None:
        nonlocal done
        if broken.is_set():
            return
        try:
            moved = target.put_blob(blob, source)
        except BaseException:
            broken.set()
            raise
        with lock:
            done += blob.size
            if moved:
                sent.append(blob)
            note(done, total)

    note(0, total)
    with ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(one, blob) for blob in ordered]:
            future.result()
    return sent
