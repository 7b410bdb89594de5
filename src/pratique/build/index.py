"""Read package indexes as pip is configured to: PEP 691 JSON, or PEP 503 HTML, and links on plain pages.

Which index that is, is asked of pip itself, so that its configuration files, `PIP_*` variables and built-in
default all count, and none is named here. Pages come from outside: they are parsed, bounded, and nothing in
them is believed but that a file of that name may be at that place; its digest decides.
"""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_json import parse_json_object

ACCEPT: Final = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
MAX_PAGE_BYTES: Final = 32 * 1024 * 1024
_MAX_LINKS: Final = 200_000
_SECONDS: Final = 60

# What `pip download` would use, every source of its configuration resolved by pip.
_ASK_PIP: Final = """
import json, sys
sys.path[:0] = sys.argv[1:]
from pip._internal.commands import create_command
options, _ = create_command("download").parse_args([])
json.dump({
    "indexes": [] if options.no_index else [options.index_url, *options.extra_index_urls],
    "find_links": options.find_links, "cert": options.cert, "client_cert": options.client_cert,
    "proxy": options.proxy, "trusted_hosts": options.trusted_hosts,
}, sys.stdout)
"""


class IndexConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pip would look for files, and how it would connect."""

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()


class Link(msgspec.Struct, frozen=True):
    """A file that a page offers: its name and address."""

    filename: str
    url: str


def load_index_config() -> IndexConfig:
    """Ask pip for its configuration.

    Raises:
        ConfigError: there is no pip to ask, or it cannot make sense of its configuration.
    """
    command = [sys.executable, "-c", _ASK_PIP, *_bundled_pip()]
    try:
        done = subprocess.run(
            command, capture_output=True, check=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
        return msgspec.convert(json.loads(done.stdout), IndexConfig)
    except (subprocess.SubprocessError, OSError, ValueError, msgspec.ValidationError) as error:
        said = getattr(error, "stderr", b"") or b""
        last = said.decode(errors="replace").strip().splitlines()[-1:] or [type(error).__name__]
        raise ConfigError(
            f"pip cannot be asked which package index to use: {last[0][:200]}",
            hint="python -m ensurepip",
        ) from error


def _bundled_pip() -> list[str]:
    """The wheel that Python carries for `ensurepip`, to ask where no pip is installed."""
    try:
        import pip  # noqa: F401, PLC0415
    except ImportError:
        import ensurepip  # noqa: PLC0415

        folder = Path(ensurepip.__file__).with_name("_bundled")
        return [str(path) for path in sorted(folder.glob("pip-*.whl"))[-1:]]
    return []


def parse_page(data: bytes, content_type: str, base: str) -> tuple[Link, ...]:
    """Parse an index page.

    Args:
        data: the page's bytes.
        content_type: as the server gave it.
        base: the page's own address, which links may be relative to.

    Raises:
        MalformedError: not a page of a known kind.
    """
    found: list[tuple[str | None, str]]
    if "json" in content_type.partition(";")[0].lower():
        found = _parse_json_page(parse_json_object(data, what=_shown(base), max_bytes=MAX_PAGE_BYTES))
    else:
        parser = _Anchors()
        parser.feed(data.decode("utf-8", errors="replace"))
        parser.close()
        base = parser.base or base
        found = [(None, href) for href in parser.hrefs]
    links = []
    for name, href in found[:_MAX_LINKS]:
        try:
            url = urljoin(base, href).partition("#")[0]
            path = urlsplit(url).path
        except ValueError:
            continue
        links.append(Link(name if name is not None else unquote(path).rpartition("/")[2], url))
    return tuple(links)


def _parse_json_page(page: dict[str, Any]) -> list[tuple[str | None, str]]:
    files = page.get("files")
    if not isinstance(files, list):
        raise MalformedError("an index page without files")
    found: list[tuple[str | None, str]] = []
    for item in files:
        if isinstance(item, dict):
            name, url = item.get("filename"), item.get("url")
            if isinstance(name, str) and isinstance(url, str):
                found.append((name, url))
    return found


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.hrefs: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href and tag == "a":
            self.hrefs.append(href)
        elif href and tag == "base" and not self.base:
            self.base = href


def _shown(url: str) -> str:
    """An address without whatever may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
