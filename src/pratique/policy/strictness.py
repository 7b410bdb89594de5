"""What "stricter" means for each setting of a policy, and the check that nobody made one laxer.

A setting says its direction in its type, as `Annotated[..., HIGHER]` and so on; what says nothing is fixed:
it may not be changed at all. So a new setting cannot be weakened by having been forgotten here. Structs are
compared member by member, tables entry by entry: an entry may be added where its key is new, and none may go.

Two directions need care. A limit on age is stricter when lower only because old evidence still speaks
against an artifact (`standing`). Who may sign is fixed both ways: fewer signers are fewer objections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTRA: Final = "stricter"
HIGHER: Final = msgspec.Meta(extra={_EXTRA: "higher"})
"""A number, a yes, or a struct of settings; None asks for nothing."""
LOWER: Final = msgspec.Meta(extra={_EXTRA: "lower"})
"""A number; None sets no limit."""
SUBSET: Final = msgspec.Meta(extra={_EXTRA: "subset"})
"""A list of what is accepted; None accepts anything."""
ALLOWED: Final = msgspec.Meta(extra={_EXTRA: "allowed"})
"""A list of what is accepted, where an empty one accepts anything."""
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
    "allowed": lambda floor, found: not floor or (bool(found) and set(found) <= set(floor)),
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
    return [
        weakening
        for name, kind in settings_of(type(floor)).items()
        for weakening in _compare(kind, getattr(floor, name), getattr(found, name), _join(key, name))
    ]


def settings_of(struct: type) -> dict[str, Any]:
    """Give a struct's members with their types, annotations included."""
    return get_type_hints(struct, include_extras=True)


def direction_of(kind: Any) -> Any:
    """Give the direction that a type says, or None."""
    for meta in getattr(kind, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.extra and _EXTRA in meta.extra:
            return meta.extra[_EXTRA]
    return None


def _compare(kind: Any, floor: Any, found: Any, key: str) -> list[Weakening]:
    direction = direction_of(kind)
    if isinstance(floor, msgspec.Struct) and found is not None:
        return weakenings(floor, found, key) if type(found) is type(floor) else [Weakening(key, floor, found)]
    if direction is None and isinstance(floor, dict) and isinstance(found, dict):
        gone = [
            Weakening(_join(key, name), floor[name], None) for name in sorted(floor.keys() - found.keys())
        ]
        value_kind = get_args(kind)[1] if get_origin(kind) is dict else None
        return gone + [
            weakening
            for name in sorted(floor.keys() & found.keys())
            for weakening in _compare(value_kind, floor[name], found[name], _join(key, name))
        ]
    return [] if _as_strict(direction, floor, found) else [Weakening(key, floor, found)]


def _as_strict(direction: Any, floor: Any, found: Any) -> bool:
    """Say whether a value asks for at least as much; without a direction, only the same does."""
    if direction is None:
        return bool(floor == found)
    if direction == "free":
        return True
    if floor is None:
        return found is None or direction in {"higher", "lower", "subset"}
    if found is None:
        return bool(direction == "superset")
    if isinstance(direction, tuple):
        ranks = list(map(str, direction))
        return ranks.index(str(found)) >= ranks.index(str(floor))
    return _COMPARISONS[direction](floor, found)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    return msgspec.json.encode(value).decode()
