"""SLSA provenance v1 for an image that was assembled here: from what, with which options (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.image.assemble import Recipe
    from pratique.model.digest import Digest

BUILD_TYPE: Final = "https://pratique.dev/image-assembly/v1"


def image_provenance(
    recipe: Recipe,
    sources: Mapping[str, Digest],
    *,
    builder_id: str,
    started_on: str,
    finished_on: str,
    version: str = __version__,
) -> dict[str, Any]:
    """Write the predicate of https://slsa.dev/provenance/v1 (SLSA 1.2, build provenance).

    Args:
        recipe: what was assembled.
        sources: the sources' names in the recipe's order, with the digest of the file, or for a folder of the
            layer that it became, uncompressed.
        builder_id: the identity that signs.
        started_on: RFC 3339.
        finished_on: RFC 3339.
        version: of this program.
    """
    options = {
        "platform": str(recipe.platform) if recipe.platform else "",
        "user": recipe.user,
        "entrypoint": list(recipe.entrypoint),
        "cmd": list(recipe.cmd),
        "env": recipe.env,
        "workdir": recipe.workdir,
        "labels": recipe.labels,
        "ports": list(recipe.ports),
        "slim": recipe.slim,
        "targets": [source.target for source in recipe.sources],
    }
    dependencies = [
        {"name": name, "digest": digest.digest_set, "annotations": {"kind": "source"}}
        for name, digest in sources.items()
    ]
    if recipe.base:
        base = {
            "name": "base",
            "digest": recipe.base.descriptor.digest.digest_set,
            "annotations": {"kind": "base"},
        }
        dependencies.insert(0, base)
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {key: value for key, value in options.items() if value},
            "internalParameters": {"sourceDateEpoch": recipe.created, "compression": recipe.compression},
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": {"id": builder_id, "version": {"pratique": version}},
            "metadata": {"startedOn": started_on, "finishedOn": finished_on},
        },
    }
