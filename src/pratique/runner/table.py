"""Every check, in the order they are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.runner.checks import credentials, isolation, network, system

if TYPE_CHECKING:
    from pratique.runner.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *isolation.CHECKS,
    *credentials.CHECKS,
    *network.CHECKS,
    *system.CHECKS,
)
