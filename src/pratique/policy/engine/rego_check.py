"""Static checks on parsed Rego that the engine itself makes late, or not at all.

Regorus reports an undefined function, a wrong number of arguments, recursion or a forbidden function only
when evaluation reaches the line, and some things (`http.send`, a `data` reference to nothing) never; a rule
that is wrong but unreached is a rule that silently passes. So the syntax tree is walked before anything is
evaluated. The tree, not the text, is what is checked: it is what the engine runs, and in it neither a
comment, a string nor `http["send"]` can hide a call.

Standard library only: the engine's worker process imports it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pratique.policy.engine.builtins import ARITY
from pratique.policy.engine.rego_negation import unbound
from pratique.policy.engine.rego_tree import walk

if TYPE_CHECKING:
    from collections.abc import Collection

Node = Any
Path = tuple[str, ...]
# What a node holds that is looked at.
_CHECKED = frozenset({"Call", "Membership", "NotExpr", "UnaryExpr", "with_mods"})
_ENTRY = re.compile(r"(deny|violation|warn)(_\w+)*\Z")
# What exempts from a `deny` or `violation`: evaluated as these are, but nothing that could refuse.
_EXCEPTION = "exception"
# Functions that Conforma's own engine adds to OPA's.
_CONFORMA = "ec."
_TEST = re.compile(r"(todo_)?test_\w+\Z")


class RegoError(Exception):
    """A module that is refused; `phase` is `compile` or `capability`."""

    def __init__(self, phase: str, message: str) -> None:
        super().__init__(message)
        self.phase = phase


class Module:
    """One parsed module: its package, imports and rules."""

    def __init__(self, tree: Node) -> None:
        self.file: str = tree["source"]["file"]
        self.text: bytes = tree["source"]["contents"].encode("utf-8")
        ast = tree["ast"]
        package = path_of(ast["package"]["refr"])
        if package is None or not all(re.fullmatch(r"[A-Za-z_]\w*", part) for part in package):
            raise RegoError("compile", f"{self.file}: the package name must be plain words joined by dots")
        self.package: Path = package
        self.imports = dict(self._import(node) for node in ast["imports"])
        self.rules = [(self._name(rule), rule) for rule in ast["rules"]]

    def _import(self, node: Node) -> tuple[str, Path]:
        path = path_of(node["refr"])
        if path is None or path[0] not in {"data", "input", "rego", "future"}:
            raise RegoError("compile", f"{self.where(node)}: only data, input and rego.v1 can be imported")
        alias = node.get("as")
        return (self.text[alias["start"] : alias["end"]].decode() if alias else path[-1]), path

    def line_at(self, offset: int) -> int:
        """Give the line, from 1, that a byte of the text is on."""
        return self.text.count(b"\n", 0, offset) + 1

    @staticmethod
    def _name(rule: Node) -> str:
        head = rule["Default"] if "Default" in rule else next(iter(rule["Spec"]["head"].values()))
        node = head["refr"]
        while "Var" not in node:
            node = next(iter(node.values()))["refr"]
        name: str = node["Var"]["value"]
        return name

    def where(self, node: Node) -> str:
        """Give `file:line` of a node, as far as it has one."""
        span = node.get("span") or next(
            (value["span"] for value in node.values() if isinstance(value, dict) and "span" in value), None
        )
        return f"{self.file}:{span['line']}" if span else self.file


class TestRule(NamedTuple):
    """Where a test rule is; lines count from 1."""

    package: str
    name: str
    file: str
    line: int
    last_line: int


def check(trees: list[Node], data: Collection[str]) -> list[tuple[str, str]]:
    """Check all modules together, and list the entry points as (package, rule name).

    Args:
        trees: the modules.
        data: the top-level keys of the data document.

    Raises:
        RegoError: see the module's description; the first offence found, in a fixed order.
    """
    modules = _modules(trees)
    entries = {entry for module in modules for entry in _entry_points(module)}
    _check_used(modules, _check_all(modules, data, testing=False))
    return sorted(entries)


def check_tests(trees: list[Node], data: Collection[str]) -> list[TestRule]:
    """Check modules that are there to be tested, and list the test rules by file and line.

    Raises:
        RegoError: as `check`; modules need no entry points here, and `with` may replace functions.
    """
    modules = _modules(trees)
    _check_all(modules, data, testing=True)
    return sorted(
        (test for module in modules for test in _tests(module)), key=lambda test: (test.file, test.line)
    )


def _modules(trees: list[Node]) -> list[Module]:
    return sorted((Module(tree) for tree in trees), key=lambda module: module.file)


def _check_all(modules: list[Module], data: Collection[str], *, testing: bool) -> dict[str, set[Path]]:
    """Check rule by rule, walking each tree once for what stands in it and once for its references.

    Returns:
        the rules that each file refers to.
    """
    rules = {(*module.package, name) for module in modules for name, _ in module.rules}
    functions = _functions(modules)
    edges: dict[Path, set[Path]] = {name: set() for name in rules}
    used: dict[str, set[Path]] = {module.file: set() for module in modules}
    for module in modules:
        for name, rule in module.rules:
            nodes = [node for node in walk(rule) if not _CHECKED.isdisjoint(node)]
            _check_calls(module, nodes, functions)
            _check_with(module, nodes, functions, testing=testing)
            if any("NotExpr" in node for node in nodes):
                _check_negations(module, rule)
            named, evaluated = (list(_references(part)) for part in _halves(rule))
            _check_data(module, named + evaluated, rules, data)
            edges[*module.package, name] |= _all_targets(module, evaluated, rules)
            used[module.file] |= _all_targets(module, named, rules)
            used[module.file] |= edges[*module.package, name]
    _check_recursion(edges)
    return used


def _halves(rule: Node) -> tuple[Node, Node]:
    """Split a rule into what names it and what is evaluated for it."""
    if "Spec" not in rule:
        return rule, []
    spec = rule["Spec"]
    heads = [value for head in spec["head"].values() for key, value in head.items() if key != "refr"]
    return [head["refr"] for head in spec["head"].values()], [heads, spec["bodies"]]


def path_of(node: Node) -> Path | None:
    """Give a reference's path if all its parts are fixed: `a.b`, `a["b"]`; None otherwise."""
    if "Var" in node:
        return (node["Var"]["value"],)
    if "RefDot" in node:
        below = path_of(node["RefDot"]["refr"])
        return below and (*below, node["RefDot"]["field"][1])
    if "RefBrack" in node and "String" in node["RefBrack"]["index"]:
        below = path_of(node["RefBrack"]["refr"])
        return below and (*below, node["RefBrack"]["index"]["String"]["value"])
    return None


