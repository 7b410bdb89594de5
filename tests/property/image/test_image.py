"""Archives and trees, against the standard library and against a simple model."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import MalformedError, PratiqueError
from pratique.image.gzipped import GzipWriter
from pratique.image.manifest import parse_config, parse_index, parse_manifest
from pratique.image.member import Kind, Member
from pratique.image.tarread import read_tar
from pratique.image.tarwrite import TarWriter
from pratique.image.tree import Tree

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=80
).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
CONTENT = st.binary(max_size=1200)


def written(files: dict[str, bytes], mode: int, mtime: int) -> bytes:
    out = bytearray()
    writer = TarWriter(out.extend)
    for path, content in files.items():
        member = Member(path=path, kind=Kind.FILE, mode=mode, size=len(content), mtime=mtime)
        writer.add(member, [content])
    writer.close()
    return bytes(out)


@given(st.dictionaries(PATHS, CONTENT, max_size=5), st.integers(0, 0o7777), st.integers(0, 8**11 - 1))
def test_what_is_written_is_read_by_us_and_by_the_standard_library(
    files: dict[str, bytes], mode: int, mtime: int
) -> None:
    data = written(files, mode, mtime)
    ours = {
        member.path: (b"".join(content.chunks()), member.mode, member.mtime)
        for member, content in read_tar(io.BytesIO(data), "t")
    }
    theirs = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            stream = archive.extractfile(info)
            assert stream is not None
            theirs[info.name] = (stream.read(), info.mode, info.mtime)
    assert ours == theirs == {path: (content, mode, mtime) for path, content in files.items()}


@given(st.dictionaries(PATHS, CONTENT, min_size=1, max_size=3), st.data())
def test_a_damaged_archive_is_refused_or_read_but_never_a_crash(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    archive = bytearray(written(files, 0o644, 0))
    for at in data.draw(st.lists(st.integers(0, len(archive) - 1), max_size=4)):
        archive[at] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(archive)))
    try:
        for _, content in read_tar(io.BytesIO(bytes(archive[:length])), "t"):
            content.skip()
    except MalformedError:
        pass


@given(st.lists(st.binary(max_size=5000), max_size=20))
@settings(max_examples=30)
def test_gzip_gives_back_what_went_in(pieces: list[bytes]) -> None:
    out = bytearray()
    with GzipWriter(out.extend) as writer:
        for piece in pieces:
            writer.write(piece)
    assert gzip.decompress(bytes(out)) == b"".join(pieces)


LAYERS = st.lists(
    st.lists(st.tuples(st.sampled_from(["a", "b", "a/x", "a/y", "b/x"]), st.booleans()), max_size=6),
    max_size=4,
)


@given(LAYERS)
def test_whiteouts_hide_the_lower_layers_and_nothing_else(layers: list[list[tuple[str, bool]]]) -> None:
    """Files in a flat model: what a layer adds wins over what it hides, whatever the order."""
    tree = Tree()
    model: set[str] = set()
    for layer in layers:
        tree.begin_layer()
        # A path is added as a file below folders, so that no file stands where a folder must.
        added = {f"{path}/f" for path, hides in layer if not hides}
        hidden = {path for path, hides in layer if hides}
        for path, hides in layer:
            folder, _, name = path.rpartition("/")
            if hides:
                tree.apply(Member(path=f"{folder}/.wh.{name}", kind=Kind.FILE))
            else:
                tree.apply(Member(path=f"{path}/f", kind=Kind.FILE))
        kept = {path for path in model if not any(path.startswith(f"{gone}/") for gone in hidden)}
        model = kept | added
    assert {"/".join(path) for path, _ in tree.items()} == model


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "rootfs", "history", "annotations", "os"]
)


@given(st.dictionaries(KEYS, JSON | st.just(2)))
def test_documents_of_any_shape_are_parsed_or_refused(body: dict[str, object]) -> None:
    import json  # noqa: PLC0415 - this test's writer, not the product's

    for parse in (parse_manifest, parse_index, parse_config):
        with contextlib.suppress(PratiqueError):
            parse(json.dumps(body).encode(), "t")
