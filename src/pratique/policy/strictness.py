"""What "stricter" means for each setting of a policy, and the check that nobody made one laxer.

A setting says its direction in its type, as `Annotated[..., HIGHER]` and so on; what says nothing is fixed:
it may not be changed at all. So a new setting cannot be weakened by having been forgotten here. Structs are
compared member by member, tables entry by entry: an entry may be added where its key is new, and none may go.

Two directions need care. A limit on age is stricter when lower only because old evidence still speaks
against an artifact (`standing`). Who may sign is fixed both ways: fewer signers are fewer objections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import msgspec.inspect as mi

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTRA: Final = "stricter"
HIGHER: Final = msgspec.Meta(extra={_EXTRA: "higher"})
"""A number, a yes, or a struct of settings; None asks for nothing."""
LOWER: Final = msgspec.Meta(extra={_EXTRA: "lower"})
"""A number; None sets no limit."""
SUBSET: Final = msgspec.Meta(extra={_EXTRA: "subset"})
"""A list of what is accepted; None accepts anything."""
SUPERSET: Final = msgspec.Meta(extra={_EXTRA: "superset"})
"""A list of what something applies to; None is everything. Also for settings whose absence forbids."""
FREE: Final = msgspec.Meta(extra={_EXTRA: "free"})
"""Says nothing about what passes: a command, a text for people."""


def in_order(*names: str) -> msgspec.Meta:
    """One of these, the laxest first."""
    return msgspec.Meta(extra={_EXTRA: names})


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "higher": lambda floor, found: bool(found >= floor),
    "lower": lambda floor, found: bool(found <= floor),
    "subset": lambda floor, found: set(found) <= set(floor),
    "superset": lambda floor, found: set(found) >= set(floor),
}


class Weakening(msgspec.Struct, frozen=True):
    """One setting that became laxer: its dotted key, what it has to be at least, and what it became."""

    key: str
    required: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.key} is {_shown(self.required)}, and would become {_shown(self.found)}"


def weakenings(floor: Any, found: Any, key: str = "") -> list[Weakening]:
    """Name every setting of a struct that is laxer in `found` than in `floor`, both of one struct type."""
    info = mi.type_info(type(floor))
    if not isinstance(info, mi.StructType):
        raise TypeError(f"{type(floor).__name__} is no struct")
    return [
        weakening
        for field in info.fields
        for weakening in _compare(
            field.type, getattr(floor, field.name), getattr(found, field.name), _join(key, field.name)
        )
    ]


def _compare(kind: mi.Type, floor: Any, found: Any, key: str) -> list[Weakening]:
    direction = _direction(kind)
    if isinstance(floor, msgspec.Struct) and found is not None:
        return weakenings(floor, found, key) if type(found) is type(floor) else [Weakening(key, floor, found)]
    if direction is None and isinstance(floor, dict) and isinstance(found, dict):
        gone = [
            Weakening(_join(key, name), floor[name], None) for name in sorted(floor.keys() - found.keys())
        ]
        value_type = kind.value_type if isinstance(kind, mi.DictType) else mi.AnyType()
        return gone + [
            weakening
            for name in sorted(floor.keys() & found.keys())
            for weakening in _compare(value_type, floor[name], found[name], _join(key, name))
        ]
    return [] if _as_strict(direction, floor, found) else [Weakening(key, floor, found)]


def _direction(kind: mi.Type) -> Any:
    return (kind.extra or {}).get(_EXTRA) if isinstance(kind, mi.Metadata) else None


def _as_strict(direction: Any, floor: Any, found: Any) -> bool:
    """Say whether a value asks for at least as much; without a direction, only the same does."""
    if direction == "free" or bool(floor == found):
        return True
    if floor is None:
        return direction in {"higher", "lower", "subset"}
    if found is None:
        return bool(direction == "superset")
    if isinstance(direction, tuple):
        ranks = list(map(str, direction))
        return ranks.index(str(found)) >= ranks.index(str(floor))
    compare = _COMPARISONS.get(direction)
    return bool(compare and compare(floor, found))


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    plain = msgspec.to_builtins(value, str_keys=True)
    return msgspec.json.encode(plain).decode()
