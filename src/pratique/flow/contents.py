"""What is in something that need not be of our building: a file, a folder, an image in a layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pratique.errors import UsageError
from pratique.flow.progress import Outcome
from pratique.model.digest import Digest, sha256_file
from pratique.model.strict_json import canonical_json
from pratique.scan.catalog import catalog
from pratique.scan.component import Catalog  # noqa: TC001 - msgspec reads the annotations
from pratique.scan.cyclonedx import sbom
from pratique.scan.spdx import spdx_document
from pratique.store.atomic import write_atomic

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.flow.progress import Progress

Format = Literal["cyclonedx", "cyclonedx-1.7", "spdx"]
_IMAGE_PREFIXES = ("oci:", "oci-archive:", "docker:")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in something.

    Attributes:
        name: its label.
        digest: of the file, or of the image's manifest; a folder has none.
        kind: CycloneDX's component type of it.
        catalog: the packages.
    """

    name: str
    digest: Digest | None
    kind: str
    catalog: Catalog


def is_foreign(text: str) -> bool:
    """Tell whether a person means a folder or an image, which no build of ours is named by."""
    return text.startswith(_IMAGE_PREFIXES) or Path(text).is_dir()


def contents_of(text: str, platform: str | None, progress: Progress) -> Contents:
    """Look into a file, a folder or `oci:LAYOUT[:NAME][@DIGEST]`.

    Raises:
        UsageError: there is no such thing, or several images and none is named.
        CouldNotCheckError: nothing was recognised in it.
        EvidenceInvalidError: it is broken, hostile, or not what its digest says.
    """
    path = Path(text)
    progress.begin("scan", f"{text}: components")
    if text.startswith(_IMAGE_PREFIXES) or (path / "oci-layout").is_file():
        found = _image(text, platform, progress)
    elif path.is_dir():
        found = Contents(name=path.resolve().name, digest=None, kind="application", catalog=catalog(path))
    elif path.is_file():
        found = Contents(name=path.name, digest=sha256_file(path), kind="application", catalog=catalog(path))
    else:
        raise UsageError(
            f"{text!r} is neither a file nor a folder", hint="name one, or an image as oci:LAYOUT[@DIGEST]"
        )
    progress.end(Outcome.DONE, f"{len(found.catalog.components)} components")
    return found


def document_of(contents: Contents, written: Format, created: datetime, author: str = "") -> dict[str, Any]:
    """Write what was found as a bill of materials."""
    if written == "spdx":
        return spdx_document(contents.catalog, name=contents.name, digest=contents.digest, created=created)
    return sbom(
        contents.catalog,
        name=contents.name,
        own=contents.catalog.own(contents.name),
        digest=contents.digest,
        created=created,
        kind=contents.kind,
        author=author,
        version="1.7" if written == "cyclonedx-1.7" else "1.6",
    )


def write_document(document: dict[str, Any], path: Path) -> None:
    """Write a document to a file, readable by all."""
    write_atomic(path, canonical_json(document), mode=0o644)


def _image(text: str, platform: str | None, progress: Progress) -> Contents:
    # What a folder is looked into without takes as long to load as a small one to read.
    from pratique.flow.image import find_image  # noqa: PLC0415
    from pratique.flow.image_contents import catalog_image  # noqa: PLC0415
    from pratique.image.descriptor import parse_platform  # noqa: PLC0415

    layout, descriptor = find_image(text, parse_platform(platform) if platform else None)
    found = catalog_image(layout, descriptor, lambda done, number: progress.note(f"layer {done} of {number}"))
    return Contents(
        name=layout.root.resolve().name, digest=descriptor.digest, kind="container", catalog=found
    )
