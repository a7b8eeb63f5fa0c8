"""An experiment's complete content: presets and common values under each run, experiments that extend others, grids of derived runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pga.method.terms import MODELS, coefficients
from pga.params.artifacts import FIGURES, Equivalence
from pga.params.base import Origin
from pga.params.reading import read_yaml, validate
from pga.params.titles import PROPER, in_words
from pga.params.written import SOURCED, Sweep, Variants, Written
from pga.runtime.errors import UserError

Values = dict[str, Any]


class Misfit(ValueError):
    """Parts of an experiment that do not fit each other; `compose` adds the file."""


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


NO_RUNS: Values = {"runs": {}}


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


class Derived(NamedTuple):
    """A run that is derived from another: its title, and its values made from the other's."""

    title: str
    values: Callable[[Values], Values]


def grid(content: Values, runs: dict[str, dict[str, Derived]], figures: Values) -> Values:
    """The experiment with nothing but derived runs, on every column of Table 1 that has the runs which they are derived from.

    Args:
        content: the experiment.
        runs: name of a run → the runs that are derived from it.
        figures: of the new experiment.

    Raises:
        Misfit: there is no such run, or the runs are on different data sets.
    """

    def columns_with(run: str) -> list[Values]:
        return [column for column in content["table1"]["columns"] if run in content["datasets"].get(column["dataset"], NO_RUNS)["runs"]]

    first = next(iter(runs))
    columns = columns_with(first)
    if lacking := [run for run in runs if not columns or columns_with(run) != columns]:
        raise Misfit(f"{', '.join(lacking)}: no runs on the data sets of table1" + (f" that have {first}" if columns else ""))
    datasets: Values = {}
    for column in columns:
        block = content["datasets"][column["dataset"]]
        made = {name: derived.values(block["runs"][run]) for run, of_run in runs.items() for name, derived in of_run.items()}
        datasets[column["dataset"]] = {**block, "runs": made}
    shown = [{"title": derived.title, "model": name, "block": "grid"} for of_run in runs.values() for name, derived in of_run.items()]
    return {**content, "datasets": datasets, "table1": {"columns": columns, "rows": shown}, "figures": figures}


def swept(sweeps: Sequence[Sweep]) -> dict[str, dict[str, Derived]]:
    """For each run the runs of its grids, one for each factor."""

    def values(coefficient: str, factor: float) -> Callable[[Values], Values]:
        return lambda row: lay(row, {"coefficients": {coefficient: [value_of(row, coefficient) * factor, Origin.INFERRED]}})

    found: dict[str, dict[str, Derived]] = {}
    for sweep in sweeps:
        for k, factor in enumerate(sweep.factors):
            derived = Derived(
                f"{in_words(sweep.run)}, {factor:g} {PROPER.get(sweep.coefficient, sweep.coefficient)}", values(sweep.coefficient, factor)
            )
            found.setdefault(sweep.run, {})[f"{sweep.run}_{sweep.coefficient}_{k}"] = derived
    return found


def varied(variants: Variants) -> dict[str, Derived]:
    """A run for each variant; raises Misfit if a variant switches off a coefficient that there is not."""

    def values(zero: tuple[str, ...]) -> Callable[[Values], Values]:
        def made(row: Values) -> Values:
            given = {name: 0 if name in zero else value_of(row, base) for name, base in variants.coefficients.items()}
            return {**row, "model": variants.model, "coefficients": {name: [value, Origin.INFERRED] for name, value in given.items()}}

        return made

    for name, variant in variants.rows.items():
        if unknown := set(variant.zero) - set(variants.coefficients):
            raise Misfit(f"variants.rows.{name}.zero: {sorted(unknown)} not among {', '.join(variants.coefficients)}")
    return {name: Derived(variant.title, values(variant.zero)) for name, variant in variants.rows.items()}


def paired(run: str, asked: Equivalence, content: Values) -> dict[str, Derived]:
    """A run as it is, and its changed twins."""
    titles = {row["model"]: row["title"] for row in reversed(content["table1"]["rows"])}
    title = titles.get(run, run)

    def values(change: Values) -> Callable[[Values], Values]:
        return lambda row: lay(row, change)

    twins = {twin: Derived(f"{title}, {asked.title(change)}", values(asked.changes[change])) for change, twin in asked.twins(run).items()}
    return {run: Derived(title, dict), **twins}


def value_of(row: Values, name: str) -> float:
    """A coefficient's value in a run's row; raises Misfit if the run has no such coefficient."""
    if name not in row["coefficients"]:
        raise Misfit(f"{row['model']} has no coefficient {name!r}; it has {', '.join(row['coefficients'])}")
    value: float = row["coefficients"][name][0]
    return value


def substituted(content: Values, substitute: dict[str, str]) -> Values:
    """The experiment on other data sets: the paper's columns stay, other data stand in.

    Raises:
        Misfit: a data set that is to be replaced is not there.
    """
    if unknown := set(substitute) - set(content["datasets"]):
        raise Misfit(f"substitute: {sorted(unknown)} not among {sorted(content['datasets'])}")

    def now(name: str) -> str:
        return substitute.get(name, name)

    def column(shown: Values) -> Values:
        return {**shown, "dataset": now(shown["dataset"]), "paper": shown["dataset"]} if shown["dataset"] in substitute else shown

    table, figures = content["table1"], content.get("figures", {})
    rows = [{**row, "datasets": {now(old): now(new) for old, new in row.get("datasets", {}).items()}} for row in table["rows"]]
    for name, figure in figures.items():
        titles = {now(shown): title for shown, title in figure.get("titles", {}).items()}
        figures[name] = {**figure, "datasets": list(map(now, figure.get("datasets", []))), "titles": titles}
    datasets = {now(name): {**runs, "note": ""} if name in substitute else runs for name, runs in content["datasets"].items()}
    return {**content, "datasets": datasets, "table1": {"columns": list(map(column, table["columns"])), "rows": rows}, "figures": figures}
