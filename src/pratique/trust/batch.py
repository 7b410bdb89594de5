"""Verifying many bundles: each verdict reached once, on as many cores as are given."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from pratique.errors import EvidenceInvalidError
from pratique.trust.root import TrustedRoot, parse_root
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pratique.trust.identity import EnrolledKey

Verdict = Verified | EvidenceInvalidError

CHUNK: Final = 64
"""Bundles that a process is handed at once: enough for handing over to cost little beside verifying."""


def verify_batch(
    bundles: Sequence[bytes],
    root: TrustedRoot,
    *,
    keys: Mapping[str, EnrolledKey] | None = None,
    processes: int = 1,
) -> list[Verdict]:
    """Verify bundles of ours, the same bytes once however often they are given.

    Args:
        bundles: their bytes.
        root: what to believe.
        keys: see `trust.verify.verify_bundle`.
        processes: how many work; with 1 it is done here, and what is remembered of the root is of use again.

    Returns:
        For each, in order, what it established, or the error that it was refused with. The caller has to
        look: an error among them is no exception here.
    """
    distinct = list(dict.fromkeys(bundles))
    if processes <= 1 or len(distinct) <= CHUNK:
        found = _verify_chunk(distinct, root=root, keys=dict(keys or {}))
    else:
        found = _spread(distinct, root, dict(keys or {}), processes)
    verdicts = dict(zip(distinct, found, strict=True))
    return [verdicts[data] for data in bundles]


def _spread(
    distinct: list[bytes], root: TrustedRoot, keys: dict[str, EnrolledKey], processes: int
) -> list[Verdict]:
    chunks = [distinct[at : at + CHUNK] for at in range(0, len(distinct), CHUNK)]
    with ProcessPoolExecutor(
        processes, mp_context=get_context("forkserver"), initializer=_remember, initargs=(root.data,)
    ) as pool:
        return [item for chunk in pool.map(partial(_verify_there, keys=keys), chunks) for item in chunk]


_root: list[TrustedRoot] = []
"""In a worker: the root, parsed once."""


def _remember(data: bytes) -> None:
    _root[:] = [parse_root(data)]


def _verify_there(chunk: list[bytes], *, keys: dict[str, EnrolledKey]) -> list[Verdict]:
    return _verify_chunk(chunk, root=_root[0], keys=keys)


def _verify_chunk(
    chunk: Sequence[bytes], *, root: TrustedRoot, keys: dict[str, EnrolledKey]
) -> list[Verdict]:
    found: list[Verdict] = []
    for data in chunk:
        try:
            found.append(verify_bundle(data, root, keys=keys))
        except EvidenceInvalidError as error:
            found.append(error.with_traceback(None))
    return found
