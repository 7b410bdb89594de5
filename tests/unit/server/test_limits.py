from __future__ import annotations

from pratique.server.limits import RateLimit


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_a_minute() -> None:
    time = Time()
    limit = RateLimit(2, time)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 30]
    assert limit.take("b") == 0
    time.now = 29
    assert limit.take("a") > 0
    time.now = 30
    assert [limit.take("a"), limit.take("a")] == [0, 30]


def test_no_limit() -> None:
    assert not any(RateLimit(0, Time()).take("a") for _ in range(1000))


def test_only_so_many_keys_are_remembered() -> None:
    limit = RateLimit(1, Time(), buckets=2)
    assert [limit.take(key) for key in ("a", "b", "c", "b")] == [0, 0, 0, 60]
    assert limit.take("a") == 0
