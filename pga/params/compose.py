"""A scale's complete content: `common` blocks spread over the runs, scales that extend others, grids over a coefficient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pga.method.terms import MODELS, coefficients
from pga.params.artifacts import Equivalence
from pga.params.base import Name, Positive, Strict
from pga.params.reading import read_yaml, validate
from pga.runtime.errors import UserError

ALL_COEFFICIENTS = {name for model in MODELS for name in coefficients(model)}


class Sweep(Strict):
    """A coefficient of one run over a grid of multiples of its value."""

    run: Name
    coefficient: Name
    factors: tuple[Positive, ...]


class Variant(Strict):
    """One row of a grid of variants."""

    title: str
    zero: tuple[Name, ...] = ()


class Variants(Strict):
    """A run with some of its coefficients set to zero, row by row, as another model whose coefficients are more in number."""

    run: Name
    model: Name
    coefficients: dict[Name, Name]
    rows: dict[Name, Variant]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, mapping by mapping."""
    merged = dict(base)
    for key, value in over.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_mappings else value
    return merged


def complete(raw: dict[str, Any]) -> dict[str, Any]:
    """Spread the `common` blocks over the runs: the file's own, the data set's, then the row.

    A common coefficient (α, β) serves the models that have it and is left out of the others. A row that no script of the authors covers
    says `inherits: inferred`: what it takes from the common blocks with the origin `code` is inferred there.
    """
    everywhere = raw.pop("common", {})
    for block in raw.get("datasets", {}).values():
        if not isinstance(block, dict) or not isinstance(block.get("runs"), dict):
            continue  # validation says what is wrong
        common = merge(everywhere, block.pop("common", {}))
        for name, row in block["runs"].items():
            given = dict(row or {})
            inherited = with_origin(common, given.pop("inherits")) if "inherits" in given else common
            merged = merge(inherited, {"model": name, **given})
            if isinstance(merged.get("coefficients"), dict) and merged["model"] in MODELS:
                others = ALL_COEFFICIENTS - set(coefficients(merged["model"])) - set(given.get("coefficients") or {})
                merged["coefficients"] = {key: value for key, value in merged["coefficients"].items() if key not in others}
            block["runs"][name] = merged
    return raw


def with_origin(block: dict[str, Any], origin: str) -> dict[str, Any]:
    """The block with another origin for every value of the origin `code`."""

    def value(old: Any) -> Any:
        if isinstance(old, dict):
            return {key: value(part) for key, part in old.items()}
        return [old[0], origin] if isinstance(old, list) and old[1:] == ["code"] else old

    return {key: value(part) for key, part in block.items()}


SHAPELESS = (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError)
"""What Python says where a mapping, a list or a number is expected and something else stands; types are checked of the whole only."""


