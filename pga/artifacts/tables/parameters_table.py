"""Every parameter of every run with its origin."""

from __future__ import annotations

import pandas as pd

from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.formats import Grid
from pga.artifacts.tables.latex_tables import texts_of
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.method.terms import reads_delta
from pga.params.base import Origin
from pga.params.experiment import Experiment

ORIGINS = {
    Origin.PAPER: "the paper",
    Origin.CODE: "the authors' released code",
    Origin.GHOSH: "Ghosh et al. 2019, their released code",
    Origin.INFERRED: "said nowhere, chosen here (the reason stands beside it in the experiment's file)",
    Origin.OWN: "chosen by the author of the experiment's file",
}


def listed(experiment: Experiment) -> pd.DataFrame:
    """One row per run and value that the run uses, its seeds among them."""
    rows = []
    for dataset, block in experiment.datasets.items():
        for name, row in block.runs.items():
            unused = {"seeds"} if reads_delta(row.model) else {"seeds", "delta", "epsilon"}
            used = [value for value in row.listed() if value[0] not in unused]
            used.append(("seeds", " ".join(map(str, row.seeds or experiment.seeds)), ""))
            rows += [{"dataset": dataset, "run": name, "key": key, "value": value, "origin": origin} for key, value, origin in used]
    found = pd.DataFrame(rows)
    found["value"] = found.value.map(shown)
    return found


def shared(runs: list[str], everyone: list[str], titles: dict[str, str]) -> str:
    """The runs by title, or as the rest of all where that is shorter."""
    if len(runs) == len(everyone):
        return "all"
    others = [name for name in everyone if name not in runs]
    but = len(others) < len(runs) - 1
    return ("all but " if but else "") + "; ".join(titles[name] for name in (others if but else runs))


def as_grids(found: pd.DataFrame, experiment: Experiment) -> list[Grid]:
    """What parameters.csv holds, a grid per data set."""
    datasets, models = dataset_titles(experiment), run_titles(experiment)
    return [grid(datasets[str(dataset)], part, models) for dataset, part in found.groupby("dataset", sort=False)]


def grid(dataset: str, part: pd.DataFrame, titles: dict[str, str]) -> Grid:
    """One data set: a row per distinct value of each parameter, and which runs have it."""
    everyone = list(dict.fromkeys(part.run))
    rows = []
    for (key, value, origin), runs in part.groupby(["key", "value", "origin"], sort=False).run:
        rows.append((str(key), str(value), str(origin), shared(list(runs), everyone, titles)))
    order = list(dict.fromkeys(part.key))
    rows.sort(key=lambda row: order.index(row[0]))
    return Grid(("Parameter", "Value", "Origin", "Runs"), ("l", "l", "l", "p{7cm}"), tuple(rows), dataset)


def shown(value: object) -> str:
    """A value as YAML has it, numbers in their shortest form."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def make(request: TableInputs) -> Table:
    """The table; it needs no results."""
    found = listed(request.experiment)
    grids = as_grids(found, request.experiment)
    used = [origin for origin in Origin if (found.origin == origin.value).any()]
    caption = (
        "Every parameter of every run. Origin: " + "; ".join(f"{origin.value}, {ORIGINS[origin]}" for origin in used) + ". "
        "What has no origin is a choice of this experiment. Coefficients belong to losses that are means over batch and dimensions."
    )
    shows = {"datasets": request.experiment.model_dump(mode="json")["datasets"]}
    return Table(texts_of("parameters", found, grids, caption), caption, shows=shows)
