"""The meaning of code: a digest that a comment, a docstring or the rename of a local leaves alone, and a changed loss does not.

Training takes days and must be repeated when the code that it runs means something else, and only then. `meaning` parses the
package without importing it, follows what the roots refer to, writes every definition so reached in a normal form, and hashes them.

- **Not part of it**: comments, formatting, docstrings, annotations (but of class fields, which dataclasses and pydantic read, and
  of implementations that are `register`ed, which `singledispatch` reads), names of locals, how a name is imported, in which file
  and in what order definitions stand, code under `TYPE_CHECKING` or `__name__ == "__main__"`.
- **Part of it**: everything else of each definition, parameter names too (arguments are passed by keyword); where external names
  come from; what happens on import: in every module that gets imported, the statements that are neither definitions nor imports,
  and the definitions that a decorator of the package, or a `register`, may put where others find them.
- **Versions of other packages are not**: a new environment is a decision of its own, taken for all results at once by whoever
  changes the lock file; were it part of the digest, every patch of an unrelated library would retrain for days.

What cannot be followed is refused with `ValueError`: star imports, imports by a computed name, `sys.modules`, classes that know
their subclasses. Not seen: attributes of objects (their classes are reached where they are referred to), files that the code
reads, names in strings, and side effects of a module-level call whose value gets a name. **Classes of arguments** are not seen
either: where code calls methods of what it is given (`run.total_steps()`), name the class among the roots.

Own code, because no maintained library does this: those that hash functions import them first, which here takes torch.
"""
# ruff: noqa: D102, N815 - visitors are named by `ast`

from __future__ import annotations

import ast
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, groupby
from pathlib import Path
from typing import NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Import: TypeAlias = ast.Import | ast.ImportFrom
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

NAME_FIELDS = {ast.ExceptHandler: "name", ast.MatchAs: "name", ast.MatchStar: "name", ast.MatchMapping: "rest"}
REFUSED = {"importlib.import_module", "importlib.__import__", "@__import__", "sys.modules", "__init_subclass__", "__subclasses__"}
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


# ---- The normal form of a definition


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


# ---- Following references through the package


