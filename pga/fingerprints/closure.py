"""The fingerprint of code: a digest of every definition of this package that a step of the workflow can reach.

Training takes days and must be repeated when the code that it runs changes, and only then. The modules are parsed, not imported. A
definition (a function, class or constant of a module) is kept if kept code anywhere mentions its name: as a name, an attribute, an
annotation, in an import, or as a whole string. Python reaches a definition by its name, so what can be executed is kept, and somewhat
more. `tests/fingerprints/test_executed.py` runs every step under a trace and compares.

- **Modules**: those that kept code imports, wherever in it; of others that get imported too, only what they do on import.
- **Registries** are dict literals annotated `Registry[…]`. Where `chosen` says which rows the parameters choose, these are kept and those
  that code looks up by a literal key; else those whose key is a string in kept code. All rows are kept where kept code uses the registry
  in another way than `REGISTRY[key]` or `key in REGISTRY`.
- **Left out**: comments, formatting, docstrings, annotations (except of class fields, which dataclasses and pydantic read, and of
  decorated functions), texts of raised errors and of `print`, help and choices of flags, the order of definitions and methods, folders.
- **Versions of other packages** are not part of it: a new environment is a decision for all results at once.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).parents[1]
"""The package that this module belongs to."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
REFUSED = {"import_module", "__import__", "__subclasses__", "__init_subclass__", "globals", "vars", "import *", "relative import"}
"""Ways to reach code without its name."""


class Statement(NamedTuple):
    """A statement at the top of a module, one name of an import, or a row of a registry.

    Attributes:
        names: by which code reaches it; none if it acts on import.
        registry: of which it is a row, or nothing.
        text: its source without what is left out.
        mentions: every name in it; strings also quoted, as the keys of registries are; `NAME['key']` for a literal key, and `NAME[*]`
            where NAME is used in another way than to look up a key.
        imports: dotted names of what it imports.
        lines: first and last.
    """

    names: frozenset[str]
    registry: str
    text: str
    mentions: frozenset[str]
    imports: tuple[str, ...]
    lines: tuple[int, int]


class Module(NamedTuple):
    """A parsed module, and the dotted names of what it imports whenever it is imported itself."""

    statements: list[Statement]
    executes: list[str]


class Strip(ast.NodeTransformer):
    """Removes what is left out of fingerprints, and sorts methods."""

    # ruff: noqa: D102, N815 - visitors are named by `ast`
    silent = False

    def __init__(self, packages: Collection[str]):
        self.packages = packages

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body.sort(key=lambda inner: inner.name if isinstance(inner, Function) else "")
        return node

    def visit_FunctionDef(self, node: Function) -> ast.AST:
        if not node.decorator_list:
            node.returns = None
            for argument in [inner for inner in ast.walk(node.args) if isinstance(inner, ast.arg)]:
                argument.annotation = None
        for inner in [inner for inner in ast.walk(node) if isinstance(inner, ast.AnnAssign)]:
            inner.annotation = ast.Constant(None)
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        file = "" if node.module in self.packages else (node.module or "").rpartition(".")[2]  # is unique; its folder may change
        return ast.ImportFrom(file, node.names, 0)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self.visit_Raise(node) if getattr(node.func, "id", "") == "print" else self.generic_visit(node)

    def visit_Raise(self, node: ast.AST) -> ast.AST:
        before, self.silent = self.silent, True
        self.generic_visit(node)
        self.silent = before
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if self.silent and isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("") if self.silent else self.generic_visit(node)


def mentioned(nodes: list[ast.AST]) -> Iterator[str]:
    """The names, attributes, imports and strings among nodes of a syntax tree."""
    lookups = {id(node.value) for node in nodes if isinstance(node, ast.Subscript)}
    lookups |= {
        id(node.comparators[-1]) for node in nodes if isinstance(node, ast.Compare) and isinstance(node.ops[-1], ast.In | ast.NotIn)
    }
    lookups |= {id(inner) for node in nodes if isinstance(node, ast.Raise) for inner in ast.walk(node)}  # a list of what is accepted
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value, repr(node.value))
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            yield name
            if isinstance(node.ctx, ast.Load) and id(node) not in lookups:
                yield f"{name}[*]"
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield f"{ast.unparse(node.value).rpartition('.')[2]}[{node.slice.value!r}]"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield "relative import" if getattr(node, "level", 0) else ""
            yield from ("import *" if alias.name == "*" else alias.name.rpartition(".")[2] for alias in node.names)


def statement(node: ast.AST, packages: Collection[str], names: Iterable[str] = (), registry: str = "") -> Statement:
    """A statement from its syntax tree, which is stripped."""
    for call in [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]:
        call.keywords = [keyword for keyword in call.keywords if keyword.arg not in ("help", "metavar", "choices")]  # of flags
    nodes = list(ast.walk(node))
    mentions = frozenset(mentioned(nodes))
    imports = [f"{inner.module}.{alias.name}" for inner in nodes if isinstance(inner, ast.ImportFrom) for alias in inner.names]
    imports += [alias.name for inner in nodes if isinstance(inner, ast.Import) for alias in inner.names]
    lines = [line for inner in nodes for line in (getattr(inner, "lineno", 0), getattr(inner, "end_lineno", 0)) if line]
    text = registry + ast.unparse(Strip(packages).visit(node) or ast.Pass())
    return Statement(frozenset(names), registry, text, mentions, tuple(imports), (min(lines), max(lines)))


