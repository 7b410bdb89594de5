"""Two engines that must agree: a rule that one of them reads differently decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.model.strict_json import canonical_json
from pratique.policy.engine.port import Answer, EngineError, RuleSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.engine.port import Document, Engine, Module, TestAnswer

_SHOWN: Final = 300


class BothEngines:
    """An adapter of `port.Engine` that asks two and answers only what both do."""

    def __init__(self, first: Engine, second: Engine) -> None:
        self._engines = (first, second)
        self.name = f"{first.name}+{second.name}"
        self.version = f"{first.version}+{second.version}"

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: Document) -> Answer:
        """See `port.Engine`; a set that differs is an error that names it."""
        first, second = (engine.evaluate(modules, data, document) for engine in self._engines)
        here, there = (_by_rule(answer.sets) for answer in (first, second))
        for rule in sorted(here.keys() | there.keys()):
            only = sorted(here.get(rule, set()) ^ there.get(rule, set()))
            if (rule in here) != (rule in there) or only:
                one = self._engines[0 if rule in here and set(only) & here[rule] else 1]
                shown = only[0].decode()[:_SHOWN] if only else "the rule itself"
                raise EngineError(
                    "eval", f"the engines disagree on {'.'.join(rule)}: only {one.name} has {shown}"
                )
        return Answer(
            sets=first.sets, isolation=tuple(item for item in first.isolation if item in second.isolation)
        )

    def test(self, modules: Mapping[str, Module], data: dict[str, Any]) -> TestAnswer:
        """Run the tests on the first engine."""
        return self._engines[0].test(modules, data)


def _by_rule(sets: tuple[RuleSet, ...]) -> dict[tuple[str, str], set[bytes]]:
    try:
        return {
            (item.package, item.name): {canonical_json(member) for member in item.members} for item in sets
        }
    except MalformedError as error:
        raise EngineError("eval", f"a rule set cannot be compared: {error.message}") from error
