"""The register itself: ships by IMO number, safe for many threads."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

_IMO_DIGITS = 7


class RegisterError(ValueError):
    """The register refuses an entry; the message is for the caller."""


@dataclass(frozen=True)
class Ship:
    """A ship in port. `cleared` means that it was granted pratique."""

    imo: str
    name: str
    cleared: bool = False


class Register:
    """The ships in port, in the order in which they arrived."""

    def __init__(self) -> None:
        self._ships: dict[str, Ship] = {}
        self._lock = threading.Lock()

    def arrive(self, imo: object, name: object) -> Ship:
        """Enter a ship; a second arrival of the same ship is refused."""
        ship = Ship(imo=_valid_imo(imo), name=_valid_name(name))
        with self._lock:
            if ship.imo in self._ships:
                raise RegisterError(f"ship {ship.imo} is already in port")
            self._ships[ship.imo] = ship
        return ship

    def clear(self, imo: str) -> Ship:
        """Grant pratique to a ship in port."""
        with self._lock:
            if imo not in self._ships:
                raise KeyError(imo)
            self._ships[imo] = replace(self._ships[imo], cleared=True)
            return self._ships[imo]

    def ships(self) -> list[dict[str, Any]]:
        """Give every ship in port."""
        with self._lock:
            return [asdict(ship) for ship in self._ships.values()]


def _valid_imo(value: object) -> str:
    """Check an IMO number: six digits and a check digit (IMO resolution A.1117(30))."""
    if not (isinstance(value, str) and len(value) == _IMO_DIGITS and value.isascii() and value.isdigit()):
        raise RegisterError("imo must be a string of seven digits")
    weighted = sum(int(digit) * weight for digit, weight in zip(value, range(7, 1, -1), strict=False))
    if weighted % 10 != int(value[-1]):
        raise RegisterError(f"imo {value} has a wrong check digit")
    return value


def _valid_name(value: object) -> str:
    if not (isinstance(value, str) and 0 < len(value.strip()) <= 100):  # noqa: PLR2004 - the register's column width
        raise RegisterError("name must be 1 to 100 characters")
    return value.strip()
