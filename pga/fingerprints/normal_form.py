"""The normal form of a definition: its text without what has no meaning, and what it refers to."""
# ruff: noqa: D102, N815 - visitors are named by `ast`

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from pga.fingerprints.modules import (
    NAME_FIELDS,
    Comprehension,
    Form,
    Function,
    Import,
    Module,
    Reference,
    bindings,
    executed,
    imported,
    in_scope,
)

REFUSED = {"importlib.import_module", "importlib.__import__", "@__import__", "sys.modules", "__init_subclass__", "__subclasses__"}
"""What cannot be followed."""


class Scope:
    """The names that a function, class or comprehension binds, each with all that it is bound to (None: not an import)."""

    def __init__(self, parent: Scope | None, body: Iterable[ast.AST], parameters: Iterable[str] = (), is_class: bool = False):
        self.parent, self.is_class, self.parameters = parent, is_class, set(parameters)
        self.targets, self.numbers = defaultdict[str, set[Reference | None]](set), dict[str, int]()
        nodes = in_scope(body)
        for name, target in (found for node in nodes for found in bindings(node)):
            self.targets[name].add(target)
        declared = [node for node in nodes if isinstance(node, ast.Global | ast.Nonlocal)]
        for name in (name for node in declared for name in node.names):
            self.targets.pop(name, None)
        self.globals = {name for node in declared if isinstance(node, ast.Global) for name in node.names}
        self.targets.update({name: {None} for name in self.parameters})


class Writer(ast.NodeVisitor):
    """Writes syntax trees in normal form: text and references in `parts`, modules that are imported at run time in `imports`.

    Locals are numbered in the order in which they are met, unless the definition reads variables by computed names.
    """

    def __init__(self, module: Module, statements: Iterable[ast.stmt]):
        self.module, self.locals = module, 0
        self.scope: Scope | None = None
        self.parts, self.imports = list[str | Reference](), list[str]()
        self.reflects = any(map(reflects, (node for statement in statements for node in ast.walk(statement))))
        for statement in statements:
            self.visit(statement)
        self.parts += [Reference(module.name)] if self.reflects else []

    def lookup(self, name: str) -> str | Reference:
        """What a name stands for in the scope being written."""
        scope = self.scope
        while scope and name not in scope.globals:
            if name in scope.targets and (scope is self.scope or not scope.is_class):
                return self.own(name, scope)
            scope = scope.parent
        return self.module.lookup(name)

    def own(self, name: str, scope: Scope) -> str | Reference:
        """What a name stands for that `scope` binds."""
        target, *others = scope.targets[name]
        if target and not others and not scope.is_class:
            return target
        if scope.is_class or name in scope.parameters or self.reflects:
            return f".{name}"
        self.locals += name not in scope.numbers
        return f"${scope.numbers.setdefault(name, self.locals)}"

    def refer(self, found: str | Reference, node: ast.AST) -> None:
        """Write what a name stands for."""
        if any(f"{found}.".startswith(f"{name}.") for name in REFUSED):
            line = getattr(node, "lineno", "?")
            raise ValueError(f"{self.module.name}, line {line}: `{str(found).strip('@')}` cannot be followed; name what it finds")
        self.parts += [" ", found]

    def within(self, scope: Scope, *nodes: object) -> None:
        """Write `nodes` in an inner scope."""
        outer, self.scope = self.scope, scope
        self.write(nodes)
        self.scope = outer

    def write(self, value: object) -> None:
        """Write a field of a node."""
        if isinstance(value, ast.AST):
            self.visit(value)
        elif isinstance(value, list | tuple):
            self.parts.append("[")
            for item in value:
                self.write(item)
            self.parts.append("]")
        else:
            self.parts.append(f" {value!r}")

    def generic_visit(self, node: ast.AST) -> None:
        self.parts.append(f"({type(node).__name__}")
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or name in ("ctx", "kind", "type_comment"):  # later Pythons have more fields
                continue
            self.parts.append(f" {name}=")
            if NAME_FIELDS.get(type(node)) == name:
                self.refer(self.lookup(value), node)
            else:
                self.write(value)
        self.parts.append(")")

    def visit_Constant(self, node: ast.Constant) -> None:
        self.parts.append(f"({node.value!r})")

    def visit_Name(self, node: ast.Name) -> None:
        found = self.lookup(node.id)
        self.refer(found, node)
        if self.scope and self.scope.is_class and found == f".{node.id}" and isinstance(node.ctx, ast.Load):
            self.refer(self.module.lookup(node.id), node)  # not bound yet in the class: the module's

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in REFUSED:
            self.refer(node.attr, node)
        if isinstance(found := self.dotted(node), Reference):
            self.refer(found, node)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.args[0], "value", None) if node.args else None
        if str(self.dotted(node.func)) == "importlib.import_module" and isinstance(name, str) and not name.startswith("."):
            self.parts += ["(import ", Reference(name), ")"]
        else:
            self.generic_visit(node)

    def dotted(self, node: ast.expr) -> str | Reference:
        """What a name with attributes stands for; text if that is no import or definition."""
        attributes = list[str]()
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        found = self.lookup(node.id) if isinstance(node, ast.Name) else ""
        return Reference(found.module, (*found.attributes, *attributes)) if isinstance(found, Reference) else found

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        """Write nothing: it is in what the names stand for."""

    visit_Nonlocal = visit_Global

    def visit_Import(self, node: Import) -> None:
        self.imports += executed(node)
        for name, target in imported(node):
            if self.lookup(name) != target:  # bound in other ways too: an assignment like any other
                self.parts += ["(import ", self.lookup(name), " ", target, ")"]

    visit_ImportFrom = visit_Import

    def head(self, node: Function | ast.ClassDef) -> None:
        """Write name and decorators; the name of a plain nested function is a local like any other."""
        self.parts.append(f"({type(node).__name__}")
        if node.name in REFUSED:
            self.refer(node.name, node)
        if self.scope:
            self.refer(self.lookup(node.name), node)
        if not self.scope or node.decorator_list or isinstance(node, ast.ClassDef):
            self.parts.append(f" {node.name}")
        self.write(node.decorator_list)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.head(node)
        self.write([*node.bases, *node.keywords])
        self.within(Scope(self.scope, node.body, is_class=True), node.body)
        self.parts.append(")")

    def visit_FunctionDef(self, node: Function) -> None:
        self.head(node)
        self.visit_Lambda(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: Function | ast.Lambda) -> None:
        arguments = node.args
        names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        self.parts.append("(function")
        self.write(arguments)
        self.within(Scope(self.scope, body, (name.arg for name in names)), body)
        self.parts.append(")")

    def visit_ListComp(self, node: Comprehension) -> None:
        inner = Scope(self.scope, [generator.target for generator in node.generators])
        self.parts.append(f"({type(node).__name__}")
        for index, generator in enumerate(node.generators):
            if index == 0:
                self.write(generator.iter)  # the first runs in the scope around
            self.within(inner, *([generator.iter] if index else []), generator.target, generator.ifs, generator.is_async)
        self.within(inner, *([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]))
        self.parts.append(")")

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp


