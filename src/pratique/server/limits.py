"""Rate limits: token buckets, one for each address or identity, bounded in number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from pratique.server.http import CallRefusedError, Code

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BUCKETS: Final = 10_000
_MINUTE: Final = 60.0


class RateLimit:
    """Allows `per_minute` events a key, all at once or spread out. Safe to share between threads.

    When there are more keys than buckets, the key that was seen least recently starts afresh.

    Args:
        per_minute: how many; 0 for no limit.
        now: monotonic seconds.
        buckets: how many keys are remembered.
    """

    def __init__(self, per_minute: int, now: Callable[[], float], buckets: int = MAX_BUCKETS) -> None:
        self._size = float(per_minute)
        self._now = now
        self._most = buckets
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Count an event; give 0 if it is allowed, else the seconds until one will be."""
        if not self._size:
            return 0.0
        with self._lock:
            now = self._now()
            level, since = self._buckets.pop(key, (self._size, now))
            level = min(self._size, level + (now - since) * self._size / _MINUTE)
            wait = max(0.0, (1.0 - level) * _MINUTE / self._size)
            self._buckets[key] = (level if wait else level - 1.0, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return wait


def check_rate(limit: RateLimit, key: str, what: str) -> None:
    """Count an event against a limit.

    Raises:
        CallRefusedError: one too many; `what` names whose.
    """
    if wait := limit.take(key):
        raise CallRefusedError(
            Code.RESOURCE_EXHAUSTED,
            f"too many requests from this {what}",
            reason=f"rate-{what}",
            retry_after=wait,
        )
