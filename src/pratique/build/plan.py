"""A build plan: everything that decides a build's result, and the digest that stands for it.

Two builds of one definition (`BuildPlan.definition`) had the same source, inputs, tool chain, recipe,
environment and isolation; so a finished one may be used again, and rebuilding means just this.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pratique.build.environment import NORMAL, Environment
from pratique.errors import ConfigError
from pratique.model.digest import Digest, sha256_bytes, sha256_file
from pratique.model.strict_json import canonical_json

if TYPE_CHECKING:
    from pratique.build.inputs import Input
    from pratique.build.source import Source
    from pratique.build.toolchain import Toolchain
    from pratique.sandbox.job import Isolation

BUILD_TYPE: Final = "https://pratique.dev/buildtypes/sandboxed/v1"
RECIPES: Final = {"python-wheel": "python_wheel.py", "python-app": "python_app.py"}
RECIPE_FOLDER: Final = Path(__file__).with_name("recipes")

Recipe = Literal["python-wheel", "python-app"]


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to build, from what, how.

    Attributes:
        project: the project's name, as people call it.
        recipe: a key of `RECIPES`.
        source: what is built.
        build_tools: wheels that build it; pip among them.
        dependencies: wheels that an application carries along.
        lock_digests: digests of the lock files, by role, for example `build` and `runtime`.
        toolchain: what of the host the build sees.
        isolation: what the sandbox's preflight observed.
        environment: what surrounds the build.
    """

    project: str
    recipe: Recipe
    source: Source
    build_tools: tuple[Input, ...]
    dependencies: tuple[Input, ...] = ()
    lock_digests: dict[str, Digest]
    toolchain: Toolchain
    isolation: Isolation
    environment: Environment = NORMAL

    def __post_init__(self) -> None:
        """Refuse plans that no recipe can carry out."""
        if self.recipe not in RECIPES:
            raise ConfigError(f"no recipe {self.recipe!r}", hint=f"one of: {', '.join(sorted(RECIPES))}")
        if self.recipe == "python-wheel" and self.dependencies:
            raise ConfigError("a wheel does not carry its dependencies along: use the recipe python-app")

    def definition(self) -> dict[str, Any]:
        """Give the `buildDefinition` of SLSA provenance v1."""
        return {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "recipe": self.recipe,
                "project": self.project,
                "source": {"uri": self.source.uri},
                "locks": {role: digest.digest_set for role, digest in sorted(self.lock_digests.items())},
            },
            "internalParameters": {
                "environment": self.environment.to_json(),
                "isolation": self.isolation.to_json(),
                "toolchain": self.toolchain.to_json(),
                "sourceDateEpoch": self.source.epoch,
            },
            "resolvedDependencies": self.resolved_dependencies(),
        }

    @property
    def definition_digest(self) -> Digest:
        """The digest of the definition's canonical JSON (RFC 8785)."""
        return sha256_bytes(canonical_json(self.definition()))

    def resolved_dependencies(self) -> list[dict[str, Any]]:
        """Describe everything the build can see: complete, as nothing else is mounted."""
        found = [_source_descriptor(self.source)]
        for kind, inputs in (("build-tool", self.build_tools), ("dependency", self.dependencies)):
            found += [_descriptor(item.path.name, item.purl, item.digest, kind=kind) for item in inputs]
        for tool in self.toolchain.tools:
            uri = f"file:{Path(tool.path).name}"
            found.append(_descriptor(tool.name, uri, tool.digest, kind="toolchain", digestOf=tool.covers))
        for name in recipe_files():
            digest = sha256_file(RECIPE_FOLDER / name)
            found.append(_descriptor(name, f"{BUILD_TYPE}#{name}", digest, kind="recipe"))
        return found


def recipe_files() -> tuple[str, ...]:
    """Give the names of the recipes' files; all are mounted together, as they share code."""
    return tuple(sorted(path.name for path in RECIPE_FOLDER.glob("*.py")))


def _source_descriptor(source: Source) -> dict[str, Any]:
    annotations: dict[str, Any] = {"kind": "source", "sourceKind": source.kind}
    if source.authors:
        annotations["authors"] = list(source.authors)
    digest = source.digest.digest_set
    if source.kind == "git":
        annotations["dirty"] = source.dirty
        # A changed working tree is not the commit, so it must not carry the commit's digest.
        digest = digest if source.dirty else {**digest, "gitCommit": source.commit}
    return {"name": source.name, "uri": source.uri, "digest": digest, "annotations": annotations}


def _descriptor(name: str, uri: str, digest: Digest, **annotations: str) -> dict[str, Any]:
    return {"name": name, "uri": uri, "digest": digest.digest_set, "annotations": annotations}
