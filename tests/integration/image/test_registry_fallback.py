"""The referrers tag schema with many writers at once: none loses what another has added."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from fake_registry import FakeRegistry, copy, fake_registry
from registry import debian_registry
from small_image import refer_to, small_image

from pratique.image.registry.client import Repository
from pratique.image.registry.http import Http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.image.assemble import Assembled
    from pratique.image.layout import Layout

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, Assembled]:
    return small_image(tmp_path)


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with fake_registry() as fake:
        yield fake


def test_a_writer_that_comes_between_reading_and_writing(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    """The second adds its own, complete, just before the first writes the list without it."""
    layout, image = made
    first, second = (refer_to(layout, image.descriptor, text) for text in ("one", "two"))
    copy(layout, image.descriptor, server.repository(), "v1")
    tag = f"sha256-{image.descriptor.digest.hex}"
    writers = []

    def come_between(name: str, _body: bytes) -> None:
        if name == tag and not writers:
            server.before_put = None
            server.lock.release()
            writers.append(threading.Thread(target=copy, args=(layout, second, server.repository())))
            writers[0].start()
            writers[0].join()
            server.lock.acquire()

    server.before_put = come_between
    copy(layout, first, server.repository())
    listed = {one.digest for one in server.repository().referrers(image.descriptor.digest)}
    assert listed == {first.digest, second.digest}
    assert writers


def test_what_a_killed_writer_undid_comes_back(server: FakeRegistry, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    notes = [refer_to(layout, image.descriptor, text) for text in ("one", "two", "three")]
    for note in notes[:2]:
        copy(layout, note, server.repository())
    # A writer that read the empty list, wrote its own and was killed before it looked again.
    del server.manifests[f"sha256-{image.descriptor.digest.hex}"]
    copy(layout, notes[2], server.repository())
    listed = {one.digest for one in server.repository().referrers(image.descriptor.digest)}
    assert listed == {note.digest for note in notes}


@pytest.mark.slow
def test_ten_at_once_at_debians_registry(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    layout, image = made
    notes = [refer_to(layout, image.descriptor, f"note {number}") for number in range(10)]
    with debian_registry(tmp_path) as host:
        copy(layout, image.descriptor, Repository(Http(host), "sea/harbour"), "v1")
        threads = [
            threading.Thread(target=copy, args=(layout, note, Repository(Http(host), "sea/harbour")))
            for note in notes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        listed = Repository(Http(host), "sea/harbour").referrers(image.descriptor.digest)
    assert {one.digest for one in listed} == {note.digest for note in notes}
