"""A policy bundle: rules, rule data, requirements and further sources as one value with one digest.

A decision names the digest, and the encoded bytes are stored, so that anyone can evaluate the same policy
again. A project adds to the shipped policy: values of rule data and requirements, and sources of rules, each
evaluated by itself. It cannot remove a requirement or touch a shipped rule that way; whoever wants another
policy altogether loads one from a folder, and the digest says so.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError, MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.policy.files import read_file, read_modules
from pratique.policy.rule_data import RuleData, parse_rule_data, rule_data_table
from pratique.policy.settings import nearest
from pratique.policy.sources import Source, check_codes, main_source, parse_source
from pratique.policy.trust_file import parse_requirements, requirements_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pratique.policy.language.catalogue import RuleInfo
    from pratique.policy.requirements import Requirements

BUNDLE_SCHEMA: Final = "https://pratique.dev/policy-bundle/v2"
VERSION: Final = 2
DATA_FILE: Final = "data.json"
TRUST_FILE: Final = "trust.toml"
_MEMBERS: Final = {"schema", "version", "modules", "data", "requirements", "sources"}


class PolicyBundle(msgspec.Struct, frozen=True, kw_only=True):
    """One policy.

    Attributes:
        main: the policy's own rules.
        data: what they see as `data.rule_data`.
        requirements: the trust layer's configuration.
        sources: further rules, each with data and conventions of its own, by name.
    """

    main: Source
    data: RuleData
    requirements: Requirements
    sources: tuple[Source, ...] = ()

    @property
    def modules(self) -> dict[str, str]:
        """The policy's own Rego sources, by file name."""
        return self.main.modules

    @property
    def rules(self) -> dict[str, RuleInfo]:
        """What the policy's own METADATA declares, by code."""
        return self.main.rules

    def encode(self) -> bytes:
        """Write the bundle as canonical JSON: the bytes its digest stands for."""
        return canonical_json(
            {
                "schema": BUNDLE_SCHEMA,
                "version": VERSION,
                "modules": self.modules,
                "data": rule_data_table(self.data),
                "requirements": requirements_table(self.requirements),
                "sources": [source.table() for source in self.sources],
            }
        )

    @property
    def digest(self) -> Digest:
        """SHA-256 of the encoded bundle."""
        return sha256_bytes(self.encode())

    @classmethod
    def parse(cls, data: bytes) -> PolicyBundle:
        """Read an encoded bundle back.

        Raises:
            EvidenceInvalidError: not a bundle, or not in the canonical form its digest stands for.
        """
        document = parse_json_object(data, what="policy bundle")
        _check_version(document)
        modules, sources = document.get("modules"), document.get("sources")
        if not isinstance(modules, dict) or not isinstance(sources, list) or document.keys() != _MEMBERS:
            raise MalformedError(f"policy bundle: not a {BUNDLE_SCHEMA} document")
        if not all(isinstance(source, str) for source in modules.values()):
            raise MalformedError("policy bundle: a module that is not text")
        try:
            bundle = make_bundle(
                modules,
                document.get("data"),
                document.get("requirements"),
                [parse_source(table, what="policy bundle") for table in sources],
            )
        except ConfigError as error:
            raise EvidenceInvalidError(error.message, hint=error.hint) from error
        if bundle.encode() != data:
            raise MalformedError("policy bundle: not in canonical form")
        return bundle


def make_bundle(
    modules: Mapping[str, str], data: Any, requirements: Any, sources: Iterable[Source] = ()
) -> PolicyBundle:
    """Type and check the parts of a policy.

    Raises:
        ConfigError: no rules, or any part that does not hold up.
    """
    if not modules:
        raise ConfigError("policy: no rules at all")
    bundle = PolicyBundle(
        main=main_source(modules),
        data=parse_rule_data(data, what="policy: data"),
        requirements=parse_requirements(requirements, what="policy: requirements"),
        sources=tuple(sorted(sources, key=lambda source: source.name)),
    )
    check_codes(bundle.main, bundle.sources)
    for code in bundle.data.levels:
        if code not in bundle.rules:
            raise ConfigError(
                f"policy: data: levels: no rule has the code {code!r}", hint=nearest(code, bundle.rules)
            )
    return bundle


def load_bundle(folder: Path, sources: Iterable[Source] = ()) -> PolicyBundle:
    """Load a whole policy from a folder (I/O): `*.rego`, `data.json`, `trust.toml`; nothing is inherited.

    Its tests (`*_test.rego`) stay outside: they decide nothing.

    Args:
        folder: where it is.
        sources: further rules.

    Raises:
        ConfigError: a file missing or malformed.
    """
    modules = read_modules(folder)
    try:
        data = parse_json_object(read_file(folder / DATA_FILE), what=str(folder / DATA_FILE))
        trust = tomllib.loads(read_file(folder / TRUST_FILE).decode("utf-8"))
    except MalformedError as error:
        raise ConfigError(error.message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder / TRUST_FILE}: not TOML: {error}") from error
    return make_bundle(modules, data, trust, sources)


def _check_version(document: dict[str, Any]) -> None:
    """Refuse other versions of the format by name: what an old decision rests on is not to be guessed at."""
    schema = document.get("schema")
    if schema == BUNDLE_SCHEMA and document.get("version") == VERSION:
        return
    base = BUNDLE_SCHEMA.removesuffix(f"/v{VERSION}")
    if isinstance(schema, str) and schema.startswith(f"{base}/v"):
        raise MalformedError(
            f"policy bundle: version {schema.removeprefix(f'{base}/v')[:20]} of the format, and only version"
            f" {VERSION} is read here",
            hint="decide again under today's policy: pratique gate",
        )
    raise MalformedError(f"policy bundle: not a {BUNDLE_SCHEMA} document")
