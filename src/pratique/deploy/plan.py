"""The plan of a deployment: exactly what will be done where, in bytes a person can agree to.

An approver signs the digest of these bytes, so whatever changes what happens in the environment is in them:
the artifact, the place, the service's command, port and variables. When is not: that is the approval's
`notAfter`.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from pratique.deploy.wire import DigestSet, Name, Text, parse_struct, to_json
from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json, parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PLAN_BYTES = 256 * 1024
# LD_… changes which code runs, so it is no setting; the others are ours.
_VARIABLE = re.compile(r"(?!LD_|PRATIQUE_|PORT\Z)[A-Z_][A-Z0-9_]{0,127}\Z")
_TOKEN = re.compile(r"\{(\w+)\}")
_TOKENS = ("python", "release", "port")
_ABSOLUTE_START = ("{python}", "{release}/", "/")

Seconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]


class Service(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """How to run a release as one long-lived process that answers HTTP on the loopback interface.

    Attributes:
        command: argument vector; `{python}`, `{release}` and `{port}` stand for the interpreter, the
            release's directory and the port. No shell ever sees it.
        port: TCP port it listens on.
        health: path that answers 200 when the release works.
        environment: its whole environment beside PORT, PRATIQUE_ARTIFACT_DIGEST and, unless given here,
            PYTHONDONTWRITEBYTECODE=1. Not for secrets: an approver reads this.
        start_seconds: how long it may take to become healthy.
        stop_seconds: how long it may take to end after SIGTERM.
    """

    command: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=64)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    health: Annotated[str, msgspec.Meta(pattern=r"^/[!-~]{0,1023}\Z")] = "/"
    environment: dict[str, str] = {}
    start_seconds: Seconds = 30
    stop_seconds: Seconds = 10

    def argv(self, *, python: str, release: str) -> list[str]:
        """Fill in the command's template."""
        values = {"python": python, "release": release, "port": str(self.port)}
        return [_TOKEN.sub(lambda found: values[found.group(1)], part) for part in self.command]


class PlannedArtifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The artifact to put in place, by file name and digest."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}\Z")]
    digest: DigestSet


class DeploymentPlan(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What will be done, where, with which artifact."""

    environment: Name
    kind: Literal["directory"]
    path: Text
    action: Literal["deploy", "rollback"]
    artifact: PlannedArtifact
    service: Service | None = None

    @property
    def artifact_digest(self) -> Digest:
        """The artifact's digest."""
        return Digest(self.artifact.digest.sha256)

    def encode(self) -> bytes:
        """Give the canonical bytes (RFC 8785)."""
        return canonical_json(to_json(self))

    @property
    def digest(self) -> Digest:
        """What an approval is bound to: the SHA-256 of the canonical bytes."""
        return sha256_bytes(self.encode())


def make_plan(
    *,
    environment: str,
    path: str,
    artifact_name: str,
    artifact: Digest,
    action: Literal["deploy", "rollback"] = "deploy",
    service: Service | None = None,
) -> DeploymentPlan:
    """Make a checked plan for an environment of kind `directory`.

    Raises:
        ConfigError: a value that no deployment can have, named with what is wrong.
    """
    plan = DeploymentPlan(
        environment=environment,
        kind="directory",
        path=path,
        action=action,
        artifact=PlannedArtifact(artifact_name, DigestSet(artifact.hex)),
        service=service,
    )
    try:
        return parse_plan(plan.encode())
    except MalformedError as error:
        raise ConfigError(f"environment {environment}: {error.message}", hint=error.hint) from error


def parse_plan(data: bytes) -> DeploymentPlan:
    """Parse the bytes of a plan.

    Raises:
        MalformedError: not a plan, not in its canonical form, or one that cannot be carried out safely.
    """
    value = parse_json_object(data, what="deployment plan", max_bytes=MAX_PLAN_BYTES)
    plan = parse_struct(value, DeploymentPlan, what="deployment plan")
    if not posixpath.isabs(plan.path) or posixpath.normpath(plan.path) != plan.path or "\0" in plan.path:
        raise MalformedError(f"deployment plan: path {plan.path!r} is not absolute and normalised")
    if plan.path.strip("/") == "":
        raise MalformedError("deployment plan: path is the root directory")
    if plan.service is not None:
        _check_service(plan.service)
    if plan.encode() != data:
        raise MalformedError("deployment plan: not its canonical bytes, so the digest would be another")
    return plan


def deployment_id(plan: Digest, decision: Digest, approvals: Iterable[Digest]) -> str:
    """Name a deployment after what it rests on, so that running it again is the same deployment.

    Args:
        plan: digest of the plan.
        decision: evidence digest of the decision (VSA).
        approvals: evidence digests of the approvals counted, in any order.
    """
    rests_on = {
        "plan": str(plan),
        "decision": str(decision),
        "approvals": sorted({str(approval) for approval in approvals}),
    }
    return str(sha256_bytes(canonical_json(rests_on)))


def _check_service(service: Service) -> None:
    for part in service.command:
        unknown = [name for name in _TOKEN.findall(part) if name not in _TOKENS]
        if unknown:
            raise MalformedError(
                f"service command: unknown placeholder {{{unknown[0]}}} in {part!r}",
                hint="known are " + ", ".join(f"{{{name}}}" for name in _TOKENS),
            )
        if "\0" in part:
            raise MalformedError("service command: an argument with a NUL byte")
    if not service.command[0].startswith(_ABSOLUTE_START):
        raise MalformedError(
            f"service command: {service.command[0]!r} would be searched for on a PATH that is not set",
            hint='start it with "{python}", "{release}/…" or an absolute path',
        )
    for name, text in service.environment.items():
        if not _VARIABLE.match(name) or "\0" in text:
            raise MalformedError(f"service environment: {name!r} cannot be set")
