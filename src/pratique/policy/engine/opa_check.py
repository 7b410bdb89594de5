"""What OPA's compiler leaves unchecked, looked for in OPA's own syntax trees.

OPA refuses undefined and forbidden functions, wrong arity, unbound variables, recursion and type errors by
itself, reached or not. It takes a `deny` that is no set, a module that can refuse nothing, a reference to
data that is not there, and any `with`; see `rego_check`, which does the same on the default engine's trees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pratique.policy.engine.builtins import ARITY
from pratique.policy.engine.port import EngineError
from pratique.policy.engine.rego_tree import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Path = tuple[str, ...]
_ENTRY = re.compile(r"(deny|violation|warn)(_\w+)*\Z")
_EXCEPTION = "exception"


class _Module:
    def __init__(self, file: str, tree: Any) -> None:
        self.file = file
        self.package: Path = _fixed(tree["package"]["path"])[1:]
        self.rules: list[Any] = tree.get("rules") or []
        self.names = [rule["head"]["ref"][0]["value"] for rule in self.rules]
        self.imports = {
            item.get("alias") or item["path"]["value"][-1]["value"]: _fixed(item["path"]["value"])
            for item in tree.get("imports") or []
        }

    def resolve(self, ref: list[Any]) -> Path:
        """Give the fixed part of a reference's path, imports followed."""
        path = _fixed(ref)
        if path and path[0] in self.imports:
            return (*self.imports[path[0]], *path[1:])
        return ("data", *self.package, *path) if path and path[0] in self.names else path

    def references(self) -> Iterator[Path]:
        """Yield what the rules refer to."""
        for rule in self.rules:
            body = {key: value for key, value in rule["head"].items() if key != "ref"}
            for node in walk([body, {key: value for key, value in rule.items() if key != "head"}]):
                if node.get("type") == "ref":
                    yield self.resolve(node["value"])
                elif node.get("type") == "var":
                    yield self.resolve([node])


def check(trees: Mapping[str, Any], data: Collection[str]) -> list[tuple[str, str]]:
    """Check all modules together, and list the entry points as (package, rule name).

    Args:
        trees: what `rego.parse_module` gives, by file.
        data: the top-level keys of the data document.

    Raises:
        EngineError: the first offence, in the order of the files.
    """
    modules = [_Module(file, tree) for file, tree in sorted(trees.items())]
    rules = {(*module.package, name) for module in modules for name in module.names}
    functions = {
        (*module.package, name): len(rule["head"]["args"])
        for module in modules
        for name, rule in zip(module.names, module.rules, strict=True)
        if rule["head"].get("args")
    }
    entries = {entry for module in modules for entry in _entries(module)}
    for module in modules:
        _check_with(module, functions)
        _check_arity(module, functions)
        for path in module.references():
            if (
                path[:1] == ("data",)
                and path[1:2]
                and path[1] not in data
                and not _reachable(path[1:], rules)
            ):
                raise EngineError("compile", f"{module.file}: {'.'.join(path)} is neither a rule nor data")
    _check_used(modules)
    return sorted(entries)


def _entries(module: _Module) -> Iterator[tuple[str, str]]:
    for name, rule in zip(module.names, module.rules, strict=True):
        if _ENTRY.match(name) or name == _EXCEPTION:
            head = rule["head"]
            value = head.get("value", {})
            collects = len(head["ref"]) == 1 and not head.get("args") and not rule.get("default")
            is_set = "key" in head and "value" not in head
            generated = all(part.get("generated") for part in rule["body"])
            is_list = value.get("type") == "array" and value["value"] and not generated
            if not (collects and (is_set or is_list)):
                raise EngineError(
                    "compile",
                    f"{module.file}: {name} is not a set of findings;"
                    f" write `{name} contains finding if {{ … }}`",
                )
            yield ".".join(module.package), name


def _check_arity(module: _Module, functions: Mapping[Path, int]) -> None:
    """Refuse one argument too many, which OPA takes for what the result must equal."""
    for node in walk(module.rules):
        call = node.get("value") if node.get("type") == "call" else node.get("terms")
        if not isinstance(call, list) or call[0].get("type") != "ref":
            continue
        name = ".".join(_fixed(call[0]["value"]))
        path = module.resolve(call[0]["value"])
        arity = functions.get(path[1:]) if path[:1] == ("data",) else ARITY.get(name)
        if arity is not None and arity != len(call) - 1:
            raise EngineError(
                "compile", f"{module.file}: {name} takes {arity} arguments, not {len(call) - 1}"
            )


def _check_with(module: _Module, functions: Mapping[Path, int]) -> None:
    for node in walk(module.rules):
        for item in node.get("with") or ():
            target = module.resolve(item["target"]["value"]) if item["target"]["type"] == "ref" else ()
            if target[:1] not in {("input",), ("data",)} or target[1:] in functions:
                raise EngineError("capability", f"{module.file}: `with` may replace input and data only")


def _check_used(modules: list[_Module]) -> None:
    entry = {module.file: any(_ENTRY.match(name) for name in module.names) for module in modules}
    if not any(entry.values()):
        raise EngineError(
            "compile",
            f"{modules[0].file}: no rule named deny or warn, so nothing in it could refuse anything",
        )
    for module in modules:
        if entry[module.file] or _EXCEPTION in module.names or not module.names:
            continue
        mine = {(*module.package, name) for name in module.names}
        used = (path[1:] for other in modules if other is not module for path in other.references())
        if not any(_reachable(path, mine) for path in used):
            raise EngineError(
                "compile",
                f"{module.file}: no rule named deny or warn, and no other module uses it,"
                " so nothing in it could refuse anything",
            )


def _reachable(path: Path, rules: set[Path]) -> bool:
    return any(name == path[: len(name)] or path == name[: len(path)] for name in rules)


def _fixed(ref: list[Any]) -> Path:
    """Give the leading parts of a reference that are names, not computed."""
    parts: list[str] = []
    for part in ref:
        if part["type"] != ("string" if parts else "var"):
            break
        parts.append(part["value"])
    return tuple(parts)
