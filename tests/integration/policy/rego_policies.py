# ruff: noqa: E501, FBT003, C901, PLR0911 - tables, and a grammar, which is one long choice
"""Small Rego policies and inputs for them, as hypothesis strategies: what two engines are compared on.

Values come mostly from the input, so that OPA's type checker, which the default engine has none of, has little
to say about them; members that are not there, and arguments of the wrong type, are part of it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from pratique.policy.engine.builtins import ARITY

Scope = tuple[str, ...]

TEXTS: Final = (
    "", "a", "ab", "A", "é", "ß", "İ", "\u2028", "\x00", "\ufeff", "😀", "e\u0301", "a/b", "*", "a*", "{a,b}", "[a-c]",
    "a.b", "1", "01", "-1", "1e2", "0x10", "1.0", " 1", "true", "null", "%d", "%s", "%v", "%", "\\", '"', "`", "\n",
    "1.2.3", "1.2.3-rc.1", "v1.2.3", "1.2", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+01:00", "YQ==", "YQ", "6162",
    '{"a": 1}', "[1, 2", "(a|b)+", "^a$", "(?i)A", "\\d", "a b", "a,b,,c", "x" * 40,
)  # fmt: skip
NUMBERS: Final = (
    0,
    1,
    2,
    3,
    -1,
    -2,
    10,
    0.5,
    -0.5,
    1.5,
    2.5,
    1e3,
    1e21,
    9007199254740993,
    -9007199254740993,
    2**63,
    1e-7,
)

scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(("a", "b", "k", "é", "")), inner, max_size=3),
    ),
    max_leaves=5,
)
documents = st.fixed_dictionaries(
    {
        "s": st.sampled_from(TEXTS),
        "t": st.sampled_from(TEXTS),
        "n": st.sampled_from(NUMBERS),
        "m": st.sampled_from(NUMBERS),
        "l": st.lists(values, max_size=4),
        "ss": st.lists(st.sampled_from(TEXTS), max_size=4),
        "ns": st.lists(st.sampled_from(NUMBERS), max_size=4),
        "o": st.dictionaries(st.sampled_from(("a", "b", "k", "1", "é")), values, max_size=4),
    },
    optional={"v": values, "w": values, "yes": st.just(True), "no": st.just(False)},
)

# What a function usually gets: s text, n number, l list, o object, e set, b boolean, c collection, v anything.
KINDS: Final = {
    "abs": "n", "array.reverse": "l", "base64.decode": "s", "base64.encode": "s", "base64.is_valid": "s",
    "bits.negate": "n", "ceil": "n", "count": "c", "floor": "n", "glob.quote_meta": "s", "hex.decode": "s",
    "hex.encode": "s", "intersection": "E", "json.is_valid": "s", "json.marshal": "v", "json.unmarshal": "s",
    "lower": "s", "max": "c", "min": "c", "object.keys": "o", "object.union_n": "O", "product": "N",
    "regex.is_valid": "s", "round": "n", "semver.is_valid": "s", "sort": "c", "strings.reverse": "s", "sum": "N",
    "time.parse_rfc3339_ns": "s", "to_number": "s", "trim_space": "s", "type_name": "v", "union": "E", "upper": "s",
    "array.concat": "ll", "concat": "sS", "contains": "ss", "endswith": "ss", "format_int": "nn", "indexof": "ss",
    "json.filter": "oS", "json.remove": "oS", "numbers.range": "ii", "object.filter": "oS", "object.remove": "oS",
    "object.subset": "oo", "object.union": "oo", "regex.match": "ss", "regex.split": "ss", "semver.compare": "ss",
    "split": "ss", "sprintf": "fa", "startswith": "ss", "strings.any_prefix_match": "SS",
    "strings.any_suffix_match": "SS", "time.diff": "nn", "trim": "ss", "trim_left": "ss", "trim_prefix": "ss",
    "trim_right": "ss", "trim_suffix": "ss", "array.slice": "lii", "glob.match": "gds", "object.get": "ovv",
    "regex.find_n": "ssi", "regex.replace": "sss", "replace": "sss", "substring": "sii",
}  # fmt: skip
ROOTS: Final = {
    "s": ("input.s", "input.t", "input.o.k", "input.ss[0]"),
    "n": ("input.n", "input.m", "input.ns[0]", "count(input.l)"),
    # Of these two only what engines agree on: docs/policy.md.
    "f": ('"%v"', '"a %v b"'),
    "a": ("[input.s]", "[true]", "[null]"),
    "g": ('"*"', '"a*"', '"*b"', '"a*c*"', '"é*"', '"a.b"'),
    "d": ("null",),
    "i": ("0", "1", "2", "3", "-1", "5"),
    "l": ("input.l", "input.ss", "input.ns", "[]"),
    "S": ("input.ss", "input.ss", "{input.s}", "[input.t, input.s]", "{x | some x in input.ss}"),
    "N": ("input.ns", "input.ns", "{input.n}", "{x | some x in input.ns}"),
    "o": ("input.o", "input.o", "input", "{}", '{"a": input.v, "b": 1}'),
    "O": ("[input.o, {}]", '[{"a": 1}, input.o]', '[{"a": {"b": 1}}, input.o]'),
    "e": ("set()", "{x | some x in input.l}", "{1, input.n}", "{x | some x in input.ss}"),
    "E": ("{{input.s}, {1}}", "{{x | some x in input.l}, {input.v}}", "{set()}"),
    "c": ("input.l", "input.o", "input.s", "input.ns"),
    "v": ("input.v", "input.w", "input.o.a", "input.absent", "input.l[1]", "input.yes"),
}
COMPARISONS: Final = ("==", "==", "!=", "<", "<=", ">", ">=")


class _Writer:
    """Writes one policy; a rule may use only those before it, as Rego has no recursion."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.rules: dict[str, list[str]] = {}
        self.functions = False

    def pick(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(tuple(choices)))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == one_in)

    def known(self, kind: str) -> str:
        """Give a term of a kind that stands for itself."""
        return self.pick((*ROOTS[kind], *self.rules.get(kind, ())))

    def policy(self) -> str:
        lines = ["package fuzz", f"thing := {self.term((), 2)} if {{ {self.body((), 1)} }}"]
        self.rules = {"v": ["thing"]}
        lines.append(f"shown(y) := {self.term(('y',), 1)} if {{ {self.body(('y',), 1)} }}")
        self.functions = True
        if self.chance(2):
            lines.append(f"things contains {self.term(('x',), 1)} if {{ some x in {self.of((), 'c', 1)} }}")
            self.rules |= {"c": ["things"], "e": ["things"]}
        if self.chance(2):
            default = json.dumps(self.draw(scalars))
            lines.append(f"default last := {default}\nlast := {self.term((), 1)} if {{ {self.body((), 1)} }}")
        else:
            lines.append(f"last := 1 if {{ {self.body((), 1)} }} else := {self.term((), 1)}")
        self.rules["v"].append("last")
        lines += [f"deny contains {self.term((), 1)} if {{ {self.body((), 2)} }}" for _ in range(2)]
        return "\n".join(lines) + "\n"

    def body(self, scope: Scope, depth: int) -> str:
        parts = []
        for _ in range(self.pick((1, 1, 2, 2, 3))):
            text, scope = self.literal(scope, depth)
            parts.append(text)
        return "; ".join(parts)

    def literal(self, scope: Scope, depth: int) -> tuple[str, Scope]:
        kind = self.pick(("test", "test", "not", "not", "some", "assign", "every", "in", "with", "pair"))
        name = f"v{len(scope)}"
        if kind == "not":
            return f"not {self.test(scope, depth)}", scope
        if kind == "some":
            return f"some {name} in {self.of(scope, 'c', depth - 1)}; {name} == {name}", (*scope, name)
        if kind == "pair":
            other = f"v{len(scope) + 1}"
            said = f"some {name}, {other} in {self.of(scope, 'c', depth - 1)}; [{name}, {other}] != []"
            return said, (*scope, name, other)
        if kind == "assign":
            return f"{name} := {self.term(scope, depth - 1)}", (*scope, name)
        if kind == "every":
            inner = (*scope, name)
            return (
                f"every {name} in {self.of(scope, 'c', depth - 1)} {{ {name} == {name}; {self.test(inner, depth - 1)} }}",
                scope,
            )
        if kind == "in":
            return f"{self.term(scope, 1)} in {self.of(scope, 'c', depth - 1)}", scope
        if kind == "with":
            what = self.pick(("input.v", "input.s", "input.l", "input.new"))
            return f"{self.test(scope, depth)} with {what} as {self.term(scope, 1)}", scope
        return self.test(scope, depth), scope

    def test(self, scope: Scope, depth: int) -> str:
        kind = self.pick(("compare", "compare", "call", "term", "in", "shown"))
        if kind == "compare":
            sign = self.pick(COMPARISONS)
            return f"{self.known('v')} {sign} {self.term(scope, depth - 1)}"
        if kind == "call":
            return self.call(scope, depth)
        if kind == "in":
            return f"{self.term(scope, depth - 1)} in {self.of(scope, 'c', depth - 1)}"
        if kind == "shown" and self.functions:
            return f"shown({self.term(scope, depth - 1)})"
        return self.term(scope, depth)

    def call(self, scope: Scope, depth: int) -> str:
        name = self.pick(sorted(ARITY))
        kinds = KINDS.get(name, "v" * ARITY[name])
        return f"{name}({', '.join(self.of(scope, kind, depth - 1) for kind in kinds)})"

    def of(self, scope: Scope, kind: str, depth: int) -> str:
        """Give a term of a kind, now and then of another."""
        if self.chance(40):
            return self.term(scope, depth)
        if kind == "s" and self.chance(2):
            return json.dumps(self.pick(TEXTS))
        if scope and kind in "sc" and self.chance(4):
            return self.pick(scope)
        return self.known(kind)

    def term(self, scope: Scope, depth: int) -> str:
        if depth <= 0 or self.chance(4):
            if scope and self.chance(2):
                return self.pick(scope)
            if self.chance(2):
                return json.dumps(self.draw(scalars))
            return self.known(self.pick("snlovve"))
        kind = self.pick(
            (
                "call",
                "call",
                "array",
                "set",
                "object",
                "ac",
                "sc",
                "oc",
                "math",
                "math",
                "sets",
                "ref",
                "shown",
            )
        )
        if kind == "call":
            return self.call(scope, depth)
        if kind == "array":
            return f"[{', '.join(self.term(scope, depth - 1) for _ in range(self.pick((0, 1, 2, 3))))}]"
        if kind == "set":
            return f"{{{', '.join(self.term(scope, depth - 1) for _ in range(self.pick((1, 2, 3))))}}}"
        if kind == "object":
            return f"{{{json.dumps(self.pick(TEXTS))}: {self.term(scope, depth - 1)}}}"
        name = f"c{len(scope)}"
        inner = (*scope, name)
        if kind in {"ac", "sc", "oc"}:
            body = f"some {name} in {self.of(scope, 'c', depth - 1)}; {name} == {name}; {self.body(inner, depth - 1)}"
            head = self.term(inner, depth - 1)
            if kind == "oc":
                body = body.replace(f"some {name} in", f"some k{len(scope)}, {name} in", 1)
                return f"{{k{len(scope)}: {head} | {body}}}"
            return f"[{head} | {body}]" if kind == "ac" else f"{{{head} | {body}}}"
        if kind == "math":
            sign = self.pick(("+", "-", "*", "/", "%"))
            return f"({self.of(scope, 'n', depth - 1)} {sign} {self.of(scope, 'n', depth - 1)})"
        if kind == "sets":
            sign = self.pick(("|", "&", "-"))
            return f"({self.of(scope, 'e', depth - 1)} {sign} {self.of(scope, 'e', depth - 1)})"
        if kind == "shown" and self.functions:
            return f"shown({self.term(scope, depth - 1)})"
        base = self.pick(("input.o", "input.l", "input.v", self.known("o"), "input", "input.ss"))
        return f"{base}[{self.term(scope, depth - 1)}]"


@st.composite
def policies(draw: Any) -> str:
    """Give a policy's text."""
    return _Writer(draw).policy()