def reflects(node: ast.AST) -> bool:
    """Whether a node reads variables by computed names."""
    if isinstance(node, ast.Call) and not node.args:
        return getattr(node.func, "id", "") in ("vars", "dir")
    return isinstance(node, ast.Name) and node.id in ("eval", "exec", "globals", "locals")


@lru_cache(maxsize=4096)
def normal_form(module: Module, name: str, keys: frozenset[str] | None) -> Form:
    """The normal form of a definition; with `keys`, of just these entries of a dict literal.

    Raises:
        ValueError: the definition is no dict literal with constant keys, or lacks one of `keys`.
    """
    statements = module.definitions[name]
    writer = Writer(module, statements if keys is None else [narrowed(f"{module.name}.{name}", statements, keys)])
    pieces = groupby(writer.parts, key=lambda part: isinstance(part, Reference))
    parts = [part for reference, group in pieces for part in (group if reference else ["".join(map(str, group))])]
    return Form(tuple(parts), tuple(writer.imports))


def narrowed(name: str, statements: list[ast.stmt], keys: frozenset[str]) -> ast.stmt:
    """The assignment of a dict literal, with the entries of `keys` alone."""
    statement = statements[0]
    if len(statements) > 1 or not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict)):
        raise ValueError(f"{name}: `only` narrows modules and dict literals, not this")
    pairs = list(zip(statement.value.keys, statement.value.values, strict=True))
    entries = {key.value: (key, value) for key, value in pairs if isinstance(key, ast.Constant)}
    if len(entries) < len(pairs):
        raise ValueError(f"{name}: `only` narrows a dict literal if all its keys are constants, each given once")
    if missing := sorted(keys - entries.keys()):
        raise ValueError(f"{name}: no {', '.join(missing)} among {', '.join(map(str, entries))}")
    kept = [entry for key, entry in entries.items() if key in keys]
    return ast.Assign(statement.targets, ast.Dict([key for key, _ in kept], [value for _, value in kept]))
