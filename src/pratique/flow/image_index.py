"""Images for several machines under one name: an index (OCI image-spec 1.1, image-index.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import UsageError
from pratique.flow.image import find_image
from pratique.flow.image_transfer import Access, open_target
from pratique.flow.progress import Outcome
from pratique.image.copy import plan_copy, run_copy
from pratique.image.descriptor import INDEX, Descriptor
from pratique.image.layout import plain
from pratique.image.manifest import encode_index
from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.flow.progress import Progress
    from pratique.image.reference import Reference


def make_index(images: Sequence[str], target: Reference, access: Access, progress: Progress) -> Descriptor:
    """Put images of layouts under one index, with what refers to each; the order given does not matter.

    Args:
        images: in layouts or archives.
        target: where the index and the images go.
        access: how registries are reached.
        progress: hears of it.

    Raises:
        UsageError: no such image, or two for the same platform.
        EvidenceInvalidError: bytes that are not what they are called.
    """
    progress.begin("index", f"{len(images)} images")
    found = []
    for reference in images:
        layout, descriptor = find_image(reference)
        platform = layout.config(layout.manifest(descriptor)).platform
        found.append((platform, msgspec.structs.replace(plain(descriptor), platform=platform), layout))
    found.sort(key=lambda one: one[0])
    platforms = [platform for platform, _, _ in found]
    if len(set(platforms)) != len(platforms) or not found:
        listed = ", ".join(str(platform) for platform in platforms)
        raise UsageError(f"an index has one image for each platform, and these are for: {listed}")
    data = encode_index(tuple(descriptor for _, descriptor, _ in found))
    index = Descriptor(media_type=INDEX, digest=sha256_bytes(data), size=len(data))
    with open_target(target, access) as writer:
        for _, descriptor, layout in found:
            plan = plan_copy(layout, plain(descriptor), referrers=True)
            run_copy(plan, layout, writer, None, lambda _done, _total: None)
        writer.put_manifest(index, data, target.name)
        writer.flush()
    progress.end(Outcome.DONE, f"{index.digest.short}: {', '.join(str(one) for one in platforms)}")
    return index
