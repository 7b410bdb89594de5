"""An organisation's policy by its file: the policy itself, or the pin of a signed release of it.

    [bundle]                                       # nothing else: what it pins is the policy
    oci = "oci://registry.example.com/acme/organisation@sha256:…"       # or path = "acme.tar"
    digest = "sha256:…"
    signer = "spiffe://acme.example/administrator"

A policy that is the file itself is unsigned and has no end, and is told so wherever it is named.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import ConfigError
from pratique.flow.bundle_config import BundleConfig, check_bundle_config
from pratique.flow.policy_archive import ORGANISATION
from pratique.flow.policy_release import Pin, release_pinned
from pratique.policy.files import read_file
from pratique.policy.organisation import Organisation, Signed, parse_organisation
from pratique.policy.settings import typed

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.flow.workspace import Workspace


class _PinFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bundle: BundleConfig


def load_organisation(workspace: Workspace, path: Path) -> Organisation:
    """Load the policy that a file means, as of now.

    Raises:
        ConfigError: the file is missing, malformed, or its policy does not hold up.
        EvidenceInvalidError: the release that it pins is unsigned, expired, or not the one.
    """
    data = read_file(path)
    pin = parse_pin(data, path)
    if pin is None:
        return parse_organisation(data, what=str(path))
    released = release_pinned(workspace, pin, ORGANISATION)
    organisation = released.content
    assert isinstance(organisation, Organisation)  # noqa: S101 - as `release_pinned` saw to
    signed = Signed(by=str(released.verified.signer), release=released.release)
    return msgspec.structs.replace(organisation, signed=signed)


def read_pin(path: Path) -> Pin:
    """Read a file that pins a release.

    Raises:
        ConfigError: it pins none.
    """
    pin = parse_pin(read_file(path), path)
    if pin is None:
        raise ConfigError(
            f"{path} pins no release: it is the policy itself, unsigned",
            hint=f"sign it with: pratique policy bundle --organisation {path}",
        )
    return pin


def parse_pin(data: bytes, path: Path) -> Pin | None:
    """Read the pin that a file is, or give None where it is something else.

    Raises:
        ConfigError: a pin that does not hold up, or has anything beside it.
    """
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    if "bundle" not in table:
        return None
    what = str(path)
    known = (*_PinFile.__struct_fields__, *BundleConfig.__struct_fields__)
    config = typed(table, _PinFile, what=what, known=known).bundle
    check_bundle_config(config, f"{what}: bundle")
    return Pin(config=config, folder=path.parent)
