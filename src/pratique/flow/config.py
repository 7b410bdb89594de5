"""`pratique.toml`: what a project builds, what it owes, and where it goes. Unknown keys are errors."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations of Project
from typing import Any, Literal

import msgspec

from pratique.deploy.quorum import Rule
from pratique.errors import ConfigError
from pratique.flow.bundle_config import BundleConfig, check_bundle_config
from pratique.flow.environment_config import (
    NAME,
    EnvironmentConfig,
    ServiceConfig,
    check_environments,
)
from pratique.policy.engine.choose import EngineName  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.settings import typed
from pratique.policy.sources import InputShape, RegoVersion, VolatileTable
from pratique.store.toml_file import read_toml

FILE_NAME = "pratique.toml"
_MAX_BUILD_SECONDS = 24 * 3600


class SourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[build.source]`: exactly one of a directory (in git or not) or a lock file naming one sdist."""

    directory: str | None = None
    sdist: str | None = None


class BuildConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[build]`: the recipe, and the locked files it may see.

    Attributes:
        recipe: what is made: one wheel, or a wheel with its locked dependencies as one application archive.
        source: what is built.
        tools: hashed lock file of the build tools.
        dependencies: hashed lock file of what goes into the application archive (recipe `python-app`); absent
            if nothing does.
        inputs: folder where `pratique build fetch` puts locked files.
        timeout_seconds: wall-clock limit of one build.
    """

    recipe: Literal["python-wheel", "python-app"]
    source: SourceConfig
    tools: str
    dependencies: str | None = None
    inputs: str = "inputs"
    timeout_seconds: int = 900


class AdvisoryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of `[[scan.advisories]]`: a collection of OSV records.

    Attributes:
        name: what it is called wherever its data shows.
        path: folder, .zip or .tar.xz.
        date: day on which it was taken from its publisher; its age is judged by this.
        licence: SPDX id of the data's licence.
        attribution: what that licence asks to be said.
        format: what form its records have.
    """

    name: str
    path: str
    date: dt.date
    licence: str
    attribution: str = ""
    format: Literal["osv", "osv-yaml", "rustsec", "alpine-secdb", "debian-tracker", "debian-list"] = "osv"


class ScanConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[scan]`: where advisories come from. How old they may be is policy (`policy.data.vulns`).

    Attributes:
        advisories: at least one collection.
        exploited: CISA's catalogue of known exploited vulnerabilities (JSON), where there is one.
        epss: FIRST's EPSS scores of one day (CSV, gzip or not), where there are any.
    """

    advisories: tuple[AdvisoryConfig, ...]
    exploited: str | None = None
    epss: str | None = None


class PolicySourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of `[[policy.source]]`: rules of one's own, evaluated by themselves.

    Attributes:
        path: folder of Rego files, those below included, or one file.
        name: what it is called in decisions; by default the path's last part.
        rego: version of the language the files are in.
        input: what the rules see: `evidence`, or `attestations` as Conforma's do.
        data: files or folders of JSON and YAML, below `data`.
        rule_data: values below `data.rule_data__configuration__`, where Conforma's rules look first.
        include: which rules count; all, if absent.
        exclude: which do not.
        volatile_include: criteria that hold for a while, or for one artifact.
        volatile_exclude: likewise.
    """

    path: str
    name: str | None = None
    rego: RegoVersion = "v1"
    input: InputShape = "evidence"
    data: tuple[str, ...] = ()
    rule_data: dict[str, Any] = {}
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    volatile_include: tuple[VolatileTable, ...] = ()
    volatile_exclude: tuple[VolatileTable, ...] = ()


class PolicyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[policy]`: what the project adds to the shipped policy, or another policy altogether.

    Attributes:
        profile: how much the shipped policy asks: `starter`, `standard` (the default) or `high`.
        data: rule data over the shipped defaults, for example `{vulns = {threshold = "medium"}}`.
        rules: folder of the project's own Rego files, which can add denials.
        source: further rules, each in conventions of its own.
        folder: a whole policy instead of the shipped one: `*.rego`, `data.json`, `trust.toml`.
        bundle: see `BundleConfig`.
        mode: what a denial leads to; `enforce`, unless it says otherwise.
        trust: laid over the shipped `trust.toml`.
        organisation: file of an organisation's policy that this one may not weaken, or of a pin of one.
        engine: what evaluates the rules: `regorus` (the default), `opa`, or `both`, which must agree.
        opa: the program, by name or absolute path, for the latter two.
    """

    profile: Literal["starter", "standard", "high"] | None = None
    data: dict[str, Any] = {}
    rules: str | None = None
    source: tuple[PolicySourceConfig, ...] = ()
    folder: str | None = None
    bundle: BundleConfig | None = None
    mode: Literal["enforce", "warn", "audit"] | None = None
    trust: dict[str, Any] = {}
    organisation: str | None = None
    engine: EngineName = "regorus"
    opa: str = "opa"


class ProjectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[project]`."""

    name: str


class TrustConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[trust]`: the team's server, which takes what is attested here into its journal.

    Attributes:
        server: its address.
        root: the name of its trusted root here, by which its answers are judged.
        ca: file of authorities to believe for its TLS; absent, the system's.
    """

    server: str | None = None
    root: str | None = None
    ca: str | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    project: ProjectConfig
    build: BuildConfig
    scan: ScanConfig
    policy: PolicyConfig = PolicyConfig()
    trust: TrustConfig = TrustConfig()
    environments: dict[str, EnvironmentConfig] = {}


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A configured project: the file's folder, and what the file says."""

    root: Path
    config: Config

    @property
    def name(self) -> str:
        """The project's name, in every subject and record."""
        return self.config.project.name

    def path(self, relative: str) -> Path:
        """Resolve a path of the file against the file's folder."""
        return self.root / relative

    def environment(self, name: str | None) -> tuple[str, EnvironmentConfig]:
        """Choose an environment by name; without a name there must be exactly one.

        Raises:
            ConfigError: no such environment, or several to choose from.
        """
        known = self.config.environments
        if name is None and len(known) == 1:
            return next(iter(known.items()))
        if name in known:
            return name, known[name]
        listed = ", ".join(sorted(known)) or "none"
        raise ConfigError(
            f"{FILE_NAME}: no environment named {name!r} (there are: {listed})"
            if name
            else f"{FILE_NAME} has several environments, or none: {listed}",
            hint="name one with --environment, or add an [environments.NAME] table",
        )


