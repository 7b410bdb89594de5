"""One thread that appends for all: requests that wait at the same time share one batch and one fsync."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from pratique.errors import PratiqueError
from pratique.journal.writer import BareEntry, Recorded, admit
from pratique.server.audit import Audit, IssuedCertificate, Report
from pratique.server.http import CallRefusedError, Code
from pratique.trust.bundle import Signed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_BATCH: Final = 256
log = logging.getLogger("pratique.server")
Item = BareEntry | Signed | IssuedCertificate
_Waiting = tuple[Item, "Future[Recorded]"]


class Committer:
    """Takes entries from many threads, and gives each back its place in the log.

    Args:
        append: appends a batch to the journal, durably (`Journal.append`).
        audit: what is to be recorded along.
        record: signs a record of certificates and what was noted.
        waiting: how many entries may wait; one more is refused.
        audit_seconds: how long something noted may wait for its record.
        now: monotonic seconds.
    """

    def __init__(
        self,
        append: Callable[[Sequence[Signed | BareEntry]], list[Recorded]],
        audit: Audit,
        record: Callable[[Sequence[IssuedCertificate], Report], Signed],
        *,
        waiting: int,
        audit_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._append = append
        self._audit = audit
        self._record = record
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._audit_seconds = audit_seconds
        self._now = now
        self._due = now() + audit_seconds
        self._closed = False
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="committer")
        self._thread.start()

    def commit(self, item: Item) -> Recorded:
        """Append an entry, or the record of a certificate; return once it is in the log for good.

        Raises:
            MalformedError: an entry that does not fit the log.
            CallRefusedError: too much is waiting, or the server stops.
            PratiqueError: the journal failed; the entry may still turn up in the log.
        """
        if not isinstance(item, IssuedCertificate):
            admit(item)
        future: Future[Recorded] = Future()
        with self._door:
            if self._closed or self._queue.full():
                raise CallRefusedError(
                    Code.UNAVAILABLE, "the log is busy; try again", reason="busy", retry_after=1
                )
            self._queue.put((item, future))
        return future.result()

    def close(self) -> None:
        """Commit what waits and record what was noted, then end the thread."""
        with self._door:
            self._closed = True
        self._queue.put(None)  # nothing can come after it
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            self._commit_batch(batch, audit=ended or self._now() >= self._due)

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        batch: list[_Waiting] = []
        try:
            found = self._queue.get(timeout=self._audit_seconds)
            while found is not None:
                batch.append(found)
                if len(batch) == MAX_BATCH:
                    return batch, False
                found = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _commit_batch(self, batch: Sequence[_Waiting], *, audit: bool) -> None:
        """Commit a batch; a record that is made for certificates anyway takes along what was noted."""
        certificates = [item for item, _ in batch if isinstance(item, IssuedCertificate)]
        entries = [item for item, _ in batch if not isinstance(item, IssuedCertificate)]
        report = self._audit.take() if audit or certificates else Report((), 0, {})
        if audit or certificates:
            self._due = self._now() + self._audit_seconds
        if not (batch or report):
            return
        try:
            records = [self._record(certificates, report)] if certificates or report else []
            recorded = self._append([*records, *entries])
        except Exception as error:
            self._audit.put_back(report)
            if not isinstance(error, PratiqueError):
                log.exception("a defect in committing")
            else:
                log.error("nothing was committed: %s", error.message)  # noqa: TRY400 - no defect to trace
            for _, future in batch:
                future.set_exception(error)
            return
        places = iter(recorded[len(records) :])
        for item, future in batch:
            future.set_result(recorded[0] if isinstance(item, IssuedCertificate) else next(places))
