from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from oidc_issuer import Issuer

from pratique.errors import CouldNotCheckError
from pratique.server.oidc.provider import Provider

URL = "https://issuer.example.org"


class Web:
    def __init__(self) -> None:
        self.issuer = Issuer(URL)
        self.fetched: list[str] = []
        self.down = False
        self.named = URL
        self.time = 0.0

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.down:
            raise CouldNotCheckError("down")
        discovery = {"issuer": self.named, "jwks_uri": f"{URL}/keys"}
        return json.dumps(self.issuer.jwks() if url.endswith("/keys") else discovery).encode()

    def provider(self) -> Provider:
        return Provider(URL, self.fetch, lambda: self.time)


def test_keys_are_kept_for_an_hour() -> None:
    web = Web()
    provider = web.provider()
    for web.time in (0, 100, 3599):
        assert [key.kid for key in provider.keys("first")] == ["first"]
    assert web.fetched == [f"{URL}/.well-known/openid-configuration", f"{URL}/keys"]
    web.time = 3600
    provider.keys("first")
    assert len(web.fetched) == 4


def test_an_unknown_key_is_looked_for_but_not_all_the_time() -> None:
    web = Web()
    provider = web.provider()
    provider.keys("first")
    web.issuer.kid = "second"
    web.time = 29
    assert [key.kid for key in provider.keys("second")] == ["first"]
    web.time = 31
    assert [key.kid for key in provider.keys("second")] == ["second"]
    fetched = len(web.fetched)
    for _ in range(100):
        provider.keys("made-up")
    assert len(web.fetched) == fetched


def test_old_keys_do_for_a_day_while_the_issuer_is_down() -> None:
    web = Web()
    provider = web.provider()
    provider.keys("first")
    web.down, web.time = True, 24 * 3600 - 1
    assert provider.keys("first")
    web.time += 1
    with pytest.raises(CouldNotCheckError):
        provider.keys("first")


def test_an_issuer_that_never_answered() -> None:
    web = Web()
    web.down = True
    provider = web.provider()
    for _ in range(3):
        with pytest.raises(CouldNotCheckError):
            provider.keys("first")
    assert len(web.fetched) == 1


def test_discovery_of_somebody_else() -> None:
    web = Web()
    web.named = "https://evil.example.org"
    with pytest.raises(CouldNotCheckError, match="another issuer"):
        web.provider().keys("first")


class SlowWeb(Web):
    """Answers only once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def fetch(self, url: str) -> bytes:
        self.asked.set()
        assert self.go_on.wait(10)
        return super().fetch(url)


def test_a_slow_issuer_holds_up_nobody_who_has_keys() -> None:
    web = SlowWeb()
    provider = web.provider()
    provider.keys("first")
    web.asked.clear()
    web.go_on.clear()
    web.time = 4000
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(provider.keys, "first")
        web.asked.wait(10)
        assert provider.keys("first")
        assert not slow.done()
        web.go_on.set()
        assert slow.result()
    assert len(web.fetched) == 4


def test_those_who_have_none_wait_for_one_fetch() -> None:
    web = SlowWeb()
    provider = web.provider()
    web.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(provider.keys, "first") for _ in range(4)]
        web.asked.wait(10)
        web.go_on.set()
        assert all(len(one.result()) == 1 for one in found)
    assert len(web.fetched) == 2
