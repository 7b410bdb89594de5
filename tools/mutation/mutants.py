"""Small changes of a module's code, as syntax trees: what `tools/mutate` expects tests to notice."""

from __future__ import annotations

import ast
import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

SOURCE = Path(__file__).resolve().parents[2] / "src"
MARKS = "__reached__"
Place = tuple[str, int | None]
Function = tuple[str, int]
OPPOSITE: dict[type[ast.AST], Any] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip
TWINS = {"min": "max", "max": "min", "any": "all", "all": "any", "startswith": "endswith"}


class Mutant(NamedTuple):
    """One change of one module.

    Attributes:
        key: module, function and change, in words.
        path: leads from the module's tree to the node that changes.
        change: what that node becomes.
        function: qualified name and first line of the function whose code changes; None for code that runs
            when the module is imported.
        mark: what `marked` makes the statement with the change say when it is reached.
    """

    module: str
    key: str
    path: tuple[Place, ...]
    change: ast.AST
    function: Function | None
    mark: str


def mutants(module: str) -> Iterator[Mutant]:
    """Give every mutant of a module."""
    for path, name, node in places(parsed(module)):
        for change in changes(node):
            before, after = (" ".join(ast.unparse(item).split())[:80] for item in (node, change))
            key = f"{module}:{name or 'module'}: {before} => {after}"
            yield Mutant(module, key, path, change, *_whereabouts(module, path))


def mutated(mutant: Mutant) -> ast.Module:
    """Give the module's tree with the change."""
    tree = copy.deepcopy(parsed(mutant.module))
    target: Any = tree
    for field, position in mutant.path[:-1]:
        target = getattr(target, field) if position is None else getattr(target, field)[position]
    field, position = mutant.path[-1]
    if position is None:
        setattr(target, field, mutant.change)
    else:
        getattr(target, field)[position] = mutant.change
    return ast.fix_missing_locations(tree)


def marked(module: str) -> ast.Module:
    """Give the module's tree with each statement in a function noted in `MARKS` before it runs."""
    tree = copy.deepcopy(parsed(module))
    within = {
        id(block): block
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        for _, block in ast.iter_fields(node)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt)
    }
    for block in within.values():
        block[:] = [part for each in block for part in (_note(_mark(module, each)), each)]
    return ast.fix_missing_locations(tree)


def functions(module: str, tree: ast.Module) -> dict[Function, CodeType]:
    """Compile a tree, and give the code of its functions and methods, but for those within others."""
    found: dict[Function, CodeType] = {}
    todo: list[CodeType] = [compile(tree, str(path_of(module)), "exec")]
    while todo:
        for code in todo.pop().co_consts:
            if hasattr(code, "co_code"):
                found[code.co_qualname, code.co_firstlineno] = code
                if not code.co_flags & 1:  # CO_OPTIMIZED is a function's alone: this one is a class's body
                    todo.append(code)
    return found


def changes(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901, PLR0912 - one table of cases
    """Give what a node can become, each as a new node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in OPPOSITE:
            yield ast.Compare(node.left, [OPPOSITE[type(op)]()], node.comparators)
        case ast.BoolOp(op=op):
            yield ast.BoolOp(OPPOSITE[type(op)](), node.values)
        case ast.BinOp(op=op) if type(op) in OPPOSITE:
            yield ast.BinOp(node.left, OPPOSITE[type(op)](), node.right)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.If() | ast.IfExp():
            for always in (True, False):
                yield type(node)(**(dict(ast.iter_fields(node)) | {"test": ast.Constant(always)}))
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.Continue():
            yield ast.Pass()
        case ast.Call(func=ast.Name(id=name)) if name in TWINS:
            yield ast.Call(ast.Name(TWINS[name], ast.Load()), node.args, node.keywords)
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in TWINS:
            yield ast.Call(ast.Attribute(value, TWINS[name], ast.Load()), node.args, node.keywords)


def places(
    node: ast.AST, path: tuple[Place, ...] = (), within: str = ""
) -> Iterator[tuple[tuple[Place, ...], str, ast.AST]]:
    """Give the places in a tree where behaviour is, as (path of fields, name of the function, node)."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        if isinstance(node, ast.ClassDef) and field == "keywords":
            continue  # frozen, kw_only: how a class is written, not what it does
        for position, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue  # of zip: holds our own code to it, whatever comes from outside
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            name = f"{within}.{child.name}".strip(".") if hasattr(child, "name") and child.name else within
            here = (*path, (field, position if isinstance(value, list) else None))
            yield here, name, child
            yield from places(child, here, name)


def path_of(module: str) -> Path:
    """Give a module's file."""
    return SOURCE / f"{module.replace('.', '/')}.py"


@cache
def parsed(module: str) -> ast.Module:
    """Read a module's tree; not to be changed."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def _note(mark: str) -> ast.stmt:
    call = ast.Call(ast.Attribute(ast.Name(MARKS, ast.Load()), "add", ast.Load()), [ast.Constant(mark)], [])
    return ast.Expr(call)


def _mark(module: str, statement: ast.stmt) -> str:
    return f"{module}:{statement.lineno}:{statement.col_offset}"


def _whereabouts(module: str, path: tuple[Place, ...]) -> tuple[Function | None, str]:
    """Find the function, and the statement in it, that a path leads into."""
    node: Any = parsed(module)
    names: list[str] = []
    function, mark = None, ""
    for field, position in path:
        if function is None and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and field == "body":
            first = min(part.lineno for part in (node, *node.decorator_list))
            function = (".".join(names), first)
        node = getattr(node, field) if position is None else getattr(node, field)[position]
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
        if function is not None and isinstance(node, ast.stmt):
            mark = _mark(module, node)
    return function, mark