def _entry_points(module: Module) -> set[tuple[str, str]]:
    found = set()
    for name, rule in module.rules:
        if _ENTRY.match(name) or name == _EXCEPTION:
            if not _collects(rule):
                raise RegoError(
                    "compile",
                    f"{module.where(next(iter(rule.values())))}: {name} is not a set of findings;"
                    f" write `{name} contains finding if {{ … }}`",
                )
            found.add((".".join(module.package), name))
    return found


def _collects(rule: Node) -> bool:
    """Whether a rule is a set or, as Conftest takes it too, a list of something under a condition."""
    spec = rule.get("Spec", {})
    if "Set" in spec.get("head", {}):
        return True
    assign = spec.get("head", {}).get("Compr", {}).get("assign") or {}
    return bool(assign.get("value", {}).get("Array", {}).get("items")) and bool(spec.get("bodies"))


def _check_used(modules: list[Module], used: dict[str, set[Path]]) -> None:
    """Refuse a module that could refuse nothing and that no other uses: most likely a misspelt `deny`."""
    if not any(_ENTRY.match(name) for module in modules for name, _ in module.rules):
        raise RegoError(
            "compile",
            f"{modules[0].file}: no rule named deny or warn, so nothing in it could refuse anything",
        )
    for module in modules:
        mine = {(*module.package, name) for name, _ in module.rules}
        if not mine or any(_ENTRY.match(name[-1]) or name[-1] == _EXCEPTION for name in mine):
            continue
        if not any(mine & targets for file, targets in used.items() if file != module.file):
            raise RegoError(
                "compile",
                f"{module.file}: no rule named deny or warn, and no other module uses it,"
                " so nothing in it could refuse anything",
            )


