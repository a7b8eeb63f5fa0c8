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

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pga.fingerprints.modules import Reference
from pga.fingerprints.package import Package, Sources, sha256

ROOT = Path(__file__).parents[1]
"""The package that this module belongs to."""


def meaning(
    *roots: str,
    only: Mapping[str, Collection[str]] | None = None,
    without: Collection[str] = (),
    package_folder: Path = ROOT,
    sources: Sources | None = None,
) -> str:
    """Digest of what the code of `roots` means, with all that it refers to within the package.

    Args:
        roots: dotted names of functions, classes, constants or modules, e.g. "pga.method.losses.prior_nll".
        only: entries of registries that matter, e.g. {"pga.method.terms.MODELS": ["lpga"], "pga.method.losses": ["prior_nll"]}: of a dict
            literal, just these; of a module that is used as an object (`getattr(losses, name)`), just these definitions.
            What code refers to by name is followed all the same.
        without: modules and definitions that cannot change a result (progress bars), not followed.
        package_folder: folder of the package's sources; its name is the package's.
        sources: instead of `package_folder`, the package as it was when they were read: for several calls that are to agree.

    Returns:
        64 hexadecimal digits, independent of the order of `roots`.

    Raises:
        ValueError: a root, registry or key does not exist, or something reached cannot be followed.
        SyntaxError: a module reached is no Python.
    """
    return sha256(sorted(Package(sources or Sources(package_folder), only or {}, without).closure(roots)[0]))


def explain(
    *roots: str,
    only: Mapping[str, Collection[str]] | None = None,
    without: Collection[str] = (),
    package_folder: Path = ROOT,
) -> dict[str, str]:
    """Each definition that `meaning` includes, with the digest of its own normal form: compare two to see what changed.

    If the results are equal, so are the meanings. A renamed module shows here, though it changes no meaning.
    """
    package = Package(Sources(package_folder), only or {}, without)
    forms = {key: package.form(key).parts for key in sorted(package.closure(roots)[1])}
    return {
        str(key): sha256(str(package.resolve(part)) if isinstance(part, Reference) else part for part in form)
        for key, form in forms.items()
    }
