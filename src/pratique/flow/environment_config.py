"""`[environments.X]` of `pratique.toml`: a place where artifacts are deployed, and who must agree."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec

from pratique.deploy.approval import MAX_VALIDITY
from pratique.deploy.plan import Seconds, Service, make_plan
from pratique.deploy.quorum import Rule  # noqa: TC001 - msgspec reads the annotations
from pratique.errors import ConfigError
from pratique.model.digest import Digest

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?\Z")
_MAX_QUALIFIED = 63  # PROJECT.ENVIRONMENT, as records name it
_MAX_HOURS = int(MAX_VALIDITY.total_seconds()) // 3600
_OURS = frozenset({"trust", "blobs", "journal", "advisories", "policies", "work", "turns", "index.sqlite"})


class ServiceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[environments.X.service]`: see `deploy.plan.Service`, whose members these are."""

    command: tuple[str, ...]
    port: int
    health: str = "/"
    environment: dict[str, str] = {}
    start_seconds: Seconds = 30
    stop_seconds: Seconds = 10

    def planned(self) -> Service:
        """Give it as plans have it."""
        return Service(**{name: getattr(self, name) for name in self.__struct_fields__})


class EnvironmentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One environment.

    Attributes:
        kind: how it is deployed to.
        path: where; relative to the state directory.
        quorum: the approvals owed, all rules together.
        approval_hours: how long an approval holds.
        service: absent where the artifact is only put in place.
    """

    kind: Literal["directory"]
    path: Annotated[str, msgspec.Meta(min_length=1)]
    quorum: tuple[Rule, ...]
    approval_hours: int = 72
    service: ServiceConfig | None = None

    def planned_service(self) -> Service | None:
        """Give the service as plans have it."""
        return self.service.planned() if self.service else None


def check_environments(project: str, environments: dict[str, EnvironmentConfig], what: str) -> None:
    """Refuse what could not be deployed, or not safely, before anything is built for it.

    Raises:
        ConfigError: named with its table.
    """
    places: dict[PurePosixPath, str] = {}
    for name, environment in environments.items():
        if not NAME.match(name) or len(f"{project}.{name}") > _MAX_QUALIFIED:
            raise ConfigError(
                f"{what}: environment name {name!r} is not a lower-case name",
                hint=f"{project}.{name} may have {_MAX_QUALIFIED} characters",
            )
        try:
            _check(name, environment)
        except ConfigError as error:
            raise ConfigError(f"{what}: {error.message}", hint=error.hint) from error
        place = PurePosixPath(environment.path)
        if (other := places.setdefault(place, name)) != name:
            raise ConfigError(f"{what}: environments {other} and {name} are both at {environment.path!r}")


def _check(name: str, environment: EnvironmentConfig) -> None:
    table = f"environments.{name}"
    if not environment.quorum:
        raise ConfigError(
            f"{table}.quorum is empty, so nobody would have to agree",
            hint='for example quorum = [{ role = "approver", count = 2 }]',
        )
    if not 1 <= environment.approval_hours <= _MAX_HOURS:
        raise ConfigError(f"{table}.approval_hours must be 1 to {_MAX_HOURS}")
    place = PurePosixPath(environment.path)
    if not place.parts or ".." in place.parts or place.parts[0] in _OURS:
        raise ConfigError(
            f"{table}.path {environment.path!r} is not a folder of its own",
            hint=f'for example path = "deployed/{name}", below the state directory; or an absolute path',
        )
    make_plan(  # what a plan cannot have is said now
        environment=name,
        path=str(PurePosixPath("/home") / place),
        artifact_name="artifact",
        artifact=Digest("0" * 64),
        service=environment.planned_service(),
    )
