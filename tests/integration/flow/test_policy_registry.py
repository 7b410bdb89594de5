"""Policies through a real registry: what arrives is what was released, or nothing does."""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from registry import debian_registry

from pratique.errors import EvidenceInvalidError, PratiqueError, UsageError
from pratique.flow.policy_archive import ORGANISATION, unpack
from pratique.flow.policy_archive import POLICY as POLICY_KIND
from pratique.flow.policy_fetch import Wanted, fetch_policy
from pratique.flow.policy_publish import make_release
from pratique.flow.policy_transfer import open_repository, parse_place, push_release
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.image.descriptor import MANIFEST, Descriptor
from pratique.model.digest import sha256_bytes
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.flow.policy_transfer import Place

pytestmark = [pytest.mark.enable_socket, pytest.mark.slow]
SIGNER = "spiffe://acme.example/administrator"
POLICY = shipped_bundle("high")


class Publisher:
    """Who releases, whose clock can be set, and the registry in between."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
        self.host = host
        init_trust(folder / "theirs", trust_domain="acme.example", clock=self.clock)
        self.workspace = Workspace.open(folder / "theirs", clock=self.clock)
        init_trust(folder / "ours", trust_domain="pratique.local", clock=self.clock)
        self.ours = Workspace.open(folder / "ours", clock=self.clock)

    def clock(self) -> dt.datetime:
        return self.now

    def release(self, version: str = "1", policy: Any = POLICY) -> bytes:
        made = make_release(
            self.workspace,
            policy.encode(),
            POLICY_KIND,
            name="acme/base",
            version=version,
            expires=self.now + dt.timedelta(days=30),
            key=None,
            ask=lambda _: b"",
        )
        return made.archive

    def push(self, archive: bytes, tag: str = "v1") -> Place:
        place = parse_place(f"oci://{self.host}/acme/policy:{tag}")
        return push_release(unpack(archive, "a"), place, open_repository(place, None))

    def pull(self, place: str, **changes: Any) -> Path:
        values: dict[str, Any] = {
            "place": place,
            "signer": SIGNER,
            "digest": None,
            "allow_tag": False,
            "trusted_root": self.folder / "theirs" / "trust" / "trusted_root.json",
            "key": None,
        }
        return fetch_policy(self.ours, None, Wanted(**(values | changes)), None).path

    def kept(self) -> list[Path]:
        return sorted((self.folder / "ours" / "policies").glob("*"))


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    with debian_registry(tmp_path) as host:
        yield Publisher(tmp_path, host)


def test_a_release_arrives_as_it_was_made(publisher: Publisher) -> None:
    archive = publisher.release()
    place = publisher.push(archive)
    for reference, options in (
        (str(place), {}),
        (f"oci://{publisher.host}/acme/policy@{place.digest}", {"digest": str(POLICY.digest)}),
        (f"oci://{publisher.host}/acme/policy:v1", {"digest": str(POLICY.digest)}),
        (f"oci://{publisher.host}/acme/policy:v1", {"allow_tag": True}),
    ):
        path = publisher.pull(reference, **options)
        assert path.read_bytes() == archive
        path.unlink()
    # A file goes the same way.
    (publisher.folder / "a.tar").write_bytes(archive)
    assert publisher.pull(str(publisher.folder / "a.tar")).read_bytes() == archive


def test_an_organisation_s_policy_goes_the_same_way(publisher: Publisher) -> None:
    acme = b'name = "acme"\n'
    made = make_release(
        publisher.workspace,
        acme,
        ORGANISATION,
        name="acme/organisation",
        version="1",
        expires=publisher.now + dt.timedelta(days=30),
        key=None,
        ask=lambda _: b"",
    )
    place = publisher.push(made.archive)
    path = publisher.pull(str(place), digest=str(sha256_bytes(acme)))
    assert (path.name, path.read_bytes()) == (f"{sha256_bytes(acme).hex}.tar", made.archive)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"signer": "spiffe://acme.example/builder"}, EvidenceInvalidError, "must sign"),
        ({"trusted_root": None}, EvidenceInvalidError, "step"),
        ({"digest": f"sha256:{'0' * 64}"}, EvidenceInvalidError, "is pinned"),
        ({"allow_tag": False}, UsageError, "a tag can be moved"),
        ({"signer": None}, UsageError, "nobody is named"),
    ],
)
def test_what_is_not_accepted_is_not_kept(
    publisher: Publisher, options: dict[str, Any], kind: type[PratiqueError], said: str
) -> None:
    publisher.push(publisher.release())
    with pytest.raises(kind, match=said):
        publisher.pull(f"oci://{publisher.host}/acme/policy:v1", **({"allow_tag": True} | options))
    assert publisher.kept() == []


def test_an_expired_release_is_not_kept(publisher: Publisher) -> None:
    place = publisher.push(publisher.release())
    publisher.now += dt.timedelta(days=31)
    with pytest.raises(EvidenceInvalidError, match="expired at"):
        publisher.pull(str(place))
    assert publisher.kept() == []


def test_a_moved_tag_does_not_move_a_pin(publisher: Publisher) -> None:
    first = publisher.push(publisher.release())
    publisher.push(publisher.release("2", shipped_bundle("starter")))
    tag = f"oci://{publisher.host}/acme/policy:v1"
    with pytest.raises(EvidenceInvalidError, match="is pinned"):
        publisher.pull(tag, digest=str(POLICY.digest))
    assert publisher.pull(str(first)).name == f"{POLICY.digest.hex}.tar"


def test_an_unsigned_policy_and_another_artifact_are_refused(publisher: Publisher) -> None:
    packed = unpack(publisher.release(), "a")
    place = parse_place(f"oci://{publisher.host}/acme/bare:v1")
    there = open_repository(place, None)
    for data in (packed.policy, b"{}"):
        described = Descriptor(media_type="", digest=sha256_bytes(data), size=len(data))
        there.push_blob(described, io.BytesIO(data))
    there.push_manifest("v1", packed.artifact.data, MANIFEST)
    with pytest.raises(EvidenceInvalidError, match="not signed"):
        publisher.pull(str(place), allow_tag=True)
    manifest = json.loads(packed.artifact.data) | {"artifactType": "application/x-other"}
    there.push_manifest("v2", json.dumps(manifest).encode(), MANIFEST)
    with pytest.raises(EvidenceInvalidError, match="is no policy"):
        publisher.pull(f"oci://{publisher.host}/acme/bare:v2", allow_tag=True)
    assert publisher.kept() == []


def test_others_signatures_beside_the_right_one_do_no_harm(publisher: Publisher) -> None:
    archive = publisher.release()
    place = publisher.push(archive)
    other = unpack(publisher.release("2", shipped_bundle("starter")), "b")
    mixed = unpack(archive, "a")
    stranger = type(mixed)(artifact=mixed.artifact, policy=mixed.policy, signature=other.signature)
    push_release(
        stranger, parse_place(f"oci://{publisher.host}/acme/policy:v1"), open_repository(place, None)
    )
    assert publisher.pull(str(place)).read_bytes() == archive


@pytest.mark.interop
def test_skopeo_carries_it(publisher: Publisher) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed: apt-get install skopeo")
    place = publisher.push(publisher.release())
    raw = subprocess.run(
        [
            "skopeo",
            "inspect",
            "--raw",
            "--tls-verify=false",
            f"docker://{publisher.host}/acme/policy@{place.digest}",
        ],
        check=True,
        capture_output=True,
    ).stdout
    assert json.loads(raw)["layers"][0]["digest"] == str(POLICY.digest)
    shown = json.loads(raw)["annotations"]
    assert shown == {"org.opencontainers.image.title": "acme/base", "org.opencontainers.image.version": "1"}
    assert str(place.digest) == str(sha256_bytes(raw))

    # From the file, too; skopeo leaves referrers behind, and without its signature the policy is refused.
    (publisher.folder / "a.tar").write_bytes(publisher.release())
    mirror = f"{publisher.host}/mirror/policy:1"
    subprocess.run(
        [
            "skopeo",
            "copy",
            "--dest-tls-verify=false",
            f"oci-archive:{publisher.folder}/a.tar:1",
            f"docker://{mirror}",
        ],
        check=True,
        capture_output=True,
    )
    with pytest.raises(EvidenceInvalidError, match="not signed"):
        publisher.pull(f"oci://{mirror}", allow_tag=True)
