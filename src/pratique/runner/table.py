"""Every check, in the order they are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.runner.checks import credentials, isolation, lifetime, machine, network, system, tools

if TYPE_CHECKING:
    from pratique.runner.check import Check

CHECKS: Final[tuple[Check, ...]] = tuple(
    sorted(
        (
            *isolation.CHECKS,
            *credentials.CHECKS,
            *network.CHECKS,
            *lifetime.CHECKS,
            *machine.CHECKS,
            *system.CHECKS,
            *tools.CHECKS,
        ),
        key=lambda check: int(check.id.rpartition("-")[2]),
    )
)
