"""References to images: where each leads, whatever is on the disk."""

from __future__ import annotations

import pytest

from pratique.errors import UsageError
from pratique.image.reference import Kind, Reference, parse_reference
from pratique.model.digest import Digest

HEX = "a" * 64


@pytest.mark.parametrize(
    ("text", "kind", "place", "name", "digest"),
    [
        ("image", Kind.PATH, "image", "", False),
        ("./registry.example.com/x", Kind.PATH, "./registry.example.com/x", "", False),
        ("/srv/images/a", Kind.PATH, "/srv/images/a", "", False),
        (f"build/image@sha256:{HEX}", Kind.PATH, "build/image", "", True),
        ("build/image:v1", Kind.PATH, "build/image", "v1", False),
        ("oci:build/image:v1", Kind.LAYOUT, "build/image", "v1", False),
        (f"oci:image:v1@sha256:{HEX}", Kind.LAYOUT, "image", "v1", True),
        ("oci-archive:a.tar", Kind.ARCHIVE, "a.tar", "", False),
        ("oci-archive:/x/a.tar:v1", Kind.ARCHIVE, "/x/a.tar", "v1", False),
        ("localhost/app", Kind.REGISTRY, "localhost/app", "", False),
        ("localhost:5000/app:v1", Kind.REGISTRY, "localhost:5000/app", "v1", False),
        ("127.0.0.1:5000/a/b", Kind.REGISTRY, "127.0.0.1:5000/a/b", "", False),
        ("[::1]:5000/a:x", Kind.REGISTRY, "[::1]:5000/a", "x", False),
        ("r.example.com/a/b:1.0", Kind.REGISTRY, "r.example.com/a/b", "1.0", False),
        (f"r.example.com/a:1.0@sha256:{HEX}", Kind.REGISTRY, "r.example.com/a", "1.0", True),
        ("docker://registry:5000/app", Kind.REGISTRY, "registry:5000/app", "", False),
        ("docker://docker.io/python:3.14", Kind.REGISTRY, "docker.io/library/python", "3.14", False),
    ],
)  # fmt: skip
def test_where_a_reference_leads(text: str, kind: Kind, place: str, name: str, *, digest: bool) -> None:
    found = Digest(HEX) if digest else None
    assert parse_reference(text) == Reference(kind=kind, place=place, name=name, digest=found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oci:",
        "oci-archive:",
        "docker://",
        "docker://host",
        "image@sha256:abc",
        "r.example.com/a@sha512:00",
        "a\0b",
    ],
)
def test_what_leads_nowhere(text: str) -> None:
    with pytest.raises(UsageError, match="not a reference"):
        parse_reference(text)
