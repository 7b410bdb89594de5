"""Images: assembled from what was built, and checked before anybody runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import UsageError
from pratique.flow.progress import Outcome
from pratique.image.check.result import check_predicate
from pratique.image.check.run import check_image, is_refused
from pratique.image.layout import Layout
from pratique.image.reference import Kind, parse_reference
from pratique.image.source import Source
from pratique.model.finding import Finding, Result
from pratique.model.predicate import TEST_RESULT
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.flow.progress import Progress
    from pratique.flow.workspace import Workspace
    from pratique.image.descriptor import Descriptor, Platform
    from pratique.image.manifest import ImageConfig, Manifest
    from pratique.model.clock import Clock
    from pratique.model.digest import Digest

DEFAULT_TARGET = "/app"


class Image(msgspec.Struct, frozen=True):
    """An image in a layout: which, and its two documents."""

    layout: Layout
    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig


def parse_source(text: str) -> Source:
    """Read `PATH` or `PATH:/TARGET`; archives and folders go to /app by default, a file below it.

    Raises:
        UsageError: the target is not a plain absolute path.
    """
    path, colon, target = text.rpartition(":/")
    if not colon:
        path = text
        file = Path(path)
        whole = file.is_dir() or file.suffix == ".tar"
        return Source(file, DEFAULT_TARGET if whole else f"{DEFAULT_TARGET}/{file.name}")
    if ".." in target.split("/") or not target.isprintable():
        raise UsageError(f"not a place in an image: /{target}", hint="write PATH:/folder")
    return Source(Path(path), f"/{target}")


def find_image(reference: str, platform: Platform | None = None) -> tuple[Layout, Descriptor]:
    """Find an image in a layout's folder or archive, by `LAYOUT[:NAME][@DIGEST]`.

    Raises:
        ConfigError: no such layout.
        UsageError: no such image in it, or several; or it is in a registry.
    """
    wanted = parse_reference(reference)
    if wanted.kind is Kind.REGISTRY:
        raise UsageError(
            f"{reference} is in a registry, and this looks into layouts",
            hint=f"pratique image pull {reference} FOLDER",
        )
    layout = Layout(Path(wanted.place))
    digest = wanted.digest
    if digest is None and wanted.name:
        digest = layout.resolve(wanted.name, None).digest
    return layout, layout.find(digest, platform)


def inspect_image(reference: str, platform: Platform | None) -> Image:
    """Read an image's documents; its layers are not looked at.

    Raises:
        EvidenceInvalidError: a document is not what its descriptor says.
    """
    layout, descriptor = find_image(reference, platform)
    manifest = layout.manifest(descriptor)
    return Image(layout, descriptor, manifest, layout.config(manifest))


def check(
    reference: str, platform: Platform | None, clock: Clock, progress: Progress
) -> tuple[Descriptor, list[Finding]]:
    """Check an image by every rule.

    Raises:
        EvidenceInvalidError: its manifest or configuration is not what it says.
    """
    layout, descriptor = find_image(reference, platform)
    progress.begin("check", f"{descriptor.digest.short}: configuration, history, layers")
    findings = check_image(layout, descriptor, clock())
    progress.end(Outcome.REFUSED if is_refused(findings) else Outcome.DONE, summary_line(findings))
    return descriptor, findings


def attest_check(
    workspace: Workspace, reference: str, image: Descriptor, findings: Sequence[Finding]
) -> Digest:
    """Sign what a check came to, as the scanner, and journal it about the image's manifest.

    Args:
        workspace: the state directory.
        reference: how the image was named.
        image: its manifest's descriptor, as `check` gave it.
        findings: what `check` gave.

    Returns:
        The evidence digest.
    """
    folder = Path(parse_reference(reference).place)
    layout = Layout(folder)
    manifest = layout.manifest(image)
    names = layout.config(manifest).labels | manifest.annotations
    subject = Subject(folder.resolve().name, image.digest.digest_set)
    return workspace.record("scanner", TEST_RESULT, check_predicate(findings, names), [subject]).digest


def summary(findings: Sequence[Finding]) -> dict[str, int]:
    """Count findings by result."""
    return {
        "pass": sum(one.result is Result.PASS for one in findings),
        "fail": sum(one.result is Result.FAIL for one in findings),
        "notApplicable": sum(one.result is Result.NOT_APPLICABLE for one in findings),
        "unknown": sum(one.result is Result.UNKNOWN for one in findings),
    }


def summary_line(findings: Sequence[Finding]) -> str:
    """Say in one line what a check came to."""
    count = summary(findings)
    line = f"{count['pass']} pass, {count['fail']} fail"
    return f"{line}, {count['unknown']} unknown" if count["unknown"] else line


def image_json(image: Image) -> dict[str, Any]:
    """Give what `inspect` shows, as JSON."""
    config = image.config
    return {
        "digest": str(image.descriptor.digest),
        "platform": str(config.platform),
        "created": config.created,
        "user": config.user,
        "entrypoint": list(config.entrypoint),
        "cmd": list(config.cmd),
        "env": list(config.env),
        "workdir": config.workdir,
        "labels": config.labels,
        "ports": list(config.ports),
        "annotations": image.manifest.annotations,
        "layers": [
            {"digest": str(layer.digest), "size": layer.size, "diffId": str(diff_id)}
            for layer, diff_id in zip(image.manifest.layers, config.diff_ids, strict=True)
        ],
    }
