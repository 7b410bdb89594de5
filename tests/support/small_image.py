"""A small image in a layout, and things that refer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.image.assemble import Assembled, Recipe, assemble
from pratique.image.descriptor import EMPTY, MANIFEST, Descriptor
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.manifest import Manifest
from pratique.image.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.model.digest import Digest

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def small_image(folder: Path, name: str = "") -> tuple[Layout, Assembled]:
    """Make one in `folder/layout`."""
    (folder / "app").mkdir()
    (folder / "app" / "data").write_bytes(bytes(range(256)) * 40)
    recipe = Recipe(sources=(Source(folder / "app", "/app"),), compression="none", name=name)
    image = assemble(recipe, folder / "layout")
    return Layout(folder / "layout"), image


def refer_to(
    layout: Layout,
    subject: Descriptor,
    text: str,
    kind: str = "application/x-note",
    listed: Digest | None = None,
) -> Descriptor:
    """Write an artifact about an image into its layout, offered by the index."""
    with open_writer(layout.root) as writer:
        about = Descriptor(media_type=MANIFEST, digest=listed or subject.digest, size=subject.size)
        manifest = Manifest(
            config=writer.add(b"{}", EMPTY),
            layers=(writer.add(text.encode(), kind),),
            artifact_type=kind,
            subject=about,
        )
        described = writer.add(manifest.encode(), MANIFEST)
        writer.put_manifest(described, manifest.encode(), "")
        writer.flush()
    return described
