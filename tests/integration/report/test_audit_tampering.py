"""Whatever is changed in a package is refused: by the bytes, and again by whoever could mend the bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import EvidenceInvalidError, PratiqueError
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.audit import archive
from pratique.report.audit.archive import encode_package, open_package
from pratique.report.audit.verify import verify_package_bytes
from pratique.store import plain_tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import World

TAIL = 2048


def refused(data: bytes, world: World, match: str) -> None:
    with pytest.raises(EvidenceInvalidError, match=match):
        verify_package_bytes(data, world.root.fingerprint)


def rehash(body: bytes) -> bytes:
    """Put a right SHA256 member behind changed bytes, as anyone can."""
    line = f"{sha256_bytes(body).hex}\n".encode()
    return body + plain_tar.encode([plain_tar.Member("SHA256", line)]) + plain_tar.END


def flip(data: bytes, position: int, mask: int = 1) -> bytes:
    return data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]


def test_every_single_byte_matters(package: bytes) -> None:
    """Every byte of the file, by the steps that need no key: SHA256, archive, manifest."""
    assert open_package(package)
    for position in range(len(package)):
        try:
            open_package(flip(package, position))
        except EvidenceInvalidError:
            continue
        pytest.fail(f"a change of byte {position} went unnoticed")


def _resealable(package: bytes) -> list[int]:
    """Positions outside the SHA256 member, thinned out where full verification is dear."""
    body = len(package) - TAIL
    headers = [match.start() - 257 for match in re.finditer(b"ustar\x0000", package[:body])]
    return [*range(headers[0], headers[0] + 512, 37), *headers, *range(0, body, 1499)]


def test_a_change_with_a_mended_sha256_is_refused_too(package: bytes, released: World) -> None:
    for position in _resealable(package):
        changed = rehash(flip(package[:-TAIL], position))
        with pytest.raises(EvidenceInvalidError):
            verify_package_bytes(changed, released.root.fingerprint)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_any_edit_with_a_mended_sha256_is_refused(
    package: bytes, released: World, data: st.DataObject
) -> None:
    body = package[:-TAIL]
    start = data.draw(st.integers(0, len(body) - 1))
    removed = data.draw(st.integers(0, 600))
    inserted = data.draw(st.binary(max_size=600))
    changed = body[:start] + inserted + body[start + removed :]
    if changed == body:
        return
    with pytest.raises(EvidenceInvalidError):
        verify_package_bytes(rehash(changed), released.root.fingerprint)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=4096))
def test_arbitrary_bytes_are_refused_in_words(data: bytes) -> None:
    for candidate in (data, rehash(data)):
        with pytest.raises(EvidenceInvalidError, match=r"audit package: step [234] "):
            verify_package_bytes(candidate, Digest("00" * 32))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda _: b"", "step 2 .*cut off"),
        (lambda data: data[:-1], "step 2 .*cut off"),
        (lambda data: data[: len(data) // 2], "step 2 .*cut off"),
        (lambda data: data + b"\0", "step 2 .*added to"),
        (lambda data: data + bytes(8192), "step 2 .*added to"),
        (lambda data: flip(data, 700), "step 2 .*it was changed"),
        (lambda data: rehash(b"\0" * 512 + data[:-TAIL]), "step 3 .*byte 0: not the header"),
        # The trailer then stands where the seal's last block was: in its padding, if that begins early.
        (
            lambda data: rehash(data[: -TAIL - 512]),
            "step 3 .*(not the header of a member|seal.sigstore.json: bytes hidden in its padding)",
        ),
        (lambda data: rehash(flip(data[:-TAIL], 100)), "step 3 .*its header is not in the one"),
        (lambda data: rehash(flip(data[:-TAIL], 265)), "step 3 .*its header is not in the one"),
        (
            lambda data: rehash(data[:124] + b"77777777777\0" + data[136:-TAIL]),
            "step 3 .*header is not in the one form",
        ),
        (
            lambda data: rehash(plain_tar.encode_header("manifest.json", 8**11 - 1) + data[512:-TAIL]),
            "step 3 .*manifest.json: its header claims 8589934591 bytes",
        ),
        (
            lambda data: rehash(flip(data[:-TAIL], len(data) - TAIL - 1)),
            "step 3 .*seal.sigstore.json: bytes hidden in its padding",
        ),
    ],
)  # fmt: skip
def test_bytes_that_are_no_package(
    package: bytes, released: World, change: Callable[[bytes], bytes], match: str
) -> None:
    refused(change(package), released, match)


def _parts(package: bytes) -> list[plain_tar.Member]:
    return plain_tar.parse(package)[:-1]


def test_members_out_of_order_doubled_added_or_missing(package: bytes, released: World) -> None:
    parts = _parts(package)
    middle = parts[5]
    cases = {
        "order of the manifest": [*parts[:4], parts[5], parts[4], *parts[6:]],
        "a second member of this name": [*parts[:5], middle, *parts[5:]],
        "a member that the manifest does not list": [*parts[:5], plain_tar.Member("extra", b""), *parts[5:]],
        "listed by the manifest, but missing": [*parts[:5], *parts[6:]],
        "the first member is not manifest.json": parts[1:],
        "seal.sigstore.json: listed by the manifest, but missing": parts[:-1],
        "its bytes are not those the manifest lists": [
            *parts[:5], plain_tar.Member(middle.name, middle.data + b" "), *parts[6:]
        ],
    }  # fmt: skip
    for match, members in cases.items():
        refused(rehash(plain_tar.encode(members)), released, match)


def test_a_manifest_in_another_spelling(package: bytes, released: World) -> None:
    parts = _parts(package)
    for change, match in [
        (parts[0].data + b"\n", "not in canonical JSON"),
        (parts[0].data.replace(b'"tool":', b'"surprise":1,"tool":'), "unknown field"),
        (parts[0].data.replace(b"audit-package/v1", b"audit-package/v2"), "manifest.json: Invalid value"),
        (b"[]", "not a JSON object"),
        (b"\xff", "not UTF-8"),
    ]:
        members = [plain_tar.Member("manifest.json", change), *parts[1:]]
        refused(rehash(plain_tar.encode(members)), released, match)


def test_a_path_that_climbs_is_no_member_name(released: World) -> None:
    for name in [
        "../etc/passwd",
        "/etc/passwd",
        "entries/../x",
        "a/b/c",
        "entries/a\n",
        "blobs/" + "a" * 100,
    ]:
        header = plain_tar.encode_header("manifest.json", 0)
        forged = name.encode()[:100].ljust(100, b"\0") + header[100:]
        refused(rehash(forged), released, "step 3")


def test_a_file_too_large_is_refused_before_it_is_parsed(
    package: bytes, released: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.tar"
    path.write_bytes(package)
    monkeypatch.setattr(archive, "MAX_PACKAGE_BYTES", len(package) - 1)
    with pytest.raises(EvidenceInvalidError, match=r"step 1 .*bytes allowed"):
        archive.read_package(path)
    refused(package, released, "step 1 .*bytes allowed")


def test_the_wrong_fingerprint(package: bytes) -> None:
    with pytest.raises(
        EvidenceInvalidError, match=r"step 5 \(trust root\): trusted_root.json: .*fingerprint"
    ) as info:
        verify_package_bytes(package, Digest("00" * 32))
    assert info.value.hint


def test_a_manifest_reworded_under_the_old_seal(package: bytes, released: World) -> None:
    opened = open_package(package)
    manifest = _parts(package)[0].data.replace(b'"0.1.0"', b'"0.1.1"')
    changed = encode_package(manifest, opened.members, consistency=opened.consistency, seal=opened.seal)
    refused(changed, released, "step 7 .*the seal is about another manifest")


def test_an_entry_changed_under_the_old_seal_is_caught_by_the_log_first(
    sealed_members: dict[str, bytes], released: World
) -> None:
    members = dict(sealed_members)
    members["entries/000000000000"] = flip(members["entries/000000000000"], 30)
    refused(released.seal(members), released, "step 6 .*do not lead to the checkpoint's root")


def test_errors_are_ours_whatever_the_bytes(package: bytes) -> None:
    for position in range(0, len(package), 4001):
        with pytest.raises(PratiqueError):
            verify_package_bytes(rehash(package[:position]), Digest("00" * 32))
