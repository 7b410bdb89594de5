"""Rules about what the image says of itself, and about the distribution it is built on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.errors import MalformedError
from pratique.image.check.facts import Facts, NotApplicableError, Rule, Seen, UnknownError
from pratique.model.clock import parse_time
from pratique.model.digest import parse_digest
from pratique.model.finding import Severity
from pratique.model.support import end_of_support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEYS: Final = "org.opencontainers.image."
_BASE: Final = f"{_KEYS}base.digest"
_ROLLING: Final = frozenset(("arch", "wolfi", "chainguard", "gentoo", "void", "opensuse-tumbleweed", "nixos"))


def _stated(facts: Facts, key: str) -> str:
    return facts.manifest.annotations.get(_KEYS + key) or facts.config.labels.get(_KEYS + key) or ""


def _says(*keys: str) -> Callable[[Facts], Iterator[Seen]]:
    def look(facts: Facts) -> Iterator[Seen]:
        for key in keys:
            if not _stated(facts, key):
                yield Seen(_KEYS + key, "neither a label nor an annotation")

    return look


def _base(facts: Facts) -> Iterator[Seen]:
    digest = facts.manifest.annotations.get(_BASE) or facts.config.labels.get(_BASE)
    if digest:
        try:
            parse_digest(digest)
        except MalformedError:
            yield Seen(_BASE, "is not a digest")
    elif _stated(facts, "base.name"):
        yield Seen(_BASE, "the base is named, but not by digest: a name's content changes")
    else:
        raise NotApplicableError("the image names no base")


def _created(facts: Facts) -> Iterator[Seen]:
    try:
        moment = parse_time(facts.config.created)
    except MalformedError:
        yield Seen("created", "missing, or not an RFC 3339 time")
        return
    if moment > facts.now:
        yield Seen("created", f"in the future: {facts.config.created}")


def _release(facts: Facts) -> dict[str, str]:
    text = facts.text("etc", "os-release") or facts.text("usr", "lib", "os-release")
    if text is None:
        raise NotApplicableError("no os-release: scratch, or nothing of a distribution")
    return dict(re.findall(r"(?m)^([A-Z_]+)=[\"']?([^\"'\n]*)", text))


def _end_of_life(facts: Facts) -> Iterator[Seen]:
    release = _release(facts)
    name, version = release.get("ID", ""), release.get("VERSION_ID", "")
    if name in _ROLLING:
        raise NotApplicableError(f"{name} has no releases that end")
    try:
        end = end_of_support(release)
    except ValueError as error:
        raise UnknownError(f"SUPPORT_END is no date: {release['SUPPORT_END'][:40]!r}") from error
    if end is None:
        raise UnknownError(f"no end of life is known for {name[:40]!r} {version[:40]!r}")
    if end < facts.now.date():
        yield Seen(f"{name} {version}"[:80], f"no security updates since {end}")


RULES: Final = (
    Rule(
        id="IMG-ORI-01",
        severity=Severity.LOW,
        title="Says which source it was made from",
        fix="build with --label org.opencontainers.image.source=… and …revision=…",
        look=_says("source", "revision"),
    ),
    Rule(
        id="IMG-ORI-02",
        severity=Severity.LOW,
        title="Says what it is, and in which version",
        fix="build with --label org.opencontainers.image.title=… and …version=…",
        look=_says("title", "version"),
    ),
    Rule(
        id="IMG-ORI-03",
        severity=Severity.LOW,
        title="Says under which licences it is",
        fix="build with --label org.opencontainers.image.licenses=…",
        look=_says("licenses"),
    ),
    Rule(
        id="IMG-ORI-04",
        severity=Severity.MEDIUM,
        title="Base is pinned by digest",
        fix="build with --base LAYOUT@DIGEST",
        look=_base,
    ),
    Rule(
        id="IMG-ORI-05",
        severity=Severity.LOW,
        title="Says when it was made, and not in the future",
        fix="set SOURCE_DATE_EPOCH to the time of the source",
        look=_created,
    ),
    Rule(
        id="IMG-ORI-06",
        severity=Severity.HIGH,
        title="Distribution still gets security updates",
        fix="build on a newer release",
        look=_end_of_life,
        needs_files=True,
    ),
)
