"""Runs that are derived from others: grids over a coefficient, variants without some terms, changed twins, other data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pga.params.artifacts import Equivalence
from pga.params.base import Origin
from pga.params.presets import Misfit, Values, lay
from pga.params.titles import PROPER, in_words
from pga.params.written import Sweep, Variants

NO_RUNS: Values = {"runs": {}}


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
