"""From a source's packed records to advisories: here, or in processes beside this one where there are many.

Whoever parses gets bytes and gives structures; a process that parses is started anew and holds nothing else.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import InfrastructureError
from pratique.scan.feeds.table import FEEDS
from pratique.scan.osv import Advisory, parse_advisory
from pratique.scan.sources import Packed, read_packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from pratique.scan.sources import Source

_BATCH: Final = 400
_WORTH_IT: Final = 8_000
_AHEAD: Final = 3
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_ADVISORIES: Final = msgspec.msgpack.Decoder(list[Advisory])


def understood(source: Source, processes: int | None = None) -> Iterator[Advisory]:
    """Give the advisories of a source.

    Args:
        source: the collection.
        processes: how many parse; by default one a processor where there is enough to parse, else none.

    Raises:
        ConfigError: it cannot be read.
        MalformedError: something in it is no advisory.
        InfrastructureError: a process that parsed was ended by somebody else.
    """
    records = read_packed(source)
    what = str(source.path)
    count = processes if processes is not None else len(os.sched_getaffinity(0))
    # Most sources are small, and starting processes takes a third of a second.
    here = None if count <= 1 else _WORTH_IT if processes is None else 0
    for packed in islice(records, here):
        yield from _advisories(packed, source.kind, what)
    if here is None:
        return
    try:
        yield from _elsewhere(records, source.kind, what, count)
    except BrokenProcessPool as error:
        raise InfrastructureError(f"{what}: a process that parsed it was killed: is there memory?") from error


def _elsewhere(records: Iterator[Packed], kind: str, what: str, count: int) -> Iterator[Advisory]:
    waiting: deque[Future[bytes]] = deque()
    # A fork of a program with threads may stand still for ever, so each starts anew.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        try:
            while batch := list(islice(records, _BATCH)):
                waiting.append(pool.submit(_parse, batch, kind, what))
                if len(waiting) > _AHEAD * count:
                    yield from _ADVISORIES.decode(waiting.popleft().result())
            while waiting:
                yield from _ADVISORIES.decode(waiting.popleft().result())
        finally:
            pool.shutdown(cancel_futures=True)


def _parse(batch: list[Packed], kind: str, what: str) -> bytes:
    return _ENCODE([advisory for packed in batch for advisory in _advisories(packed, kind, what)])


def _advisories(packed: Packed, kind: str, what: str) -> Iterator[Advisory]:
    member, feed = f"{what}: {packed.name}", FEEDS[kind]
    for record in feed.read(packed.bytes(feed.max_bytes), what=member):
        yield parse_advisory(record, what=member)