def statements(node: ast.stmt, packages: Collection[str]) -> Iterator[Statement]:
    """A statement at the top of a module; imports name by name, registries row by row."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            one = ast.copy_location(
                ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level), node
            )
            yield statement(one, packages, [alias.asname or alias.name.partition(".")[0]] if alias.name != "*" else [])
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        yield from (each._replace(text="") for inner in node.body for each in statements(inner, packages))
        yield from (each for inner in node.orelse for each in statements(inner, packages))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict) and ast.unparse(node.annotation).startswith("Registry["):
        for key, value in zip(node.value.keys, node.value.values, strict=True):
            yield statement(ast.Dict([key], [value]), packages, [repr(ast.literal_eval(key))] if key else [], names[0])
        yield statement(ast.copy_location(ast.Assign([node.target], ast.Dict([], [])), node), packages, names)
    elif isinstance(node, Function | ast.ClassDef) and "register" not in "".join(map(ast.unparse, node.decorator_list)):
        yield statement(node, packages, [node.name])
    elif names or not isinstance(getattr(node, "value", None), ast.Constant):  # else a docstring
        yield statement(node, packages, names if len(names) == len(targets) else [])


@lru_cache(maxsize=1024)
def parse(module: str, source: bytes, packages: Collection[str]) -> Module:
    """A module; cached by content, so that an edited file is read anew."""
    body = ast.parse(source, module).body
    executed = [statement(node, packages).imports for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    return Module([each for node in body for each in statements(node, packages)], [name for names in executed for name in names])


class Sources:
    """The modules of a package as they were when this was made, without files that nothing can import (copies that editors make)."""

    def __init__(self, folder: Path = ROOT):
        parts = {path: path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py") if path.is_file()}
        importable = {path: names for path, names in parts.items() if all(map(str.isidentifier, names))}
        self.files = {".".join([folder.name, *names]).removesuffix(".__init__"): path.read_bytes() for path, names in importable.items()}
        self.packages = frozenset(".".join([folder.name, *names[:-1]]) for names in importable.values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all files, comments included."""
        return hashlib.sha256(b"".join(b"%b\0%b\0" % (name.encode(), source) for name, source in sorted(self.files.items()))).hexdigest()

    def module(self, name: str) -> Module:
        """A module by its dotted name."""
        return parse(name, self.files[name], self.packages)


Chosen: TypeAlias = Mapping[str, Collection[str]]
"""Registry → the keys of it that the parameters choose."""


def closure(roots: Collection[str], chosen: Chosen, without: Collection[str], sources: Sources) -> dict[str, list[Statement]]:
    """The statements that can be reached, by module.

    Args:
        roots: dotted names of functions.
        chosen: which rows of registries count.
        without: modules that are not followed, because they cannot change a result.
        sources: the package.

    Raises:
        ValueError: there is no such root, or code is reached in a way that cannot be followed.
        SyntaxError: a module is no Python.
    """
    imported, reached, said = set[str](), set[str](), {root.rpartition(".")[2] for root in roots}

    def follow(dotted: str, to: set[str]) -> None:
        outer = [name for name in accumulate(dotted.split("."), "{}.{}".format) if name in sources.files]
        if outer and not any(name in without for name in outer):
            imported.update(outer)  # the packages that the module is in are executed, but nothing in them is named
            to.add(outer[-1])

    for root in roots:
        module, _, name = root.rpartition(".")
        if module not in sources.files or not any(name in each.names for each in sources.module(module).statements):
            raise ValueError(f"{root}: no definition of this name")
        follow(module, reached)
    before, kept = None, dict[str, list[Statement]]()
    while before != (before := (len(imported), len(reached), len(said))):
        for module in sorted(imported | reached):
            for dotted in sources.module(module).executes:
                follow(dotted, imported)
            kept[module] = [each for each in sources.module(module).statements if counts(each, said, chosen, module in reached)]
            for each in kept[module]:
                said |= each.mentions
                for dotted in each.imports:
                    follow(dotted, reached)
    for module, these in kept.items():
        if refused := [(each.lines[0], *(REFUSED & each.mentions)) for each in these if REFUSED & each.mentions]:
            raise ValueError(f"{module}, line {refused[0][0]}: `{refused[0][1]}` reaches code without its name; name what it finds")
    return kept


def counts(each: Statement, said: set[str], chosen: Chosen, reached: bool) -> bool:
    """Whether a statement is to be kept: what acts on import always, else if its module is reached and its name said."""
    if each.registry:
        keys = each.names if each.registry not in chosen else {f"{each.registry}[{key}]" for key in each.names}
        by_key = not said.isdisjoint(keys) or not each.names.isdisjoint(map(repr, chosen.get(each.registry, ())))
        return reached and each.registry in said and (by_key or f"{each.registry}[*]" in said)
    return not each.names or (reached and not said.isdisjoint(each.names))


def fingerprint(roots: Collection[str], chosen: Chosen, without: Collection[str], sources: Sources) -> str:
    """Digest of `closure`: 64 hexadecimal digits, independent of the order of its arguments and of all that is left out."""
    kept = closure(roots, chosen, without, sources)
    texts = ["\n".join(sorted(each.text for each in these if each.text)) for these in kept.values()]
    return hashlib.sha256("\n\n".join(sorted(filter(None, texts))).encode()).hexdigest()
