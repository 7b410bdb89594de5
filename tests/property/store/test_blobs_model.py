"""A blob store is a dictionary from SHA-256 to bytes, whatever order it is used in."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.store.blobs import BlobStore


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=40), max_size=12), max_size=5))
def test_store_equals_a_dictionary(batches: list[list[bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        model: dict[str, bytes] = {}
        for batch in batches:
            digests = store.put_all(batch)
            assert [digest.hex for digest in digests] == [hashlib.sha256(data).hexdigest() for data in batch]
            model |= {hashlib.sha256(data).hexdigest(): data for data in batch}
        assert {digest.hex: store.get(digest) for digest in BlobStore(Path(folder))} == model
