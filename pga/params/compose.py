"""An experiment's complete content: presets and common values under each run, experiments that extend others, grids of derived runs."""

from __future__ import annotations

from pathlib import Path

from pga.method.terms import MODELS, coefficients
from pga.params.artifacts import FIGURES, Equivalence
from pga.params.derive import grid, paired, substituted, swept, varied
from pga.params.presets import Misfit, Presets, Values, lay, merge
from pga.params.reading import read_yaml, validate
from pga.params.titles import in_words
from pga.params.written import Written
from pga.runtime.errors import UserError


def compose(path: str | Path, above: tuple[Path, ...] = ()) -> Values:
    """The complete content of an experiment's file: every run with all of its values, each with its origin.

    Args:
        path: the file.
        above: the files that extend it.

    Raises:
        UserError: names the file, and what in it cannot be read or does not fit what it extends.
    """
    place = Path(path)
    raw = read_yaml(place)
    written = validate(raw, Written, place)
    try:
        if place in above:
            raise Misfit(f"extends itself ({' → '.join(file.stem for file in (*above, place))})")
        base = place.with_name(f"{written.extends}.yaml") if written.extends else None
        if base and not base.exists():
            raise Misfit(f"extends: found {written.extends!r}, but there is no {base}")
        content = composed(raw, written, compose(base, (*above, place)) if base else {}, place)
    except Misfit as error:
        raise UserError(f"{place}: {error}") from error
    for name in content["figures"].keys() & FIGURES.keys():  # a figure that is called as a kind is of that kind
        content["figures"][name].setdefault("kind", name)
    return content


def composed(raw: Values, written: Written, base: Values, path: Path) -> Values:
    """What a file says, complete, laid on what it extends; raises Misfit if it does not fit what it extends."""
    if not base and (found := [key for key in DERIVING if raw.get(key)]):
        raise Misfit(f"{', '.join(found)}: only with `extends`")
    if base and written.common:
        raise Misfit("common: not with `extends`; `override` replaces values of every run")
    presets = Presets(path, raw)
    own = {key: value for key, value in raw.items() if key not in ("extends", "presets", "common", "datasets", *DERIVING)}
    content = merge(base, own)
    content["datasets"] = with_runs(raw, base.get("datasets", {}), presets)
    content["figures"] = {name: figure for name, figure in content.get("figures", {}).items() if figure is not None}
    content["table1"] = {**everything(content["datasets"]), **with_rows(content.get("table1") or {})}
    figures = raw.get("figures", {})
    if written.sweeps:
        content = grid(content, swept(written.sweeps), {})
    if written.variants:
        content = grid(content, {written.variants.run: varied(written.variants)}, figures)
    if written.equivalence and base:
        changes = {name: presets.resolved(change) for name, change in raw["equivalence"]["changes"].items()}
        asked = validate({**raw["equivalence"], "changes": changes}, Equivalence, path)
        content["equivalence"] = {**raw["equivalence"], "changes": changes}
        content = grid(content, {run: paired(run, asked, content) for run in asked.runs}, figures)
    if written.override:
        override = presets.resolved(raw["override"])
        for dataset in content["datasets"].values():
            dataset["runs"] = {name: lay(row, override) for name, row in dataset["runs"].items()}
    return substituted(content, written.substitute) if written.substitute else content


DERIVING = ("override", "substitute", "sweeps", "variants")
"""The keys that make other runs of those that a file extends."""


def with_runs(raw: Values, base: Values, presets: Presets) -> Values:
    """The data sets with their runs: what the file says of each, on the run of that name in `base`, else on the common values."""
    everywhere = presets.resolved(raw.get("common"))
    found = {name: {**block, "runs": dict(block["runs"])} for name, block in base.items()}
    for dataset, block in raw.get("datasets", {}).items():
        common = presets.on(everywhere, block.get("common"))
        rows = found.setdefault(dataset, {"runs": {}})
        rows.update({key: value for key, value in block.items() if key not in ("common", "runs")})
        for name, row in block.get("runs", {}).items():
            under = rows["runs"].get(name, {"model": name, **common})
            rows["runs"][name] = with_its_coefficients(presets.on(under, row), row or {})
    return found


def with_its_coefficients(row: Values, given: Values) -> Values:
    """A run without the coefficients that its model lacks, unless its own block gives them, which is a mistake to be told."""
    if row["model"] in MODELS and row.get("coefficients"):
        kept = {*coefficients(row["model"]), *(given.get("coefficients") or {})}
        row["coefficients"] = {name: value for name, value in row["coefficients"].items() if name in kept}
    return row


def everything(datasets: Values) -> Values:
    """Table 1 where the file says nothing of it: every run on every data set of which anything is measured."""
    datasets = {name: block for name, block in datasets.items() if block.get("measured", True)}
    names = dict.fromkeys(name for block in datasets.values() for name in block["runs"])
    shown = [name for name in names if all(name in block["runs"] for block in datasets.values())]
    return {
        "columns": [{"dataset": name, "title": in_words(name)} for name in datasets],
        "rows": [{"title": in_words(name), "model": name} for name in shown],
    }


def with_rows(table: Values) -> Values:
    """Table 1 with the rows of its blocks among the others."""
    rows = [
        {**{key: value for key, value in block.items() if key != "rows"}, **row}
        for block in table.get("blocks", [])
        for row in block["rows"]
    ]
    return {
        **{key: value for key, value in table.items() if key != "blocks"},
        **({"rows": [*rows, *table.get("rows", [])]} if rows else {}),
    }
