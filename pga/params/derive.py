"""A scale's complete content: `common` blocks spread over the runs, scales that extend others, grids over a coefficient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pga.errors import UserError
from pga.params.base import Name, Positive, Strict
from pga.params.reading import read_yaml, validate
from pga.terms import MODELS, coefficients

ALL_COEFFICIENTS = {name for model in MODELS for name in coefficients(model)}


class Sweep(Strict):
    """A coefficient of one run over a grid of multiples of its value."""

    run: Name
    coefficient: Name
    factors: tuple[Positive, ...]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, mapping by mapping."""
    merged = dict(base)
    for key, value in over.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_mappings else value
    return merged


def complete(raw: dict[str, Any]) -> dict[str, Any]:
    """Spread the `common` blocks over the runs: the file's own, the data set's, then the row.

    A common coefficient (α, β) serves the models that have it and is left out of the others.
    """
    everywhere = raw.pop("common", {})
    for block in raw.get("datasets", {}).values():
        if not isinstance(block, dict) or not isinstance(block.get("runs"), dict):
            continue  # validation says what is wrong
        common = merge(everywhere, block.pop("common", {}))
        for name, row in block["runs"].items():
            given = row or {}
            merged = merge(common, {"model": name, **given})
            if isinstance(merged.get("coefficients"), dict) and merged["model"] in MODELS:
                others = ALL_COEFFICIENTS - set(coefficients(merged["model"])) - set(given.get("coefficients") or {})
                merged["coefficients"] = {key: value for key, value in merged["coefficients"].items() if key not in others}
            block["runs"][name] = merged
    return raw


def derive(path: str | Path) -> dict[str, Any]:
    """A scale's complete content; one that `extends` another starts from it.

    Such a scale may `substitute` data sets (the paper's column stays, other data stand in), `override` values of every run, and
    `sweep` a coefficient of one run over a grid.
    """
    raw = read_yaml(path)
    if "extends" not in raw:
        return complete(raw)
    base = derive(Path(path).parent / f"{raw.pop('extends')}.yaml")
    override, substitute, sweep = raw.pop("override", {}), raw.pop("substitute", {}), raw.pop("sweep", None)
    merged = merge(base, raw)
    if sweep is not None:
        merged = swept(merged, validate(sweep, Sweep, path))
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
    columns = [column for column in raw["table1"]["columns"] if sweep.run in raw["datasets"][column["dataset"]]["runs"]]
    names = {factor: f"{sweep.run}_{k}" for k, factor in enumerate(sweep.factors)}
    datasets = {}
    for column in columns:
        row = raw["datasets"][column["dataset"]]["runs"][sweep.run]
        if sweep.coefficient not in row["coefficients"]:
            raise UserError(f"sweep: {sweep.run} has no coefficient {sweep.coefficient!r}; it has {', '.join(row['coefficients'])}")
        centre, _ = row["coefficients"][sweep.coefficient]
        changes = {name: {"coefficients": {sweep.coefficient: [centre * factor, "inferred"]}} for factor, name in names.items()}
        datasets[column["dataset"]] = {"runs": {name: merge(row, change) for name, change in changes.items()}}
    rows = [{"title": f"{sweep.run}, {factor:g} {sweep.coefficient}", "model": name, "block": "grid"} for factor, name in names.items()]
    return {**raw, "datasets": datasets, "table1": {"columns": columns, "rows": rows}, "figures": {}}
