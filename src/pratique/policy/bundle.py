"""A policy bundle: rules, rule data and requirements as one value with one digest.

A decision names the digest, and the encoded bytes are stored, so that anyone can evaluate the same policy
again. A project adds to the shipped policy: values of rule data and requirements, and rules in packages of
its own. It cannot remove a requirement or touch a shipped rule that way; whoever wants another policy
altogether loads one from a folder, and the digest says so.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError, MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.policy.language.annotations import Outline, outline
from pratique.policy.language.catalogue import RuleInfo, catalogue
from pratique.policy.rule_data import RuleData, parse_rule_data, rule_data_table
from pratique.policy.settings import nearest
from pratique.policy.trust_file import parse_requirements, requirements_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pratique.policy.requirements import Requirements

BUNDLE_SCHEMA: Final = "https://pratique.dev/policy-bundle/v2"
OWN_PACKAGE: Final = "pratique"
DATA_FILE: Final = "data.json"
TRUST_FILE: Final = "trust.toml"
TEST_SUFFIX: Final = "_test.rego"
_MAX_FILE: Final = 1024 * 1024
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.rego\Z")


class PolicyBundle(msgspec.Struct, frozen=True, kw_only=True):
    """One policy.

    Attributes:
        modules: Rego sources by file name; a project's own are named `project/<file>`.
        data: what rules see as `data.rule_data`.
        requirements: the trust layer's configuration.
        rules: what the modules' METADATA declare, by code.
    """

    modules: dict[str, str]
    data: RuleData
    requirements: Requirements
    rules: dict[str, RuleInfo]

    def encode(self) -> bytes:
        """Write the bundle as canonical JSON: the bytes its digest stands for."""
        return canonical_json(
            {
                "schema": BUNDLE_SCHEMA,
                "modules": self.modules,
                "data": rule_data_table(self.data),
                "requirements": requirements_table(self.requirements),
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
        modules = document.get("modules")
        if document.get("schema") != BUNDLE_SCHEMA or not isinstance(modules, dict):
            raise MalformedError(f"policy bundle: not a {BUNDLE_SCHEMA} document")
        if not all(isinstance(source, str) for source in modules.values()):
            raise MalformedError("policy bundle: a module that is not text")
        try:
            bundle = make_bundle(modules, document.get("data"), document.get("requirements"))
        except ConfigError as error:
            raise EvidenceInvalidError(error.message, hint=error.hint) from error
        if bundle.encode() != data:
            raise MalformedError("policy bundle: not in canonical form")
        return bundle


def make_bundle(modules: Mapping[str, str], data: Any, requirements: Any) -> PolicyBundle:
    """Type and check the parts of a policy.

    Raises:
        ConfigError: no rules, or any part that does not hold up.
    """
    if not modules:
        raise ConfigError("policy: no rules at all")
    outlines = [outline(name, source) for name, source in sorted(modules.items())]
    _check_packages(outlines)
    bundle = PolicyBundle(
        modules=dict(sorted(modules.items())),
        data=parse_rule_data(data, what="policy: data"),
        requirements=parse_requirements(requirements, what="policy: requirements"),
        rules=catalogue(outlines, shipped=True),
    )
    for code in bundle.data.levels:
        if code not in bundle.rules:
            raise ConfigError(
                f"policy: data: levels: no rule has the code {code!r}", hint=nearest(code, bundle.rules)
            )
    return bundle


def load_bundle(folder: Path) -> PolicyBundle:
    """Load a whole policy from a folder (I/O): `*.rego`, `data.json`, `trust.toml`; nothing is inherited.

    Its tests (`*_test.rego`) stay outside: they decide nothing.

    Raises:
        ConfigError: a file missing or malformed.
    """
    modules = read_modules(folder)
    try:
        data = parse_json_object(_read(folder / DATA_FILE), what=str(folder / DATA_FILE))
        trust = tomllib.loads(_read(folder / TRUST_FILE).decode("utf-8"))
    except MalformedError as error:
        raise ConfigError(error.message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder / TRUST_FILE}: not TOML: {error}") from error
    return make_bundle(modules, data, trust)


def read_modules(folder: Path) -> dict[str, str]:
    """Read a folder's `*.rego` files by name (I/O).

    Raises:
        ConfigError: no such folder, no such files, or one that cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder of rules")
    found = {}
    for path in sorted(path for path in folder.glob("*.rego") if not path.name.endswith(TEST_SUFFIX)):
        if not _FILE_NAME.match(path.name):
            raise ConfigError(f"{path}: rule files are named with letters, digits, '.', '_' and '-'")
        try:
            found[path.name] = _read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    if not found:
        raise ConfigError(f"{folder}: no *.rego files in it")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MAX_FILE:
        raise ConfigError(f"{path}: larger than {_MAX_FILE} bytes")
    return data


def _check_packages(outlines: list[Outline]) -> None:
    """Keep a project's rules out of the shipped packages, where they could redefine a helper.

    The shipped modules are those outside `project/`.
    """
    for item in outlines:
        if item.file.startswith("project/") and item.package.split(".")[0] in {OWN_PACKAGE, "rule_data"}:
            raise ConfigError(
                f"{item.file}: package {item.package} is the shipped policy's own",
                hint="use a package of your own",
            )
