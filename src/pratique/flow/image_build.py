"""Images assembled: the base brought from wherever it is, and evidence of how the image came to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pratique.build.lock import load_lock
from pratique.errors import CouldNotCheckError, EvidenceInvalidError, UsageError
from pratique.flow.image import find_image
from pratique.flow.image_contents import catalog_image
from pratique.flow.image_evidence import AttachedBundle, attach
from pratique.flow.image_transfer import Access, choose, open_repository, resolve
from pratique.flow.progress import Outcome
from pratique.image.assemble import Assembled, Base, assemble
from pratique.image.copy import plan_copy, run_copy
from pratique.image.descriptor import INDEX, Platform, oci_media_type
from pratique.image.environment import Environment, check_wheels
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.provenance import image_provenance
from pratique.image.reference import Kind, Reference, parse_reference
from pratique.model.clock import format_time
from pratique.model.digest import Digest, sha256_file
from pratique.model.predicate import PROVENANCE, SBOM
from pratique.scan.cyclonedx import sbom
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pratique.flow.progress import Progress
    from pratique.flow.workspace import Workspace
    from pratique.image.assemble import Recipe

DEFAULT_PLATFORM = Platform("linux", "amd64")


class Attested(msgspec.Struct, frozen=True):
    """Evidence about an image that was just built; without an SBOM, why there is none."""

    attached: tuple[AttachedBundle, ...]
    no_sbom: str = ""


def bring_base(
    reference: str, platform: Platform | None, access: Access, output: Path, progress: Progress
) -> Base:
    """Find a base by its digest; one in a registry is pulled into the layout that is to be written.

    Raises:
        UsageError: named without a digest, as what a tag or a layout offers changes; or there is none.
        EvidenceInvalidError: its bytes are not what they are called.
    """
    wanted = parse_reference(reference)
    if wanted.digest is None:
        where = "list" if wanted.kind is Kind.REGISTRY else "inspect"
        raise UsageError(
            f"a base is named by digest, and {reference!r} is not",
            hint=f"see its digest: pratique image {where} {reference}",
        )
    if wanted.kind is not Kind.REGISTRY:
        return Base(*find_image(reference, platform))
    repository = open_repository(wanted, access)
    found = resolve(wanted, repository, progress)
    if oci_media_type(found.media_type) == INDEX:
        found = choose(repository, found, platform or DEFAULT_PLATFORM, reference)
    progress.begin("base", f"{found.digest.short} from {wanted.host}")
    plan = plan_copy(repository, found, referrers=False)
    with open_writer(output) as writer:
        run_copy(
            plan, repository, writer, None, lambda done, total: progress.note(f"{done} of {total} bytes")
        )
    progress.end(Outcome.DONE, f"{len(plan.blobs)} blobs, {plan.size / 1e6:.1f} MB")
    return Base(Layout(output), found)


def wheel_layers(
    given: Sequence[Path], *, venv: str, python: str, platform: Platform, lock: Path | None
) -> tuple[Environment, ...]:
    """Make an environment of wheels, a layer for each file or folder of them given.

    Raises:
        UsageError: no wheels, or some that do not fit, or lack what they need, or are not what was locked.
        ConfigError: a lock file that is none.
    """
    if not venv.startswith("/") or ".." in venv.split("/") or not venv.isprintable():
        raise UsageError(f"not a folder of an image: {venv!r}", hint="write it as /app/venv")
    layers: list[Environment] = []
    for path in given:
        wheels = tuple(sorted(path.glob("*.whl"))) if path.is_dir() else (path,)
        if not wheels:
            raise UsageError(f"{path}: no wheels in it")
        layers.append(Environment(wheels=wheels, target=venv, python=python, first=not layers))
    check_wheels([wheel for layer in layers for wheel in layer.wheels], python, platform)
    if lock is not None:
        locked = {digest for entry in load_lock(lock).entries for digest in entry.digests}
        for wheel in (wheel for layer in layers[:1] for wheel in layer.wheels):
            if sha256_file(wheel) not in locked:
                raise UsageError(f"{wheel} is not what {lock} locks", hint="fetch it again, or lock it")
    return tuple(layers)


def build_image(recipe: Recipe, output: Path, progress: Progress) -> Assembled:
    """Assemble an image into a layout.

    Raises:
        UsageError: a source has no place in an image.
        EvidenceInvalidError: the base is not what it says.
    """
    layers = f"{len(recipe.sources)} layer{'s' if len(recipe.sources) != 1 else ''}"
    progress.begin("image", f"{layers} {'on a base' if recipe.base else 'on scratch'}")
    made = assemble(recipe, output)
    size = sum(layer.size for layer in made.manifest.layers)
    progress.end(Outcome.DONE, f"{made.descriptor.digest.short}, {size / 1e6:.1f} MB")
    return made


def source_digests(recipe: Recipe) -> dict[str, Digest]:
    """Digest the files among the sources, before they are used (I/O)."""
    return {str(path): sha256_file(path) for source in recipe.sources for path in source.files()}


def attest_build(
    workspace: Workspace,
    recipe: Recipe,
    made: Assembled,
    output: Path,
    *,
    digests: dict[str, Digest],
    started: datetime,
) -> Attested:
    """Sign how an image was assembled and what is in it, journal both, and attach them in the layout.

    Args:
        workspace: the state directory.
        recipe: what was assembled.
        made: what came of it.
        output: the layout it is in.
        digests: of the files that went in, from before.
        started: when assembling began.

    Raises:
        EvidenceInvalidError: a file that went in is another by now, so that nobody can say which one did.
    """
    for name, digest in digests.items():
        if sha256_file(Path(name)) != digest:
            raise EvidenceInvalidError(f"{name} changed while the image was assembled", hint="build it again")
    own = made.config.diff_ids[-len(recipe.sources) :]
    names = {Path(name).name: digest for name, digest in digests.items()}
    folders = {
        f"layer of {source.target}": diff_id
        for source, diff_id in zip(recipe.sources, own, strict=True)
        if not source.files()
    }
    subject = [Subject(recipe.name or output.resolve().name, made.descriptor.digest.digest_set)]
    predicate = image_provenance(
        recipe,
        names | folders,
        builder_id=workspace.authority.signer("builder").identity.subject,
        started_on=format_time(started),
        finished_on=format_time(workspace.clock()),
    )
    recorded = [workspace.record("builder", PROVENANCE, predicate, subject)]
    no_sbom = ""
    try:
        found = catalog_image(Layout(output), made.descriptor)
        name, trust_domain = subject[0].name, workspace.authority.trust_domain
        digest, created = made.descriptor.digest, workspace.clock()
        bill = sbom(found, name=name, digest=digest, created=created, kind="container", author=trust_domain)
        recorded.append(workspace.record("scanner", SBOM, bill, subject))
    except CouldNotCheckError as error:
        no_sbom = error.message
    bundles = [(str(one.digest), one.bundle) for one in recorded]
    place = Reference(kind=Kind.LAYOUT, place=str(output))
    return Attested(tuple(attach(place, made.descriptor, bundles, Access(), workspace.progress)), no_sbom)