def find_project(start: Path) -> Project:
    """Find `pratique.toml` in a folder or the nearest folder above it, and load it.

    Raises:
        ConfigError: none there, or as `load_project`.
    """
    file = find_file(start)
    if file is None:
        raise ConfigError(
            f"no {FILE_NAME} in {start.resolve()} or above", hint="write one with: pratique init"
        )
    return load_project(file)


def find_file(start: Path) -> Path | None:
    """Find the `pratique.toml` of a folder, or of the nearest folder above it."""
    start = start.resolve()
    return next(
        (folder / FILE_NAME for folder in (start, *start.parents) if (folder / FILE_NAME).is_file()), None
    )


def load_project(path: Path) -> Project:
    """Load one configuration file.

    Raises:
        ConfigError: unreadable, not TOML, a key or value that does not belong, a contradiction.
    """
    return Project(root=path.parent.resolve(), config=parse_config(read_toml(path), what=str(path)))


def parse_config(table: dict[str, Any], *, what: str) -> Config:
    """Type a parsed file, and refuse what contradicts itself.

    Raises:
        ConfigError: see `load_project`.
    """
    config = typed(table, Config, what=what, known=_KNOWN_KEYS)
    _check_build(config.build, what)
    _check_trust(config.trust, what)
    policy = config.policy
    if policy.folder and (policy.data or policy.rules or policy.profile or policy.trust or policy.mode):
        raise ConfigError(
            f"{what}: policy.folder is a whole policy: put data, rules, trust and mode there; name no profile"
        )
    for key in ("mode", "trust_domain"):
        if key in policy.trust:
            raise ConfigError(f"{what}: policy.trust.{key} has no place here: it is not the file's to say")
    _check_bundle(policy, what)
    if not config.scan.advisories:
        raise ConfigError(f"{what}: scan.advisories is empty, so nothing could ever be found")
    if not NAME.match(config.project.name):
        raise ConfigError(f"{what}: project.name {config.project.name!r} is not a lower-case name")
    check_environments(config.project.name, config.environments, what)
    return config


def _check_build(build: BuildConfig, what: str) -> None:
    if (build.source.directory is None) == (build.source.sdist is None):
        raise ConfigError(f"{what}: [build.source] needs exactly one of directory, sdist")
    if build.recipe != "python-app" and build.dependencies is not None:
        raise ConfigError(
            f"{what}: build.dependencies belongs to recipe python-app",
            hint='a wheel holds no dependencies: recipe = "python-app", or leave the lock out',
        )
    if not 1 <= build.timeout_seconds <= _MAX_BUILD_SECONDS:
        raise ConfigError(f"{what}: build.timeout_seconds must be 1 to {_MAX_BUILD_SECONDS}")


def _check_trust(trust: TrustConfig, what: str) -> None:
    if trust.server is None and (trust.root is not None or trust.ca is not None):
        raise ConfigError(f"{what}: trust.root and trust.ca say nothing without trust.server")
    if trust.server is not None and not trust.root:
        raise ConfigError(
            f"{what}: trust.server needs trust.root, by which its answers are judged",
            hint='root = "team", after pratique trust use https://…/tuf --root root.json --name team',
        )


def _check_bundle(policy: PolicyConfig, what: str) -> None:
    bundle = policy.bundle
    if bundle is None:
        return
    own = (policy.data, policy.rules, policy.source, policy.folder, policy.profile, policy.trust, policy.mode)
    if any(own):
        raise ConfigError(f"{what}: policy.bundle is a whole policy: nothing else of [policy] goes with it")
    check_bundle_config(bundle, f"{what}: policy.bundle")


_TABLES = (
    Config,
    ProjectConfig,
    TrustConfig,
    BuildConfig,
    SourceConfig,
    ScanConfig,
    AdvisoryConfig,
    PolicyConfig,
    BundleConfig,
    PolicySourceConfig,
    VolatileTable,
    EnvironmentConfig,
    Rule,
    ServiceConfig,
)
_KNOWN_KEYS = sorted({field for table in _TABLES for field in table.__struct_fields__})
