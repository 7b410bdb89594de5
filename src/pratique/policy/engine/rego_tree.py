"""Walking a syntax tree, regorus's or OPA's. Standard library only: the worker process imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def walk(root: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a tree, without recursion."""
    pending = [root]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