class Package:
    """The package's sources as they are now; `only` and `without` as for `meaning`."""

    def __init__(self, folder: Path, only: Mapping[str, Collection[str]], without: Collection[str]):
        self.folder, self.modules = folder.absolute(), dict[str, Module | None]()
        self.without, self.only = set[str](), dict[Reference, frozenset[str]]()
        self.only = {self.find(name): frozenset(keys) for name, keys in only.items()}
        for key in self.only:
            self.form(key)  # so that a wrong key is told even if nothing refers to the registry
        self.without = {str(self.find(name)) for name in without}

    def module(self, name: str) -> Module | None:
        """A module of the package, or None if there is none of that name."""
        if name not in self.modules:
            self.modules[name] = self.load(name)
        return self.modules[name]

    def load(self, name: str) -> Module | None:
        first, *rest = name.split(".")
        path = self.folder.joinpath(*rest)
        if first != self.folder.name:
            return None
        for file in (path / "__init__.py", path.parent / f"{path.name}.py"):
            if file.is_file():
                return read(name, file.name == "__init__.py", file.read_bytes())
        return read(name, True, b"") if path.is_dir() else None

    def resolve(self, reference: Reference) -> tuple[Reference | str, tuple[str, ...]]:
        """The definition or module that a dotted name means and the attributes taken of it; text if it is outside or left out."""
        module, attributes = self.module(reference.module), reference.attributes
        if not module or self.omits(Reference(module.name)):
            return str(reference), ()
        if not attributes:
            return Reference(module.name), ()
        first, *rest = attributes
        if first in module.definitions:
            key = Reference(module.name, (first,))
            return (str(reference), ()) if self.omits(key) else (key, tuple(rest))
        alias = module.aliases.get(first)
        if alias and alias != (module.name, (first,)):  # else `from . import submodule`
            return self.resolve(Reference(alias.module, (*alias.attributes, *rest)))
        if self.module(f"{module.name}.{first}"):
            return self.resolve(Reference(f"{module.name}.{first}", tuple(rest)))
        if first.startswith("__"):  # __name__, __file__, …
            return f"@module.{first}", tuple(rest)
        lazy = ("__getattr__",) if "__getattr__" in module.definitions else ()
        return Reference(module.name, lazy), attributes

    def omits(self, key: Reference) -> bool:
        """Whether `without` names a module or definition, or a package that it is in."""
        return bool(self.without) and any(name in self.without for name in accumulate(str(key).split("."), "{}.{}".format))

    def find(self, dotted: str) -> Reference:
        """The module or definition that a person names. Raises ValueError if there is none."""
        names = dotted.split(".")
        for count in range(len(names), 0, -1):
            if self.module(module := ".".join(names[:count])):
                key, rest = self.resolve(Reference(module, tuple(names[count:])))
                if isinstance(key, Reference) and not rest:
                    return key
                break
        raise ValueError(f"{dotted}: no module, function, class or constant of this name in {self.folder}")

    def form(self, key: Reference) -> Form:
        """The normal form of a definition; of a module, the names that it gives access to."""
        module = self.module(key.module)
        assert module
        if key.attributes:
            return normal_form(module, key.attributes[0], self.only.get(key))
        names = self.namespace(module)
        if missing := sorted(self.only.get(key, frozenset()) - names):
            raise ValueError(f"{key}: no {', '.join(missing)} among {', '.join(sorted(names))}")
        return Form(tuple(part for name in sorted(self.only.get(key, names)) for part in (f" {name}=", Reference(key.module, (name,)))))

    def namespace(self, module: Module) -> set[str]:
        """Names of the package that a module object gives access to; other modules that it imports go by their own names."""
        aliases = {name for name, target in module.aliases.items() if isinstance(key := self.resolve(target)[0], tuple) and key[1]}
        folder = self.folder.joinpath(*module.name.split(".")[1:])
        submodules = {path.stem for path in folder.glob("*") if self.module(f"{module.name}.{path.stem}")} - {"__init__", "__pycache__"}
        return aliases | submodules | module.definitions.keys() - {ON_IMPORT}

    def follow(self, start: Reference) -> tuple[str, list[Reference]]:
        """Digest of `start` and of all that it refers to, and their list.

        Definitions are numbered in the order in which they are met, so that the digest knows nothing of the files they stand in.
        """
        numbers, queue, text = {start: 0}, [start], list[str]()
        for key in queue:
            text.append("\n")
            for part in self.form(key).parts:
                target, rest = self.resolve(part) if isinstance(part, Reference) else (part, ())
                if isinstance(target, Reference) and target not in numbers:
                    numbers[target] = len(numbers)
                    queue.append(target)
                text.append(".".join((f"#{numbers[target]}" if isinstance(target, Reference) else target, *rest)))
        return sha256(text), queue

    def closure(self, roots: Iterable[str]) -> tuple[set[str], set[Reference]]:
        """Digests of the roots and of what happens on import of all modules that they take, and all definitions reached."""
        starts, digests, reached, seen = list(map(self.find, roots)), set[str](), set[Reference](), {""}
        for start in starts:
            digest, keys = self.follow(start)
            digests.add(digest)
            reached.update(keys)
            pending = [name for key in keys for name in (key.module, *self.form(key).imports)]
            while pending:
                if (name := pending.pop()) in seen or self.omits(Reference(name)):
                    continue
                seen.add(name)
                pending.append(name.rpartition(".")[0])  # importing a module imports the packages that it is in
                if module := self.module(name):
                    pending += module.imports
                    starts += [Reference(name, (ON_IMPORT,))] if module.definitions[ON_IMPORT] else []
        return digests, reached


def sha256(text: Iterable[str]) -> str:
    """SHA-256 of joined text, in hexadecimal."""
    return hashlib.sha256("".join(text).encode()).hexdigest()


def meaning(
    *roots: str,
    only: Mapping[str, Collection[str]] | None = None,
    without: Collection[str] = (),
    package_folder: Path = Path(__file__).parent,
) -> str:
    """Digest of what the code of `roots` means, with all that it refers to within the package.

    Args:
        roots: dotted names of functions, classes, constants or modules, e.g. "pga.losses.prior_nll".
        only: entries of registries that matter, e.g. {"pga.terms.MODELS": ["lpga"], "pga.losses": ["prior_nll"]}: of a dict
            literal, just these; of a module that is used as an object (`getattr(losses, name)`), just these definitions.
            What code refers to by name is followed all the same.
        without: modules and definitions that cannot change a result (progress bars), not followed.
        package_folder: folder of the package's sources; its name is the package's.

    Returns:
        64 hexadecimal digits, independent of the order of `roots`.

    Raises:
        ValueError: a root, registry or key does not exist, or something reached cannot be followed.
        SyntaxError: a module reached is no Python.
    """
    return sha256(sorted(Package(package_folder, only or {}, without).closure(roots)[0]))


def explain(
    *roots: str,
    only: Mapping[str, Collection[str]] | None = None,
    without: Collection[str] = (),
    package_folder: Path = Path(__file__).parent,
) -> dict[str, str]:
    """Each definition that `meaning` includes, with the digest of its own normal form: compare two to see what changed.

    If the results are equal, so are the meanings. A renamed module shows here, though it changes no meaning.
    """
    package = Package(package_folder, only or {}, without)
    forms = {key: package.form(key).parts for key in sorted(package.closure(roots)[1])}
    return {
        str(key): sha256(str(package.resolve(part)) if isinstance(part, Reference) else part for part in form)
        for key, form in forms.items()
    }
