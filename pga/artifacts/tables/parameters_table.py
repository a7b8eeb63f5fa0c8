"""Every parameter of every run with its origin."""

from __future__ import annotations

import pandas as pd

from pga.artifacts.tables.formats import Grid, as_markdown
from pga.artifacts.tables.latex_tables import as_latex
from pga.artifacts.tables.request import Made, Request
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
    found["value"] = found.value.map(lambda value: str(value).lower() if isinstance(value, bool) else value)  # as YAML writes it
    return found


def shared(runs: list[str], everyone: list[str]) -> str:
    """The runs by name, or as the rest of all where that is shorter."""
    if len(runs) == len(everyone):
        return "all"
    others = [name for name in everyone if name not in runs]
    return f"all but {', '.join(others)}" if len(others) < len(runs) - 1 else ", ".join(runs)


def grid(dataset: str, part: pd.DataFrame) -> Grid:
    """One data set: a row per distinct value of each parameter, and which runs have it."""
    everyone = list(dict.fromkeys(part.run))
    rows = []
    for (key, value, origin), runs in part.groupby(["key", part.value.map(shown), "origin"], sort=False).run:
        rows.append((str(key), str(value), str(origin), shared(list(runs), everyone)))
    order = list(dict.fromkeys(part.key))
    rows.sort(key=lambda row: order.index(row[0]))
    return Grid(("Parameter", "Value", "Origin", "Runs"), ("l", "l", "l", "p{7cm}"), tuple(rows), dataset)


def shown(value: object) -> str:
    """A value as text: numbers in their shortest form."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def make(request: Request) -> Made:
    """The table; it needs no results."""
    found = listed(request.experiment)
    grids = [grid(str(dataset), part) for dataset, part in found.groupby("dataset", sort=False)]
    used = [origin for origin in Origin if (found.origin == origin.value).any()]
    caption = (
        "Every parameter of every run. Origin: " + "; ".join(f"{origin.value}, {ORIGINS[origin]}" for origin in used) + ". "
        "What has no origin is a choice of this experiment. Coefficients belong to losses that are means over batch and dimensions."
    )
    csv: str = found.to_csv(index=False, lineterminator="\n")
    shows = {"datasets": request.experiment.model_dump(mode="json")["datasets"]}
    return Made({"csv": csv, "md": as_markdown(grids, caption), "tex": as_latex(grids, caption, "parameters")}, caption, shows=shows)
