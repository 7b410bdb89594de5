from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import InfrastructureError
from pratique.journal.writer import BareEntry, Recorded
from pratique.model.digest import sha256_bytes
from pratique.server.audit import Audit, Report
from pratique.server.commit import Committer
from pratique.server.http import CallRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Log:
    """Stands for the journal: holds appends back while `gate` is down, and fails when told to."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fails = False

    def append(self, items: Sequence[Any]) -> list[Recorded]:
        self.entered.set()
        self.gate.wait(10)
        if self.fails:
            raise InfrastructureError("the disk is full")
        first = sum(map(len, self.batches))
        self.batches.append(list(items))
        return [
            Recorded(first + offset, sha256_bytes(item.leaf), item.leaf) for offset, item in enumerate(items)
        ]


def committer(log: Log, audit: Audit, *, waiting: int = 100) -> Committer:
    def record(_certificates: object, report: Report) -> Any:
        return BareEntry(repr(report.refusals).encode())

    return Committer(log.append, audit, record, waiting=waiting, audit_seconds=60, now=lambda: 0.0)


def test_those_who_wait_together_share_a_batch() -> None:
    log = Log()
    subject = committer(log, Audit())
    log.gate.clear()
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(subject.commit, BareEntry(b"first"))
        log.entered.wait(10)
        others = [pool.submit(subject.commit, BareEntry(b"%d" % n)) for n in range(20)]
        while subject._queue.qsize() < 20:
            threading.Event().wait(0.01)
        log.gate.set()
        assert first.result().index == 0
        found = [future.result() for future in others]
    subject.close()
    assert [len(batch) for batch in log.batches] == [1, 20]
    assert [item.bundle for item in found] == [b"%d" % n for n in range(20)]
    assert sorted(item.index for item in found) == list(range(1, 21))


def test_too_many_are_refused_and_nobody_hangs() -> None:
    log = Log()
    subject = committer(log, Audit(), waiting=2)
    log.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(subject.commit, BareEntry(b"0"))]
        log.entered.wait(10)
        futures += [pool.submit(subject.commit, BareEntry(b"%d" % n)) for n in (1, 2)]
        while subject._queue.qsize() < 2:
            threading.Event().wait(0.01)
        with pytest.raises(CallRefusedError) as caught:
            subject.commit(BareEntry(b"3"))
        log.gate.set()
        assert len({future.result().index for future in futures}) == 3
    subject.close()
    assert caught.value.status == 503


def test_a_failure_reaches_those_who_wait_and_the_audit_is_kept() -> None:
    log, audit = Log(), Audit()
    subject = committer(log, audit)
    audit.refused("/x", "why", "10.0.0.1")
    log.fails = True
    with pytest.raises(InfrastructureError):
        subject.commit(BareEntry(b"lost"))
    log.fails = False
    subject.close()
    assert [item.leaf for batch in log.batches for item in batch] == [b"{('/x', 'why', '10.0.0.1'): 1}"]


def test_what_was_noted_is_recorded_by_itself_after_a_while() -> None:
    log, audit = Log(), Audit()

    def record(_certificates: object, report: Report) -> Any:
        return BareEntry(repr(report.refusals).encode())

    subject = Committer(log.append, audit, record, waiting=9, audit_seconds=0.02, now=time.monotonic)
    audit.refused("/x", "why", "10.0.0.1")
    while not log.batches:
        threading.Event().wait(0.01)
    subject.close()
    assert [len(batch) for batch in log.batches] == [1]


def test_after_the_end_nothing_is_taken() -> None:
    subject = committer(Log(), Audit())
    subject.close()
    with pytest.raises(CallRefusedError):
        subject.commit(BareEntry(b"late"))


def test_the_audit_stays_small() -> None:
    audit = Audit()
    for number in range(1500):
        audit.timestamped(number, "1.2.3", b"x")
        audit.refused("/x", "why", f"10.0.{number // 256}.{number % 256}")
    report = audit.take()
    assert (len(report.timestamps), report.more_timestamps) == (1000, 500)
    assert (len(report.refusals), sum(report.refusals.values())) == (201, 1500)
    audit.timestamped(1, "1.2.3", b"y")
    audit.put_back(report)
    again = audit.take()
    assert (len(again.timestamps), again.more_timestamps) == (1000, 501)
    assert sum(again.refusals.values()) == 1500
