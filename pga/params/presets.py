"""Blocks of runs' values: one laid on another, one on the preset that it builds on, and the origin that each value carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pga.params.base import Origin
from pga.params.reading import read_yaml, validate
from pga.params.written import SOURCED, Written

Values = dict[str, Any]


class Misfit(ValueError):
    """Parts of an experiment that do not fit each other; `compose` names the file."""


def merge(base: Values, over: Values) -> Values:
    """`over` laid on `base`, mapping by mapping."""
    merged = dict(base)
    for key, value in over.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_mappings else value
    return merged


def lay(base: Values, over: Values) -> Values:
    """Values of runs laid on others; a length in `steps` replaces one in `epochs`, and the reverse."""
    replaced = {"steps": "epochs", "epochs": "steps"}
    dropped = {replaced[key] for key in replaced if over.get(key) is not None} - {key for key in over if over[key] is not None}
    return merge({key: value for key, value in base.items() if key not in dropped}, over)


class Presets:
    """Blocks on the presets that they build on.

    Args:
        path: the experiment's file, whose presets are meant where a name has no file before it.
        raw: its content.
    """

    def __init__(self, path: Path, raw: Values):
        self.path, self.files = path, {path: raw.get("presets", {})}

    def of(self, path: Path) -> Values:
        """The presets of a file."""
        if path not in self.files:
            raw = read_yaml(path)
            validate(raw, Written, path)
            self.files[path] = raw.get("presets", {})
        return self.files[path]

    def resolved(self, block: Values | None) -> Values:
        """A block on its preset; raises as `on` does."""
        return self.on({}, block)

    def on(self, under: Values, block: Values | None, path: Path | None = None, above: tuple[str, ...] = ()) -> Values:
        """A block of `path` (by default the experiment's file) on its preset on the values `under`, every value with an origin.

        Raises:
            Misfit: there is no such preset, or it builds on itself.
        """
        own = with_origins(block or {})
        name, inherits = own.pop("preset", None), own.pop("inherits", None)
        if name:
            here = path or self.path
            file, _, key = name.rpartition("/")
            there = here.with_name(f"{file}.yaml") if file else here
            if not there.exists() or key not in self.of(there):
                raise Misfit(f"preset: found {name!r}; {there} has {', '.join(self.files.get(there, ())) or 'none'}")
            if (step := f"{there.stem}/{key}") in above:
                raise Misfit(f"preset: {key} builds on itself ({' → '.join((*above, step))})")
            under = self.on(under, self.of(there)[key], there, (*above, step))
        return lay(relabelled(under, inherits) if inherits else under, own)


def relabelled(block: Values, origin: str) -> Values:
    """The block with another origin for every value of the origin `code`: a row that no script of the authors covers takes none of it."""

    def value(old: Any) -> Any:
        if isinstance(old, dict):
            return relabelled(old, origin)
        return [old[0], origin] if isinstance(old, list) and old[1:] == [Origin.CODE] else old

    return {key: value(part) for key, part in block.items()}


def with_origins(block: Values) -> Values:
    """A block in which every value that can carry an origin is [value, origin]."""
    origin = block.get("origin") or Origin.OWN

    def pair(value: Any) -> Any:
        return value if value is None or isinstance(value, list) else [value, origin]

    marked = {key: pair(value) if key in SOURCED else value for key, value in block.items() if key != "origin"}
    if marked.get("coefficients"):
        marked["coefficients"] = {name: pair(value) for name, value in marked["coefficients"].items()}
    return marked
