"""A module as its syntax tree tells: what it defines, imports, and does on import."""
# ruff: noqa: D102, N815 - visitors are named by `ast`

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Import: TypeAlias = ast.Import | ast.ImportFrom
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

NAME_FIELDS = {ast.ExceptHandler: "name", ast.MatchAs: "name", ast.MatchStar: "name", ast.MatchMapping: "rest"}
ON_IMPORT = "<import>"


class Reference(NamedTuple):
    """A module, a definition in it (one attribute), what it does on import (`ON_IMPORT`), or a longer dotted name yet to be resolved."""

    module: str
    attributes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.module, *self.attributes))


class Form(NamedTuple):
    """The normal form of a definition: text and references, and the modules that it imports when it runs."""

    parts: tuple[str | Reference, ...]
    imports: tuple[str, ...] = ()


# ---- Reading a module


class Tidy(ast.NodeTransformer):
    """Removes what has no meaning: docstrings, annotations, `pass`, code for type checkers and for scripts. Makes imports absolute."""

    def __init__(self, module: str, is_package: bool):
        self.module, self.is_package, self.in_class = module, is_package, False

    def inside(self, node: ast.AST, in_class: bool) -> ast.AST:
        outer, self.in_class = self.in_class, in_class
        self.generic_visit(node)
        self.in_class = outer
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self.inside(node, in_class=True)

    def visit_FunctionDef(self, node: Function) -> ast.AST:
        node.returns = None
        if not any(map(registers, node.decorator_list)):
            for inner in ast.walk(node.args):
                if isinstance(inner, ast.arg):
                    inner.annotation = None
        return self.inside(node, in_class=False)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        return None

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if self.in_class:
            return self.generic_visit(node)
        return self.visit(ast.Assign([node.target], node.value)) if node.value else None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if is_never(node.test) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.names[0].name == "*":
            raise ValueError(f"{self.module}, line {node.lineno}: `import *` hides where names come from; import them by name")
        parents = self.module.split(".")
        base = parents[: len(parents) - node.level + self.is_package] if node.level else []
        return ast.ImportFrom(".".join([*base, *filter(None, [node.module])]), node.names, 0)


def registers(decorator: ast.expr) -> bool:
    """Whether a decorator is `….register` or `….register(…)`, as those of `singledispatch` and `atexit` are."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(function, ast.Attribute) and function.attr == "register"


def is_never(test: ast.expr) -> bool:
    """Whether a condition never holds in an imported module at run time."""
    if isinstance(test, ast.Compare):
        return getattr(test.left, "id", "") == "__name__" and isinstance(test.ops[0], ast.Eq)
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


def imported(node: Import) -> Iterator[tuple[str, Reference]]:
    """The names that an import binds, and what they stand for."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, Reference(node.module or "", (alias.name,))
        else:
            bound = alias.asname or alias.name.partition(".")[0]
            yield bound, Reference(alias.name if alias.asname else bound)


def executed(node: Import) -> list[str]:
    """What an import executes, if they are modules: of `from a import b`, a.b."""
    return [alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}" for alias in node.names]


def here(node: ast.AST) -> Iterable[ast.AST]:
    """Children that run in the scope of `node`: of functions and classes what precedes the body, of comprehensions targets of `:=`."""
    if isinstance(node, ast.ClassDef):
        return (*node.decorator_list, *node.bases, *node.keywords)
    if isinstance(node, Function | ast.Lambda):
        return (*getattr(node, "decorator_list", ()), node.args)
    if isinstance(node, Comprehension):
        return (inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
    return ast.iter_child_nodes(node)


def in_scope(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    """`nodes` and their descendants in the same scope."""
    found = list(nodes)
    for node in found:
        found += here(node)
    return found


def bindings(node: ast.AST) -> Iterable[tuple[str, Reference | None]]:
    """The names that `node` itself binds, each with what it stands for if that is an import."""
    if isinstance(node, Import):
        return imported(node)
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [(node.id, None)]
    name = getattr(node, "name" if isinstance(node, Function | ast.ClassDef) else NAME_FIELDS.get(type(node), ""), None)
    return [(name, None)] if name else []


@dataclass(eq=False)
class Module:
    """A module: the statements that define each name, what imported names stand for, what it does and imports on import."""

    name: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    aliases: dict[str, Reference] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)

    def lookup(self, name: str) -> Reference | str:
        """What a global name stands for; text if it is a builtin's."""
        if name in self.definitions:
            return Reference(self.name, (name,))
        return self.aliases.get(name, f"@{name}")

    def acts(self, node: ast.AST) -> bool:
        """Whether a part of a module-level statement may change other things than the names that it binds."""
        if isinstance(node, Function | ast.ClassDef):
            names = {inner.id for decorator in node.decorator_list for inner in ast.walk(decorator) if isinstance(inner, ast.Name)}
            package = self.name.partition(".")[0]
            return any(map(registers, node.decorator_list)) or any(str(self.lookup(name)).partition(".")[0] == package for name in names)
        if isinstance(node, ast.Attribute | ast.Subscript):
            return not isinstance(node.ctx, ast.Load)
        return isinstance(node, ast.Expr | ast.AugAssign | ast.With | ast.Assert | ast.Raise)


@lru_cache(maxsize=1024)
def read(name: str, is_package: bool, source: bytes) -> Module:
    """Parse a module; cached by its content, so that an edited file is read anew."""
    tree = Tidy(name, is_package).visit(ast.parse(source, name))
    module, statements, targets = Module(name), defaultdict[str, list[ast.stmt]](list), dict[str, Reference | None]()
    for statement in tree.body:
        for node in in_scope([statement]):
            for bound, target in bindings(node):
                statements[bound].append(statement)
                targets[bound] = target
            module.imports += executed(node) if isinstance(node, Import) else []
        for bound in (bound for node in ast.walk(statement) if isinstance(node, ast.Global) for bound in node.names):
            statements[bound].append(statement)  # a function that may set it is part of what a global is
            targets[bound] = None
    for bound, binding in statements.items():
        if (target := targets[bound]) and all(isinstance(statement, Import) for statement in binding):
            module.aliases[bound] = target
        else:
            module.definitions[bound] = list(dict.fromkeys(binding))
    module.definitions[ON_IMPORT] = [statement for statement in tree.body if any(map(module.acts, in_scope([statement])))]
    return module
