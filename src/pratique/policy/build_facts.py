"""What SLSA provenance says of a build: who built, from which source, at which level.

The build level is claimed modestly (slsa.dev/spec/v1.2/build-track-basics). Level 1 asks that provenance
exists and says how the artifact was built. Level 2 asks also that a *hosted* platform generated and signed
it, level 3 that the platform keeps the signing key from builds, and builds from one another. No provenance
can prove that about its own platform, so levels 2 and 3 are reached only where the configuration vouches for
the builder, and one of the identities that the vouch names signed the provenance. For the embedded authority,
whose keys whoever has the machine can reach, that would not be true.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest, parse_digest_set, sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.trust.pattern import IdentityPattern, matches_glob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.policy.evidence import Evidence

_GIT_URI = re.compile(r"git\+([a-z]+://[^/\s]+/[^@\s]*)(?:@(\S*))?\Z")
_DEFINITION = ("buildType", "externalParameters", "internalParameters", "resolvedDependencies")


class Vouch(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody answers for a hosted build platform.

    Attributes:
        builder: the platform's builder id, a URI with `*` within a segment.
        signers: who signs its provenance.
        level: the SLSA build level it reaches.
        reason: how that is known, for whoever reads the policy.
    """

    builder: str
    signers: tuple[IdentityPattern, ...]
    level: Literal[2, 3]
    reason: str


class SourceFacts(msgspec.Struct, frozen=True):
    """A repository's URL without `git+` and revision, and the git ref in full; empty where nothing says."""

    repository: str = ""
    ref: str = ""


def definition_digest(provenance: dict[str, Any]) -> Digest | None:
    """Digest the build definition of an SLSA provenance v1; None where it has no such shape.

    SHA-256 over the four members of `buildDefinition` under RFC 8785: equal digests mean equal builds.
    """
    definition = provenance.get("buildDefinition")
    if not isinstance(definition, dict) or not all(name in definition for name in _DEFINITION):
        return None
    return sha256_bytes(canonical_json({name: definition[name] for name in _DEFINITION}))


def builder_id(provenance: dict[str, Any]) -> str:
    """Give `runDetails.builder.id`; empty where there is none."""
    found = _member(provenance, "runDetails", "builder", "id")
    return found if isinstance(found, str) else ""


def invocation_id(provenance: dict[str, Any]) -> str:
    """Give `runDetails.metadata.invocationId`; empty where there is none."""
    found = _member(provenance, "runDetails", "metadata", "invocationId")
    return found if isinstance(found, str) else ""


def build_level(item: Evidence, vouches: Sequence[Vouch]) -> int:
    """Give the SLSA build level that a provenance reaches, 0 to 3; see the module's text."""
    definition = _member(item.predicate, "buildDefinition")
    shaped = (
        isinstance(definition, dict)
        and isinstance(definition.get("buildType"), str)
        and isinstance(definition.get("externalParameters"), dict)
    )
    builder = builder_id(item.predicate)
    if not shaped or not builder:
        return 0
    vouched = (
        vouch.level
        for vouch in vouches
        if matches_glob(vouch.builder, builder)
        and any(pattern.matches(item.identity) for pattern in vouch.signers)
    )
    return max(vouched, default=1)


def source_of(provenance: dict[str, Any]) -> SourceFacts:
    """Find the source repository and ref, where our own and others' build types have them.

    In this order: the dependency that our build type annotates as the source; `externalParameters.workflow`
    of GitHub's workflow build type; `externalParameters.source` of slsa-github-generator and others. Only
    external parameters and what the platform resolved count: nothing a build could write itself.
    """
    dependencies = _member(provenance, "buildDefinition", "resolvedDependencies")
    for entry in dependencies if isinstance(dependencies, list) else []:
        notes = entry.get("annotations") if isinstance(entry, dict) else None
        if isinstance(notes, dict) and notes.get("kind") == "source":
            found = _from_uri(entry.get("uri"))
            ref = notes.get("ref")
            return SourceFacts(found.repository, ref if isinstance(ref, str) else found.ref)
    workflow = _member(provenance, "buildDefinition", "externalParameters", "workflow")
    if isinstance(workflow, dict):
        repository, ref = workflow.get("repository"), workflow.get("ref")
        if isinstance(repository, str) and isinstance(ref, str):
            return SourceFacts(repository, ref)
    source = _member(provenance, "buildDefinition", "externalParameters", "source")
    return _from_uri(source.get("uri") if isinstance(source, dict) else source)


def byproducts(provenance: dict[str, Any], name: str) -> frozenset[Digest]:
    """Give the digests of the byproducts of a name; malformed ones are passed over."""
    listed = _member(provenance, "runDetails", "byproducts")
    found = set()
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            with suppress(MalformedError):
                found.add(parse_digest_set(entry.get("digest")))
    return frozenset(found)


def _from_uri(uri: object) -> SourceFacts:
    """Read `git+https://host/path@revision` (an SPDX download location, as build types write sources)."""
    found = _GIT_URI.match(uri) if isinstance(uri, str) else None
    if not found:
        return SourceFacts()
    revision = found[2] or ""
    return SourceFacts(found[1], revision if revision.startswith("refs/") else "")


def _member(document: object, *names: str) -> object:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document
