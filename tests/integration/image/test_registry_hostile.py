"""Registries that lie, stall, cut off or lead elsewhere: a clear error, and nothing is kept."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING

import pytest
from fake_registry import FakeRegistry, copy, fake_registry, files_below
from small_image import refer_to, small_image

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, PratiqueError
from pratique.image.descriptor import MANIFEST, Descriptor
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.registry import http
from pratique.image.registry.challenge import Credentials
from pratique.model.digest import sha256_bytes, sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.image.assemble import Assembled
    from pratique.image.registry.client import Repository

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, Assembled]:
    return small_image(tmp_path)


@pytest.fixture
def server(made: tuple[Layout, Assembled]) -> Iterator[FakeRegistry]:
    layout, image = made
    with fake_registry() as fake:
        copy(layout, image.descriptor, fake.repository(), "v1")
        yield fake


def pull(there: Repository, folder: Path) -> None:
    with open_writer(folder) as writer:
        copy(there, there.resolve("v1", None), writer, "v1")


def assert_nothing_in(folder: Path) -> None:
    assert not folder.exists() or Layout(folder).index() == ()
    assert files_below(folder / "blobs" / "sha256") == []


@pytest.mark.parametrize(("fault", "error"), [
    ("stall", InfrastructureError), ("longer", EvidenceInvalidError), ("other", EvidenceInvalidError),
])  # fmt: skip
def test_nothing_is_kept_of_what_is_not_as_announced(
    server: FakeRegistry, tmp_path: Path, fault: str, error: type[PratiqueError]
) -> None:
    server.fault = fault
    for where in list(server.blobs):  # the configuration, too, so that no blob arrives
        server.blobs[where] = server.blobs[where]
    with pytest.raises(error):
        pull(server.repository(timeout=0.2), tmp_path / "back")
    assert_nothing_in(tmp_path / "back")


@pytest.mark.parametrize("where", ["/manifests/", "/blobs/"])
def test_an_answer_cut_at_any_byte(server: FakeRegistry, tmp_path: Path, where: str) -> None:
    """Every answer of one kind ends after so many bytes, head included, whatever is tried again."""
    server.cut_where = where
    server.fault = "no-range"
    for after in [*range(0, 400, 7), *([9_000] if where == "/blobs/" else [])]:
        server.cut_after = after
        folder = tmp_path / f"back{after}"
        with pytest.raises(InfrastructureError, match=r"no answer|cut off|HTTP"):
            pull(server.repository(), folder)
        assert Layout(folder).index() == ()
        for name in files_below(folder / "blobs" / "sha256"):  # what is there is whole
            assert f"sha256:{name}" in server.blobs
            assert sha256_file(folder / "blobs" / "sha256" / name).hex == name


def test_a_download_goes_on_where_it_was_cut_off(
    server: FakeRegistry, made: tuple[Layout, Assembled]
) -> None:
    layer = made[1].manifest.layers[0]
    for fault in ("", "no-range"):
        server.fault, server.cut_where, server.cut_after = fault, "/blobs/", 9000
        server.seen.clear()
        got = bytearray()

        def write(data: bytes, got: bytearray = got) -> None:
            got += data
            if len(got) > 8000:
                server.cut_after = None

        server.repository().blob(layer, write)
        assert sha256_bytes(bytes(got)) == layer.digest
        assert len(server.seen) == 2


def test_a_registry_that_drips_is_given_up(server: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_DRIP_SECONDS", -1.0)
    monkeypatch.setattr(http, "_DRIP_BYTES", 1e12)
    with pytest.raises(InfrastructureError, match="too little"):
        server.repository().resolve("v1", None)


def test_credentials_do_not_go_along_redirects(server: FakeRegistry, made: tuple[Layout, Assembled]) -> None:
    layer = made[1].manifest.layers[0]
    me = Credentials("me", "s3cret")
    with fake_registry() as other:
        other.blobs = dict(server.blobs)
        server.wants, server.challenge = me.basic, "Basic"
        server.fault, server.elsewhere = "redirect", f"http://{other.host}/blobs/{layer.digest}"
        got = bytearray()
        server.repository(me).blob(layer, got.extend)
        assert hashlib.sha256(got).hexdigest() == layer.digest.hex
        assert [given for _, _, given in other.seen] == [""]
        for bad in ("http://example.com/x", "file:///etc/passwd", "http://[bad/"):
            server.elsewhere = bad
            with pytest.raises(InfrastructureError, match=r"not encrypted|no address"):
                server.repository(me).blob(layer, got.extend)
        server.elsewhere = f"http://{server.host}/v2/a/blobs/{layer.digest}"
        with pytest.raises(InfrastructureError, match="redirects"):
            server.repository(me).blob(layer, got.extend)


def test_a_remote_registry_cannot_lead_to_this_machine() -> None:
    there = http.Http("registry.example.com")
    with pytest.raises(InfrastructureError, match="not encrypted"):
        there.request("GET", "http://127.0.0.1:1/", scopes=(), once=True)


def manifest_of(server: FakeRegistry, **changes: object) -> None:
    body = json.loads(server.manifests["v1"][0]) | changes
    server.manifests["v1"] = (json.dumps(body).encode(), MANIFEST)
    server.manifests[str(sha256_bytes(server.manifests["v1"][0]))] = server.manifests["v1"]


@pytest.mark.parametrize("size", [0, 1, 10_000_000_000])
def test_a_descriptor_that_lies_about_its_size(
    server: FakeRegistry, made: tuple[Layout, Assembled], tmp_path: Path, size: int
) -> None:
    layer = made[1].manifest.layers[0].to_json() | {"size": size}
    manifest_of(server, layers=[layer])
    with pytest.raises(PratiqueError):
        pull(server.repository(), tmp_path / "back")
    assert Layout(tmp_path / "back").index() == ()
    assert made[1].manifest.layers[0].digest.hex not in files_below(tmp_path / "back" / "blobs" / "sha256")


def test_descriptors_that_contradict_each_other(
    server: FakeRegistry, made: tuple[Layout, Assembled], tmp_path: Path
) -> None:
    layer = made[1].manifest.layers[0].to_json()
    manifest_of(server, layers=[layer, layer | {"size": 5}])
    with pytest.raises(EvidenceInvalidError, match="is said to have"):
        pull(server.repository(), tmp_path / "back")
    assert_nothing_in(tmp_path / "back")


def test_what_is_neither_image_nor_index(server: FakeRegistry, tmp_path: Path) -> None:
    server.manifests["v1"] = (b"<html>", "text/html")
    server.manifests[str(sha256_bytes(b"<html>"))] = server.manifests["v1"]
    with pytest.raises(MalformedError, match="text/html"):
        pull(server.repository(), tmp_path / "back")


def test_a_list_of_referrers_that_is_not_true(
    server: FakeRegistry, made: tuple[Layout, Assembled], tmp_path: Path
) -> None:
    layout, image = made
    note = refer_to(layout, image.descriptor, "note", listed=sha256_bytes(b"another"))
    there = server.repository()
    copy(layout, note, there)
    another = f"sha256-{sha256_bytes(b'another').hex}"
    server.manifests[f"sha256-{image.descriptor.digest.hex}"] = server.manifests[another]
    with open_writer(tmp_path / "back") as writer, pytest.raises(EvidenceInvalidError, match="refer"):
        copy(there, there.resolve("v1", None), writer, referrers=True)


def test_tags_that_lead_to_another_registry(server: FakeRegistry) -> None:
    there = server.repository()
    with pytest.raises(InfrastructureError, match="elsewhere"):
        there._next('<https://example.com/v2/a/tags/list>; rel="next"', "/v2/a/tags/list")


def test_the_first_failure_ends_a_copy(made: tuple[Layout, Assembled]) -> None:
    """Of many blobs on their way, none is begun after one has failed."""
    layout, image = made
    begun = []
    barrier = threading.Event()

    class Target:
        def has_blob(self, _: Descriptor) -> bool:
            return False

        def has_manifest(self, _: Descriptor) -> bool:
            return False

        def put_blob(self, descriptor: Descriptor, _: object) -> bool:
            begun.append(descriptor)
            barrier.set()
            raise InfrastructureError("full")

        def put_manifest(self, *_: object) -> None:
            pytest.fail("nothing may be named")

        flush = put_manifest

    with pytest.raises(InfrastructureError, match="full"):
        copy(layout, image.descriptor, Target())  # type: ignore[arg-type]
    assert begun