def _all_targets(module: Module, references: list[tuple[Node, Path]], rules: set[Path]) -> set[Path]:
    return {target for _, path in references for target in _targets(module, path, rules)}


def _tests(module: Module) -> list[TestRule]:
    found: dict[str, TestRule] = {}
    for name, rule in module.rules:
        if not _TEST.match(name):
            continue
        node = next(iter(rule.values()))
        if name in found:
            raise RegoError(
                "compile", f"{module.where(node)}: {name} is there twice; one could hide the other's failure"
            )
        if "Compr" not in rule.get("Spec", {}).get("head", {}):
            raise RegoError("compile", f"{module.where(node)}: {name} is no test; write `{name} if {{ … }}`")
        span = node["span"]
        found[name] = TestRule(
            ".".join(module.package), name, module.file, span["line"], module.line_at(span["end"])
        )
    return list(found.values())


def _functions(modules: list[Module]) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for module in modules:
        for name, rule in module.rules:
            head = rule.get("Spec", {}).get("head", {})
            if "Func" in head:
                found[*module.package, name] = len(head["Func"]["args"])
    return found


def _check_calls(module: Module, nodes: list[Node], functions: dict[Path, int]) -> None:
    for node in nodes:
        if (node.get("Membership") or {}).get("key"):
            raise RegoError(
                "capability",
                f"{module.where(node['Membership'])}: engines disagree on `key, value in …` as a test;"
                " write `some key, value in …`",
            )
        if "UnaryExpr" in node and "Number" not in node["UnaryExpr"]["expr"]:
            raise RegoError(
                "capability",
                f"{module.where(node['UnaryExpr'])}: engines disagree on `-` before what is no number;"
                " write `0 - …`",
            )
        call = node.get("Call")
        if call is None:
            continue
        path = path_of(call["fcn"])
        if path is None:
            raise RegoError("capability", f"{module.where(call)}: a function must be called by its name")
        arity = _arity(module, path, functions)
        name, given = ".".join(path), len(call["params"])
        if arity is None and name.startswith(_CONFORMA):
            raise RegoError(
                "capability",
                f"{module.where(call)}: {name} is a function of Conforma's own engine, which reaches"
                " registries or verifies signatures; that is done before Rego here: docs/policy-language.md",
            )
        if arity is None:
            raise RegoError(
                "capability",
                f"{module.where(call)}: {name} is no function that rules may call; docs/policy.md lists them",
            )
        if given != arity:
            raise RegoError("compile", f"{module.where(call)}: {name} takes {arity} arguments, not {given}")
        if name == "glob.match":
            _check_glob(module, call)


def _check_glob(module: Module, call: Node) -> None:
    """Refuse patterns with more than `*`: engines have other ideas of classes, braces, `?` and delimiters."""
    pattern, delimiters, _ = call["params"]
    found = pattern.get("String") or pattern.get("RawString")
    if (found and re.search(r"[\[\]{}?\\]", found["value"])) or "Null" not in delimiters:
        raise RegoError(
            "capability",
            f"{module.where(call)}: engines disagree on glob.match but for `*` and without delimiters (null);"
            " write regex.match",
        )


def _check_negations(module: Module, rule: Node) -> None:
    known = {name for name, _ in module.rules} | set(module.imports) | {"input", "data"}
    for node, name in unbound(rule, module.text, known):
        raise RegoError(
            "compile",
            f"{module.where(node)}: unsafe: {name} must have a value before `not`; write a rule of its own"
            " for what shall not be",
        )


