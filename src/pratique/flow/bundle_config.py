"""The pin of a released policy: which one, signed by whom, and where it is."""

from __future__ import annotations

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import parse_digest
from pratique.trust.pattern import parse_pattern


class BundleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A signed release: `[policy.bundle]`, or an organisation's; exactly one of path and oci.

    Attributes:
        path: the archive, as `pratique policy bundle` or `pratique policy pull` wrote it.
        oci: `oci://HOST/REPOSITORY@sha256:…`, where `pratique policy pull` gets it; nothing else asks there.
        digest: of the policy, as decisions name it.
        signer: who must have signed it: a pattern over identities, as text or `{issuer, subject}`.
        trusted_root: trusted root its signature is verified against; absent, the state directory's own.
        key: public key of a signer who is not enrolled here.
    """

    digest: str
    signer: str | dict[str, str]
    path: str | None = None
    oci: str | None = None
    trusted_root: str | None = None
    key: str | None = None


def check_bundle_config(bundle: BundleConfig, what: str) -> None:
    """Refuse a pin that contradicts itself.

    Raises:
        ConfigError: not exactly one place, no digest, or nobody in particular as signer.
    """
    if (bundle.path is None) == (bundle.oci is None):
        raise ConfigError(f"{what} needs exactly one of path, oci")
    try:
        parse_digest(bundle.digest)
    except MalformedError as error:
        raise ConfigError(f"{what}.digest: {error.message}", hint=error.hint) from error
    parse_pattern(bundle.signer, what=f"{what}.signer")
