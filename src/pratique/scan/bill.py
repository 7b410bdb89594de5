"""Bills of materials that others wrote, and sets of components: what was read, merged, and how two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError
from pratique.scan.purl import PLAIN, canonical_purl, parse_purl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.scan.component import Component


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a bill says of itself; empty where it does not.

    Attributes:
        name: of what it is the bill of.
        digest: that one's SHA-256 in hex.
        author: who wrote it.
        tool: what wrote it.
        created: when, as it is written there.
        context: at which stage of a product's life.
        produced: purls of the components that say who made them.
        related: purls of the components whose dependencies are stated, be it that there are none.
    """

    name: str = ""
    digest: str = ""
    author: str = ""
    tool: str = ""
    created: str = ""
    context: str = ""
    produced: frozenset[str] = frozenset()
    related: frozenset[str] = frozenset()


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A bill of materials as it was read.

    Attributes:
        format: what it is written in, such as `CycloneDX 1.6`.
        components: sorted by canonical purl, which is their identity; copies are merged.
        unnamed: what it lists without a usable package URL, so that nothing can be known of it, sorted.
        statements: how many vulnerabilities or VEX statements it holds; they are counted, not believed.
        about: what it says of itself.
    """

    format: str
    components: tuple[Component, ...]
    unnamed: tuple[str, ...] = ()
    statements: int = 0
    about: About = About()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How one set of components became another, all by purl and sorted.

    Attributes:
        added: new packages.
        removed: packages that are gone.
        changed: `(before, after)` of packages that are there in one other version.
        altered: packages of one purl whose known digests have nothing in common: other bytes, same name.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    altered: tuple[str, ...] = ()


def canonical(text: str) -> str:
    """Give the canonical form of a purl; one that is plainly canonical is not parsed.

    Raises:
        MalformedError: not a package URL.
    """
    return text if PLAIN.match(text) else canonical_purl(parse_purl(text))


def named(text: object) -> str:
    """Give the canonical purl, or empty where the text is none."""
    try:
        return canonical(text) if isinstance(text, str) else ""
    except MalformedError:
        return ""


def merged(components: Iterable[Component]) -> tuple[Component, ...]:
    """Make one component of all with one purl, which keeps what each says; sorted by purl."""
    found: dict[str, Component] = {}
    for component in components:
        held = found.get(component.purl)
        found[component.purl] = _merge(held, component) if held else component
    return tuple(component for _, component in sorted(found.items()))


def difference(before: Iterable[Component], after: Iterable[Component]) -> Difference:
    """Compare two sets of components."""
    old = {component.purl: component for component in before}
    new = {component.purl: component for component in after}
    gone, come = _by_package(old.keys() - new.keys()), _by_package(new.keys() - old.keys())
    changed = {
        (gone[package][0], come[package][0])
        for package in gone.keys() & come.keys()
        if len(gone[package]) == len(come[package]) == 1
    }
    return Difference(
        added=tuple(sorted(set(new) - set(old) - {purl for _, purl in changed})),
        removed=tuple(sorted(set(old) - set(new) - {purl for purl, _ in changed})),
        changed=tuple(sorted(changed)),
        altered=tuple(sorted(purl for purl in old.keys() & new.keys() if _is_altered(old[purl], new[purl]))),
    )


def _by_package(purls: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for purl in purls:
        # a canonical purl has no bare @ but the one before the version
        package, _, rest = purl.partition("@")
        found.setdefault(f"{package}?{rest.partition('?')[2]}", []).append(purl)
    return found


def _is_altered(before: Component, after: Component) -> bool:
    """Tell whether digests of one algorithm are known on both sides and none is the same."""
    lengths = {len(digest) for digest in before.hashes} & {len(digest) for digest in after.hashes}
    return bool(lengths) and set(before.hashes).isdisjoint(after.hashes)


def _merge(first: Component, second: Component) -> Component:
    def both(name: str) -> tuple[str, ...]:
        return tuple(sorted({*getattr(first, name), *getattr(second, name)}))

    licensed = first if first.licence_is_spdx or not second.licence else second
    return msgspec.structs.replace(
        first,
        licence=licensed.licence,
        licence_is_spdx=licensed.licence_is_spdx,
        metadata_digests=tuple(sorted({*first.metadata_digests, *second.metadata_digests})),
        source=first.source or second.source,
        source_version=first.source_version if first.source else second.source_version,
        layer=first.layer or second.layer,
        # There is what either of the two says is there.
        removed_by=first.removed_by and second.removed_by,
        **{name: both(name) for name in ("locations", "hashes", "requires", "missing")},
    )
