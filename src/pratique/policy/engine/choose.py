"""The engine by its name in a project's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pratique.policy.engine.port import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from pratique.policy.engine.port import Engine

EngineName = Literal["regorus", "opa", "both"]


def engine_named(name: EngineName, *, opa: str = "opa", limits: Limits = DEFAULT_LIMITS) -> Engine:
    """Make an engine; `opa` is a program's name or path, looked for only where it is needed.

    Raises:
        ConfigError: OPA is asked for and not there.
    """
    from pratique.policy.engine.regorus import RegorusEngine  # noqa: PLC0415 - each only where it is used

    if name == "regorus":
        return RegorusEngine(limits)
    from pratique.policy.engine.opa import OpaEngine  # noqa: PLC0415

    if name == "opa":
        return OpaEngine(opa, limits)
    from pratique.policy.engine.both import BothEngines  # noqa: PLC0415

    return BothEngines(RegorusEngine(limits), OpaEngine(opa, limits))
