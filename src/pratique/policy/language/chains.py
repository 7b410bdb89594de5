"""`rego.metadata.chain()`, `rego.metadata.rule()` and `time.now_ns()`, answered before evaluation.

OPA's compiler puts the annotations in place of the first two, since they are known by then; so is this done
here, for engines that have no such functions. A call becomes a reference to data that holds the answer.
Conforma's rules make their results this way: `metadata.result_helper(rego.metadata.chain(), […])`. There is
no clock in policy: now is the effective time.

A chain is OPA's: one entry for the rule, then one for each block that speaks of it, nearest first, with
`path` and, where there are any, `annotations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.policy.language.catalogue import inherited

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pratique.policy.language.annotations import Block, Outline

ROOT: Final = "answered__"


def answer_calls(
    modules: Mapping[str, str], outlines: Sequence[Outline], now: float
) -> tuple[dict[str, str], dict[str, Any]]:
    """Replace the calls in all modules, and give the data that the replacements refer to.

    Args:
        modules: by name.
        outlines: of the same.
        now: the effective time, in nanoseconds since 1970.

    Returns:
        The modules by name, and `{chain: {n: chain}, rule: {n: annotations}, now_ns: {n: now}}`, empty where
        nothing calls.
    """
    everything = [(item.package, block) for item in outlines for block in item.blocks]
    answered = dict(modules)
    data: dict[str, Any] = {}
    for item in outlines:
        source = answered[item.file]
        for offset, length, name in reversed(item.calls):
            chain = _chain(item, offset, everything)
            answers = {"chain": chain, "rule": chain[0].get("annotations", {}), "now_ns": now}
            group = data.setdefault(name, {})
            key = next((key for key, known in group.items() if known == answers[name]), str(len(group)))
            group[key] = answers[name]
            source = f'{source[:offset]}data.{ROOT}.{name}["{key}"]{source[offset + length :]}'
        answered[item.file] = source
    return answered, data


def _chain(item: Outline, offset: int, everything: Sequence[tuple[str, Block]]) -> list[dict[str, Any]]:
    start, rule = max((head for head in item.heads if head[0] <= offset), default=(0, ""))
    package = item.package.split(".")
    entry: dict[str, Any] = {"path": [*package, rule]}
    chain = [entry]
    for block in item.blocks:
        if block.scope == "rule" and block.rule and _head_after(item, block) == start:
            entry["annotations"] = _annotations(block)
    for block in inherited(item.package, rule, everything):
        path = [*package, rule] if block.scope == "document" else package
        chain.append({"path": path, "annotations": _annotations(block)})
    return chain


def _head_after(item: Outline, block: Block) -> int:
    return next((offset for offset, _ in item.heads if offset >= block.end), -1)


def _annotations(block: Block) -> dict[str, Any]:
    return {"scope": block.scope, **block.table}
