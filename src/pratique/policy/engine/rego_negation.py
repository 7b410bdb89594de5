"""Negation and iteration, which engines read differently: what is refused, and how OPA is told what is meant.

`not E` holds when E has no solution: where it is false, or anything in it is undefined. So the default
engine has it. OPA's compiler takes the arguments of a call out of the negation first, so that an undefined
one leaves the whole rule undefined: `not startswith(item.name, "x")` holds for no item without a name, and
a denial that rests on it passes what it should find. OPA is given `[1 | E] == []` instead, which says the
same on the same line, and which it cannot take apart.

In a negation every variable must have been bound outside of it. OPA's compiler sees to that, but not once a
negation is spelled out; the default engine lets one stand for any value, or evaluates nothing.

`some x in V`, where V is text, a number, a boolean or null, is an error in the default engine, and nothing in
OPA, whose rule then stays silent on evidence of another shape. OPA is given `some x in CHECKED(V)`.

Standard library only: the engine's worker process imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pratique.policy.engine.rego_tree import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Node = Any
_WORD = b"not"
_BEFORE, _AFTER = b"[1 |", b"] == []"
CHECKED = "data.pratique_spelled.collection"
"""A function that gives a collection back, and fails on anything else that is defined."""
CHECKED_MODULE = """package pratique_spelled

numbers := {"array": "1", "object": "1", "set": "1"}

collection(v) := {1: v}[to_number(object.get(numbers, type_name(v), type_name(v)))]
"""
"""It; in words that are the same in either version of the language."""
_COMPREHENSIONS = {"ArrayCompr", "SetCompr", "ObjectCompr"}
# What is plainly a collection, or plainly none: a string is refused by OPA's compiler.
_WRITTEN_OUT = {"Array", "Set", "Object", "String", "RawString", *_COMPREHENSIONS}
_WILDCARD = "_"


def spelled_out(tree: Node) -> str:
    """Give a module's source with each negation as a comprehension that is empty, each iteration checked.

    Lines stay.
    """
    text: bytes = tree["source"]["contents"].encode("utf-8")
    edits = []
    for node in walk(tree["ast"]["rules"]):
        if "NotExpr" in node:
            span = node["NotExpr"]["span"]
            end = span["end"] + _ends_in_text(node["NotExpr"])
            edits += [(span["start"], len(_WORD), _BEFORE), (end, 0, _AFTER)]
        if "SomeIn" in node and not _WRITTEN_OUT & node["SomeIn"]["collection"].keys():
            ((_, collection),) = node["SomeIn"]["collection"].items()
            span = collection["span"]
            edits += [(span["start"], 0, f"{CHECKED}(".encode()), (span["end"], 0, b")")]
    # From the end, so that positions stay; where one ends with another, both ends are the same.
    for start, length, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[start + length :]
    return text.decode("utf-8")


def _ends_in_text(negation: Node) -> bool:
    """Whether a negation ends in a string; the places of strings are without their closing quote."""
    strings = (node.get("String") or node.get("RawString") for node in walk(negation["expr"]))
    return any(found["span"]["end"] == negation["span"]["end"] for found in strings if found)


def unbound(rule: Node, text: bytes, known: Collection[str]) -> Iterator[tuple[Node, str]]:
    """Yield each negation of a rule that has a variable of its own, with the variable's name.

    Args:
        rule: the rule's syntax tree.
        text: the module's, as `every` has its variables' places only.
        known: names that are no variables: rules, functions, imports, `input`, `data`.
    """
    negations = [node["NotExpr"] for node in walk(rule) if "NotExpr" in node]
    if not negations:
        return
    elsewhere = set(_variables(rule, leave=_is_negation)) | set(known)
    for every in (node["Every"] for node in walk(rule) if "Every" in node):
        places = (place for place in (every["key"], every["value"]) if place)
        elsewhere.update(text[place["start"] : place["end"]].decode() for place in places)
    elsewhere.update(name for item in negations for name in _inner(item["expr"]))
    for item in negations:
        for name in _variables(item["expr"], leave=_is_comprehension):
            if name == _WILDCARD or name not in elsewhere:
                yield item, name


def _inner(expression: Node) -> Iterator[str]:
    """Yield the variables of an expression's comprehensions, but for their own negations' alone."""
    for node in walk(expression):
        for kind in _COMPREHENSIONS & node.keys():
            yield from _variables(node[kind], leave=_is_negation)


def _is_negation(node: Node) -> bool:
    return "NotExpr" in node


def _is_comprehension(node: Node) -> bool:
    return bool(_COMPREHENSIONS & node.keys())


def _variables(root: Node, leave: Any) -> Iterator[str]:
    """Yield names of variables, functions' left out, without going into what is to be left."""
    pending = [root]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict) and not leave(item):
            if "Var" in item:
                yield item["Var"]["value"]
            call = item.get("Call")
            pending.extend([call["params"]] if call else item.values())