def derive(path: str | Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A scale's complete content; one that `extends` another starts from it.

    Args:
        path: its file.
        above: the files that extend it.

    Raises:
        UserError: names the file, and what in it cannot be read or does not fit what it extends.
    """
    place = Path(path)
    if place in above:
        raise UserError(f"{place}: extends itself ({' → '.join(file.stem for file in (*above, place))})")
    try:
        return derived(read_yaml(path), place, (*above, place))
    except UserError as error:
        raise error if str(place) in str(error) else UserError(f"{place}: {error}") from error
    except SHAPELESS as error:
        raise UserError(
            f"{place}: its parts are not those of a scale, or do not fit what it extends ({type(error).__name__}: {error})"
        ) from error


def derived(raw: dict[str, Any], path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """What a scale's file says, complete.

    Such a scale may `substitute` data sets (the paper's column stays, other data stand in), `override` values of every run, `sweep` a
    coefficients of its runs over grids, have `variants` of one run, or ask for the `equivalence` of runs to changed ones, which then are
    all that it has.
    """
    if "extends" not in raw:
        return complete(raw)
    base = derive(path.parent / f"{raw.pop('extends')}.yaml", above)
    override, substitute = raw.pop("override", {}), raw.pop("substitute", {})
    sweeps, variants = raw.pop("sweeps", None), raw.pop("variants", None)
    merged = merge(base, raw)
    if sweeps is not None:
        if not isinstance(sweeps, list) or not sweeps:
            raise UserError(f"{path}: sweeps: found {sweeps!r}; accepted is a list of {{run, coefficient, factors}}")
        merged = {**joined([swept(merged, validate(sweep, Sweep, path)) for sweep in sweeps]), "figures": {}}
    if variants is not None:
        merged = {**varied(merged, validate(variants, Variants, path)), "figures": raw.get("figures", {})}
    if "equivalence" in raw:
        merged = {**paired(merged, validate(raw["equivalence"], Equivalence, path)), "figures": raw.get("figures", {})}
    if not isinstance(substitute, dict) or not isinstance(override, dict):
        raise UserError(f"{path}: `substitute` and `override` are mappings")
    unknown = set(substitute) - set(merged["datasets"])
    if unknown:
        raise UserError(f"{path}: substitute: {sorted(unknown)} not among {sorted(merged['datasets'])}")
    merged["datasets"] = {substitute.get(name, name): block for name, block in merged["datasets"].items()}
    for block in merged["datasets"].values():
        block["runs"] = {name: merge(row, override) for name, row in block["runs"].items()}
    for column in merged["table1"]["columns"]:
        if column["dataset"] in substitute:
            column["paper"], column["dataset"] = column["dataset"], substitute[column["dataset"]]
    for row in merged["table1"]["rows"]:
        replaced = row.get("datasets", {})
        row["datasets"] = {substitute.get(old, old): substitute.get(new, new) for old, new in replaced.items()}
    for figure in merged.get("figures", {}).values():
        figure["datasets"] = [substitute.get(name, name) for name in figure.get("datasets", [])]
        figure["titles"] = {substitute.get(name, name): title for name, title in figure.get("titles", {}).items()}
    return merged


def swept(raw: dict[str, Any], sweep: Sweep) -> dict[str, Any]:
    """The scale with nothing but one row per factor of the grid, on every column of Table 1 that has the run."""

    def rows(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
        centre = coefficient(row, sweep.run, sweep.coefficient)
        changes = [{"coefficients": {sweep.coefficient: [centre * factor, "inferred"]}} for factor in sweep.factors]
        return {f"{grid}_{k}": merge(row, change) for k, change in enumerate(changes)}

    grid = f"{sweep.run}_{sweep.coefficient}"
    titles = {f"{grid}_{k}": f"{sweep.run}, {factor:g} {sweep.coefficient}" for k, factor in enumerate(sweep.factors)}
    return only(raw, sweep.run, rows, titles)


def varied(raw: dict[str, Any], variants: Variants) -> dict[str, Any]:
    """The scale with nothing but one row per variant, on every column of Table 1 that has the run."""
    for name, variant in variants.rows.items():
        if unknown := set(variant.zero) - set(variants.coefficients):
            raise UserError(f"variants: rows.{name}.zero: {sorted(unknown)} not among {', '.join(variants.coefficients)}")

    def rows(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
        values = {name: coefficient(row, variants.run, base) for name, base in variants.coefficients.items()}
        return {
            name: {
                **row,
                "model": variants.model,
                "coefficients": {key: [0 if key in variant.zero else value, "inferred"] for key, value in values.items()},
            }
            for name, variant in variants.rows.items()
        }

    return only(raw, variants.run, rows, {name: variant.title for name, variant in variants.rows.items()})


def paired(raw: dict[str, Any], asked: Equivalence) -> dict[str, Any]:
    """The scale with nothing but runs and their changed twins."""
    titles = {row["model"]: row["title"] for row in reversed(raw["table1"]["rows"])}
    parts = []
    for run in asked.runs:
        title = titles.get(run, run)
        names = {run: title} | {twin: f"{title}, {asked.title(change)}" for change, twin in asked.twins(run).items()}

        def rows(row: dict[str, Any], run: str = run) -> dict[str, dict[str, Any]]:
            return {run: row} | {twin: merge(row, asked.changes[change]) for change, twin in asked.twins(run).items()}

        parts.append(only(raw, run, rows, names))
    if lacking := [run for run, part in zip(asked.runs, parts, strict=True) if part["table1"]["columns"] != parts[0]["table1"]["columns"]]:
        raise UserError(f"equivalence: runs: {', '.join(lacking)} not on the same data sets as {asked.runs[0]}")
    return joined(parts)


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The runs of several grids, and their rows of Table 1, as one scale."""
    merged = parts[0]
    for part in parts[1:]:
        merged["datasets"] = merge(merged["datasets"], part["datasets"])
        merged["table1"]["rows"] += part["table1"]["rows"]
    return merged


def coefficient(row: dict[str, Any], run: str, name: str) -> float:
    """A coefficient's value in a run's row."""
    if name not in row["coefficients"]:
        raise UserError(f"{run} has no coefficient {name!r}; it has {', '.join(row['coefficients'])}")
    value: float = row["coefficients"][name][0]
    return value


def only(raw: dict[str, Any], run: str, rows: Callable[[dict[str, Any]], dict[str, Any]], titles: dict[str, str]) -> dict[str, Any]:
    """The scale with nothing but the rows that are made from `run`, on every column of Table 1 that has it."""
    columns = [column for column in raw["table1"]["columns"] if run in raw["datasets"][column["dataset"]]["runs"]]
    datasets = {column["dataset"]: {"runs": rows(raw["datasets"][column["dataset"]]["runs"][run])} for column in columns}
    shown = [{"title": title, "model": name, "block": "grid"} for name, title in titles.items()]
    return {**raw, "datasets": datasets, "table1": {"columns": columns, "rows": shown}}
