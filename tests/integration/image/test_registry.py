"""The registry client: images there and back, authentication, and what it refuses to ask; loopback only."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from fake_registry import FakeRegistry, copy, fake_registry
from registry import debian_registry
from small_image import BUNDLE, refer_to, small_image

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.image.descriptor import MANIFEST
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.registry import blobs
from pratique.image.registry.challenge import Credentials
from pratique.image.registry.client import Repository
from pratique.image.registry.evidence import fetch_bundles
from pratique.image.registry.http import Http
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.image.assemble import Assembled

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, Assembled]:
    return small_image(tmp_path)


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with fake_registry() as fake:
        yield fake


def test_an_image_goes_there_and_back(
    server: FakeRegistry, made: tuple[Layout, Assembled], tmp_path: Path
) -> None:
    layout, image = made
    sent = copy(layout, image.descriptor, server.repository(), "v1")
    assert (sent.sent, sent.present) == (2, 0)
    assert server.repository().head("v1") == image.descriptor.digest
    there = server.repository()
    for found in (there.resolve("v1", None), there.resolve("", image.descriptor.digest)):
        with open_writer(tmp_path / "back") as writer:
            copy(there, found, writer, "x")
    back = Layout(tmp_path / "back")
    assert back.resolve("x", None).digest == image.descriptor.digest
    assert back.config(image.manifest) == image.config
    server.seen.clear()
    sent = copy(layout, image.descriptor, server.repository(), "v2")
    assert (sent.sent, sent.present) == (0, 2)
    assert not [path for method, path, _ in server.seen if method in {"POST", "PATCH"}]


def test_an_interrupted_upload_goes_on_where_it_was(
    server: FakeRegistry, made: tuple[Layout, Assembled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "CHUNK", 3000)
    layout, image = made
    server.interruptions = 2
    copy(layout, image.descriptor, server.repository(), "v1")
    assert str(image.manifest.layers[0].digest) in server.blobs
    server.blobs.clear()
    server.manifests.clear()
    server.interruptions = 99
    with pytest.raises(InfrastructureError):
        copy(layout, image.descriptor, server.repository(), "v2")
    assert "v2" not in server.manifests


def test_a_registry_that_is_busy_is_asked_again_when_it_says(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    layout, image = made
    waits: list[float] = []
    there = Repository(Http(server.host, sleep=waits.append), "a")
    copy(layout, image.descriptor, there, "v1")
    waits.clear()
    server.busy = 2
    assert there.head("v1") == image.descriptor.digest
    assert waits == [7.0, 7.0]
    server.busy = 99
    with pytest.raises(InfrastructureError, match="HTTP 503"):
        there.head("v1")


def test_a_blob_of_another_repository_is_mounted(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    layout, image = made
    copy(layout, image.descriptor, server.repository(), "v1")
    layer = image.manifest.layers[0]
    server.mounts = True
    server.seen.clear()
    server.repository(name="b").put_blob(layer, server.repository())
    assert [(method, path) for method, path, _ in server.seen] == [
        ("POST", f"/v2/b/blobs/uploads/?mount={layer.digest}&from=a")
    ]
    server.mounts = False  # one that does not mount gets the bytes
    server.seen.clear()
    server.repository(name="b").put_blob(layer, server.repository())
    assert [method for method, _, _ in server.seen] == ["POST", "DELETE", "GET", "POST", "PUT"]


def test_a_manifest_of_another_digest_is_refused(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    layout, image = made
    copy(layout, image.descriptor, server.repository(), "v1")
    server.manifests[str(image.descriptor.digest)] = (b"{}", MANIFEST)
    with pytest.raises(EvidenceInvalidError, match="gave sha256"):
        server.repository().manifest(image.descriptor.digest)
    server.manifests["huge"] = (b" " * (5 << 20), MANIFEST)
    with pytest.raises(MalformedError, match="longer than"):
        server.repository().manifest("huge")
    with pytest.raises(UsageError, match="has no missing"):
        server.repository().manifest("missing")


def test_basic_and_token_authentication(server: FakeRegistry, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    me = Credentials("me", "s3cret")
    basic = "Basic " + base64.b64encode(b"me:s3cret").decode()
    server.wants, server.challenge = basic, 'Basic realm="r"'
    copy(layout, image.descriptor, server.repository(me), "v1")
    with pytest.raises(UsageError, match="who asks"):
        server.repository().manifest("v1")
    with pytest.raises(UsageError, match="does not allow"):
        server.repository(Credentials("me", "wrong")).manifest("v1")
    server.wants, server.challenge = "Bearer t0k3n", 'Bearer realm="/token",service="s"'
    server.seen.clear()
    assert server.repository(me).head("v1") == image.descriptor.digest
    tokens = [(path, given) for _, path, given in server.seen if path.startswith("/token")]
    assert tokens == [("/token?service=s&scope=repository%3Aa%3Apull", basic)]
    assert "s3cret" not in repr(me)


def test_an_identity_token_is_exchanged_and_never_in_a_url(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    layout, image = made
    server.wants, server.challenge = "Bearer t0k3n", 'Bearer realm="/token",service="s"'
    copy(layout, image.descriptor, server.repository(Credentials(identity_token="s3cret")), "v1")
    asked = [(method, path, given) for method, path, given in server.seen if path.startswith("/token")]
    assert set(asked) == {("POST", "/token", "")}


def test_connections_are_used_again(server: FakeRegistry, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    accepted = []
    accept = server.get_request
    server.get_request = lambda: accepted.append(1) or accept()  # type: ignore[method-assign,func-returns-value]
    there = server.repository()
    copy(layout, image.descriptor, there, "v1")
    for _ in range(20):
        there.head("v1")
    assert len(accepted) <= 4  # one for each worker at most
    there.repo.http.close()


def test_referrers_by_the_fallback_tag(server: FakeRegistry, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    there = server.repository()
    copy(layout, image.descriptor, there, "v1")
    assert there.referrers(image.descriptor.digest) == ()
    notes = [refer_to(layout, image.descriptor, text) for text in ("one", "two")]
    for note in (*notes, notes[0]):
        copy(layout, note, there)
    listed = there.referrers(image.descriptor.digest)
    assert [one.digest for one in listed] == [note.digest for note in notes]
    assert {one.artifact_type for one in listed} == {"application/x-note"}
    there.delete(notes[0].digest)
    assert [one.digest for one in there.referrers(image.descriptor.digest)] == [notes[1].digest]
    assert [tag for tag in there.tags() if tag.endswith(notes[0].digest.hex[:16])] == []


def test_bundles_are_found_among_the_referrers(server: FakeRegistry, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    refer_to(layout, image.descriptor, "no bundle")
    refer_to(layout, image.descriptor, '{"some": "bundle"}', BUNDLE)
    there = server.repository()
    done = copy(layout, image.descriptor, there, "v1", referrers=True)
    assert done.plan.referrers == 2
    for place in (there, layout):
        assert [one.bundle for one in fetch_bundles(place, image.descriptor.digest)] == [
            b'{"some": "bundle"}'
        ]


def test_a_referrer_of_something_else_is_refused(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    layout, image = made
    there = server.repository()
    copy(layout, refer_to(layout, image.descriptor, "{}", BUNDLE), there)
    other = Digest("0" * 64)
    listed = server.manifests[f"sha256-{image.descriptor.digest.hex}"]
    server.manifests[f"sha256-{other.hex}"] = listed
    with pytest.raises(EvidenceInvalidError, match="and is none"):
        fetch_bundles(there, other)


@pytest.mark.parametrize("name", ["", "A", "a//b", "../x", "a/../b", "a b", "a?x", "x" * 300])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Repository(Http("localhost:1"), name)


@pytest.mark.parametrize("host", ["", "http://x", "x/y", "x@y", "x:port", "a b"])
def test_hosts_that_are_none_are_refused(host: str) -> None:
    with pytest.raises(UsageError):
        Http(host)


@pytest.mark.slow
def test_debians_registry(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    layout, image = made
    note = refer_to(layout, image.descriptor, "note")
    seal = refer_to(layout, note, "about the note")
    with debian_registry(tmp_path) as host:
        there = Repository(Http(host), "sea/harbour")
        copy(layout, image.descriptor, there, "v1", referrers=True)
        assert there.head("v1") == image.descriptor.digest
        assert there.head("v2") is None
        assert [one.digest for one in there.referrers(image.descriptor.digest)] == [note.digest]
        assert max(there.tags()) == "v1"
        elsewhere = Repository(Http(host), "sea/other")
        done = copy(there, image.descriptor, elsewhere, "v1", referrers=True)
        assert done.plan.referrers == 2
        with open_writer(tmp_path / "back") as writer:
            copy(elsewhere, elsewhere.resolve("v1", None), writer, referrers=True)
    back = Layout(tmp_path / "back")
    assert [one.digest for one in back.referrers(note.digest)] == [seal.digest]
    assert json.loads((tmp_path / "back" / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
