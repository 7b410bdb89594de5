"""Verifying many bundles: here, or in processes beside this one where there are very many.

Threads gain nothing: what is not curve arithmetic holds the interpreter. A process is started anew and gets
the trusted root, the enrolled keys and bundles; it gives back what `verify_bundle` gave it, or the error that
it raised. One that dies is an error here, and never a verdict.
"""

from __future__ import annotations

import os
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import (
    CouldNotCheckError,
    EvidenceInvalidError,
    InfrastructureError,
    MalformedError,
    PratiqueError,
    SignatureInvalidError,
)
from pratique.trust.established import Verified  # noqa: TC001 - msgspec reads the annotations
from pratique.trust.root import TrustedRoot, parse_root
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from pratique.trust.identity import EnrolledKey

_PORTION: Final = 64
_WORTH_IT: Final = 1_000
_AHEAD: Final = 3


class _Outcome(msgspec.Struct, frozen=True):
    """What was established, or the kind, message and hint of the error."""

    verified: Verified | None = None
    error: tuple[str, str, str] | None = None


_ERRORS: Final = {
    kind.__name__: kind
    for kind in (CouldNotCheckError, InfrastructureError, MalformedError, SignatureInvalidError)
}
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[_Outcome]).decode


def verify_bundles(
    bundles: Sequence[bytes],
    root: TrustedRoot,
    *,
    keys: Mapping[str, EnrolledKey] | None = None,
    processes: int | None = None,
) -> Iterator[Verified]:
    """Verify bundles of ours one after the other, as `verify_bundle` does each.

    Args:
        bundles: their bytes.
        root: what to believe.
        keys: enrolled keys by key id.
        processes: how many verify; by default one a processor where there are enough bundles, else none.

    Yields:
        what each bundle established, in order.

    Raises:
        MalformedError, SignatureInvalidError, CouldNotCheckError: see `verify_bundle`; for the bundle whose
            turn it is.
        InfrastructureError: a process that verified was ended by somebody else.
    """
    count = processes
    if count is None:
        count = len(os.sched_getaffinity(0)) if len(bundles) >= _WORTH_IT else 1
    if count <= 1:
        for data in bundles:
            yield verify_bundle(data, root, keys=keys)
        return
    for outcome in _elsewhere(bundles, root, dict(keys or {}), count):
        if outcome.verified is None:
            kind, message, hint = outcome.error or ("", "a bundle without a verdict", "")
            raise _ERRORS.get(kind, EvidenceInvalidError)(message, hint=hint)
        yield outcome.verified


def _elsewhere(
    bundles: Sequence[bytes], root: TrustedRoot, keys: Mapping[str, EnrolledKey], count: int
) -> Iterator[_Outcome]:
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - few have so many
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    waiting: deque[Future[bytes]] = deque()
    portions = (bundles[at : at + _PORTION] for at in range(0, len(bundles), _PORTION))
    # A fork of a program with threads may stand still for ever, so each starts anew.
    with ProcessPoolExecutor(count, get_context("spawn"), _begin, (root.data, keys)) as pool:
        try:
            waiting.extend(pool.submit(_judge, portion) for portion in islice(portions, _AHEAD * count))
            while waiting:
                outcomes = _decode(waiting.popleft().result())
                waiting.extend(pool.submit(_judge, portion) for portion in islice(portions, 1))
                yield from outcomes
        except BrokenProcessPool as error:
            raise InfrastructureError("a process that verified was killed: is there memory?") from error
        finally:
            pool.shutdown(cancel_futures=True)


class _Trusted:
    """What a process beside this one was given to believe."""

    root: TrustedRoot
    keys: Mapping[str, EnrolledKey]


def _begin(root: bytes, keys: Mapping[str, EnrolledKey]) -> None:
    _Trusted.root, _Trusted.keys = parse_root(root), keys


def _judge(portion: Sequence[bytes]) -> bytes:
    return _encode([_outcome(data) for data in portion])


def _outcome(data: bytes) -> _Outcome:
    try:
        return _Outcome(verify_bundle(data, _Trusted.root, keys=_Trusted.keys))
    except PratiqueError as error:
        return _Outcome(error=(type(error).__name__, error.message, error.hint))
