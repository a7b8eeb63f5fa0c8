"""References followed through a package."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from itertools import accumulate
from pathlib import Path

from pga.fingerprints.modules import ON_IMPORT, Form, Module, Reference, read
from pga.fingerprints.normal_form import normal_form


class Sources:
    """The files of a package as they were when this was made; parsed one by one as they are asked for.

    Without those that nothing can import: an editor's lock or backup copy must not stop a workflow or change a fingerprint.
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        folders = [path for path in (self.folder, *self.folder.rglob("*")) if path.is_dir() and path.name.isidentifier()]
        files = [path for inside in folders for path in inside.glob("*.py") if path.is_file() and path.stem.isidentifier()]
        # Of one name, as Python finds them: a package before a module before a folder without __init__.py.
        self.files = {self.dotted(path): (True, b"") for path in folders}
        self.files |= {self.dotted(path.with_suffix("")): (False, path.read_bytes()) for path in files if path.stem != "__init__"}
        self.files |= {self.dotted(path.parent): (True, path.read_bytes()) for path in files if path.stem == "__init__"}

    def dotted(self, path: Path) -> str:
        """The name by which a file or folder is imported."""
        return ".".join([self.folder.name, *path.relative_to(self.folder).parts])

    def module(self, name: str) -> Module | None:
        """A module of the package, or None if there is none of that name."""
        return read(name, *self.files[name]) if name in self.files else None

    def inside(self, name: str) -> set[str]:
        """Names of the modules directly in a package."""
        return {last for parent, _, last in (each.rpartition(".") for each in self.files) if parent == name}


class Package:
    """A package as its sources have it; the rest as for `meaning`."""

    def __init__(self, sources: Sources, only: Mapping[str, Collection[str]], without: Collection[str]):
        self.sources, self.module = sources, sources.module
        self.without, self.only = set[str](), dict[Reference, frozenset[str]]()
        self.only = {self.find(name): frozenset(keys) for name, keys in only.items()}
        for key in self.only:
            self.form(key)  # so that a wrong key is told even if nothing refers to the registry
        self.without = {str(self.find(name)) for name in without}

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
        raise ValueError(f"{dotted}: no module, function, class or constant of this name in {self.sources.folder}")

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
        return aliases | self.sources.inside(module.name) | module.definitions.keys() - {ON_IMPORT}

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