def _check_with(module: Module, nodes: list[Node], functions: dict[Path, int], *, testing: bool) -> None:
    """Restrict what `with` replaces: a value, or in tests a built-in function by what rules may call.

    A module's own functions are not replaced reliably: the engine compares the call's spelling.
    """
    allowed = "input, data and built-in functions" if testing else "input and data"
    for node in nodes:
        for mod in node.get("with_mods") or ():
            target = path_of(mod["refr"])
            resolved = _resolve(module, target) if target else ("",)
            value = resolved[0] in {"input", "data"} and resolved[1:] not in functions
            if not value and not (testing and target and _replaced(module, target, mod["as"], functions)):
                raise RegoError("capability", f"{module.where(mod)}: `with` may replace {allowed} only")


def _replaced(module: Module, target: Path, value: Node, functions: dict[Path, int]) -> bool:
    """Whether a built-in function is replaced by a plain value or by a function that rules may call."""
    if ".".join(target) not in ARITY or _resolve(module, target)[0] == "data":
        return False
    if not value.keys() & {"Var", "RefDot", "RefBrack"}:
        return True
    path = path_of(value)
    return path is not None and _arity(module, path, functions) is not None


def _arity(module: Module, path: Path, functions: dict[Path, int]) -> int | None:
    resolved = _resolve(module, path)
    if resolved[0] == "data":
        return functions.get(resolved[1:])
    return functions.get((*module.package, *path), ARITY.get(".".join(path)))


def _check_data(
    module: Module, references: list[tuple[Node, Path]], rules: set[Path], data: Collection[str]
) -> None:
    """Refuse a reference to neither a rule nor data that is there: it would be silently undefined."""
    for node, path in references:
        full = _resolve(module, path)
        if full[0] != "data" or (len(full) > 1 and full[1] in data):
            continue
        if not _reachable(full[1:], rules):
            inner = next(iter(node.values()))
            raise RegoError(
                "compile", f"{module.where(inner)}: {'.'.join(full)} is neither a rule nor rule data"
            )


def _check_recursion(edges: dict[Path, set[Path]]) -> None:
    done: set[Path] = set()
    for start in sorted(edges):
        _visit(start, edges, done)


def _visit(start: Path, edges: dict[Path, set[Path]], done: set[Path]) -> None:
    trail = [start]
    pending = [iter(sorted(edges[start]))] if start not in done else []
    while pending:
        following = next(pending[-1], None)
        if following is None:
            done.add(trail.pop())
            pending.pop()
        elif following in trail:
            cycle = [*trail[trail.index(following) :], following]
            raise RegoError("compile", "recursion: " + " → ".join(".".join(name) for name in cycle))
        elif following not in done:
            trail.append(following)
            pending.append(iter(sorted(edges[following])))


def _targets(module: Module, path: Path, rules: set[Path]) -> set[Path]:
    """Find the rules a reference may evaluate; a dynamic one may reach all below its fixed part."""
    full = _resolve(module, path)
    if full[0] == "data":
        return _reachable(full[1:], rules)
    return {(*module.package, path[0])} & rules


def _reachable(path: Path, rules: set[Path]) -> set[Path]:
    return {name for name in rules if name == path[: len(name)] or path == name[: len(path)]}


def _resolve(module: Module, path: Path) -> Path:
    imported = module.imports.get(path[0])
    return (*imported, *path[1:]) if imported and path[0] not in {"data", "input"} else path


def _references(root: Node) -> Any:
    """Yield each whole reference once, with the fixed part of its path that starts at a variable."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            if not node.keys() & {"Var", "RefDot", "RefBrack"}:
                pending.extend(node.values())
            elif path := _fixed_part(node, pending):
                yield node, path


def _fixed_part(node: Node, pending: list[Node]) -> Path:
    """Walk down a reference; what is not part of its path goes to `pending`."""
    parts: list[str | None] = []
    while "Var" not in node:
        if "RefDot" in node:
            node, part = node["RefDot"]["refr"], node["RefDot"]["field"][1]
        elif "RefBrack" in node:
            index = node["RefBrack"]["index"]
            node, part = node["RefBrack"]["refr"], index.get("String", {}).get("value")
            pending.append(index)
        else:
            pending.append(node)
            return ()
        parts.append(part)
    path = [node["Var"]["value"], *reversed(parts)]
    return tuple(path[: path.index(None)] if None in path else path)
