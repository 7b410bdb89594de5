"""The policy that ships: one set of rules, and three profiles of how much they ask.

`rules/levels.toml` says what a finding of each rule leads to in each profile; `rules/profiles/<profile>.toml`
holds the rule data and the evidence owed that differ. Both are laid over `rules/data.json` and
`rules/trust.toml`, and a project's additions over that. A bundle holds the result alone, so its digest covers
the profile.
"""

from __future__ import annotations

import importlib.resources
import tomllib
from typing import TYPE_CHECKING, Any, Final, Literal

from pratique.errors import ConfigError
from pratique.model.strict_json import parse_json_object
from pratique.policy.bundle import DATA_FILE, TRUST_FILE, PolicyBundle, make_bundle
from pratique.policy.files import read_modules
from pratique.policy.settings import merge, nearest
from pratique.policy.sources import ADDED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from pratique.policy.rule_data import Level
    from pratique.policy.sources import Source

Profile = Literal["starter", "standard", "high"]
PROFILES: Final[tuple[Profile, ...]] = ("starter", "standard", "high")
DEFAULT_PROFILE: Final[Profile] = "standard"


def shipped_bundle(
    profile: str = DEFAULT_PROFILE,
    *,
    data: dict[str, Any] | None = None,
    requirements: dict[str, Any] | None = None,
    rules: Path | None = None,
    sources: Iterable[Source] = (),
) -> PolicyBundle:
    """Load the shipped policy with a project's additions (I/O).

    Args:
        profile: one of `PROFILES`.
        data: rule data laid over the profile's.
        requirements: requirements laid over the profile's; tables merge, lists are replaced.
        rules: folder of the project's own `*.rego` files.
        sources: further rules, each in conventions of its own.

    Raises:
        ConfigError: no such profile, an addition that does not hold up, or rules in a shipped package.
    """
    if profile not in PROFILES:
        raise ConfigError(f"policy: no profile is called {profile!r}", hint=nearest(profile, PROFILES))
    folder = _folder()
    modules = {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".rego")}
    common = parse_json_object((folder / DATA_FILE).read_bytes(), what=DATA_FILE)
    trust = _toml(folder / TRUST_FILE)
    given = merge(merge(common, profile_data(profile)), data or {})
    given["levels"] = _levels(profile, given) | given.get("levels", {})
    trust = merge(trust, {"require": _profile(profile)["require"]})
    if rules is not None:
        modules |= {f"{ADDED_PREFIX}{name}": text for name, text in read_modules(rules).items()}
    return make_bundle(modules, given, merge(trust, requirements or {}), sources)


def profile_data(profile: Profile) -> dict[str, Any]:
    """Give the rule data that a profile sets, but for the levels."""
    data: dict[str, Any] = _profile(profile).get("data", {})
    return data


def level_table() -> dict[str, dict[str, Level]]:
    """Give the level of each shipped rule by profile: `{code: {profile: level}}`."""
    rows = _toml(_folder() / "levels.toml")["levels"]
    return {code: dict(zip(PROFILES, row, strict=True)) for code, row in rows.items()}


def asked_by() -> dict[str, tuple[str, str]]:
    """Give the section and key of the rule data without which a rule has nothing to judge by, by code."""
    found = {}
    for code, name in _toml(_folder() / "levels.toml")["only_with"].items():
        section, _, key = name.partition(".")
        found[code] = (section, key)
    return found


def _levels(profile: Profile, data: dict[str, Any]) -> dict[str, Level]:
    levels = {code: row[profile] for code, row in level_table().items()}
    for code, (section, key) in asked_by().items():
        table = data.get(section)
        if not isinstance(table, dict) or not table.get(key):
            levels[code] = "off"
    return levels


def _folder() -> Traversable:
    return importlib.resources.files("pratique.policy") / "rules"


def _profile(name: str) -> dict[str, Any]:
    return _toml(_folder() / "profiles" / f"{name}.toml")


def _toml(file: Traversable) -> dict[str, Any]:
    return tomllib.loads(file.read_text("utf-8"))
