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
from pratique.model.strict_json import parse_json_object
from pratique.scan.osv import Advisory, parse_advisory
from pratique.scan.sources import MAX_RECORD_BYTES, Packed, read_packed

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
    yield from (_advisory(packed, what) for packed in islice(records, here))
    if here is None:
        return
    try:
        yield from _elsewhere(records, what, count)
    except BrokenProcessPool as error:
        raise InfrastructureError(f"{what}: a process that parsed it was killed: is there memory?") from error


def _elsewhere(records: Iterator[Packed], what: str, count: int) -> Iterator[Advisory]:
    waiting: deque[Future[bytes]] = deque()
    # A fork of a program with threads may stand still for ever, so each starts anew.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        try:
            while batch := list(islice(records, _BATCH)):
                waiting.append(pool.submit(_parse, batch, what))
                if len(waiting) > _AHEAD * count:
                    yield from _ADVISORIES.decode(waiting.popleft().result())
            while waiting:
                yield from _ADVISORIES.decode(waiting.popleft().result())
        finally:
            pool.shutdown(cancel_futures=True)


def _parse(batch: list[Packed], what: str) -> bytes:
    return _ENCODE([_advisory(packed, what) for packed in batch])


def _advisory(packed: Packed, what: str) -> Advisory:
    member = f"{what}: {packed.name}"
    return parse_advisory(
        parse_json_object(packed.bytes(), what=member, max_bytes=MAX_RECORD_BYTES), what=member
    )
