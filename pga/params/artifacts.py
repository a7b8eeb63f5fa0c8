"""Types of what an experiment's tables and figures show."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from pydantic import Field, model_validator

from pga.method.terms import MODELS
from pga.params.base import Name, Positive, Strict
from pga.params.sampling import RECONSTRUCTION
from pga.params.text import Text
from pga.params.titles import in_words


class Column(Strict):
    """One data set of a table or figure."""

    dataset: Name
    title: Text
    paper: str | None = Field(None, description="the paper's data set whose numbers stand beside, if it is another one")


class Row(Strict):
    """One model of a table or figure."""

    title: Text
    model: Name = Field(description="row name in `runs`, or `real`: real images of the split that is not the reference, as if samples")
    sampling: Name = "prior"
    block: Text = Field("paper", description="rows of one block stand together")
    datasets: dict[Name, Name] = Field({}, description="another data set for a column, e.g. {mnist: mnist32}")

    def on(self, column: Column) -> str:
        """The data set of this row in a column."""
        return self.datasets.get(column.dataset, column.dataset)


class Table1(Strict):
    """What Table 1 shows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


class Equivalence(Strict):
    """A question to pairs of runs: whether a change of them changes what is measured."""

    runs: tuple[Name, ...] = Field(description="rows that are trained as they are and changed, seed by seed", min_length=1)
    changes: dict[Name, dict[Name, Any]] = Field(description="name of a change → what is changed, e.g. {precision: tf32}", min_length=1)
    margin: Positive = Field(description="a mean that differs by less than this share of the unchanged one counts as the same")

    def twins(self, run: str) -> dict[str, str]:
        """Change → name of a row's twin with it."""
        return {change: f"{run}_{change}" for change in self.changes}

    def title(self, change: str) -> str:
        """A change in words."""
        return ", ".join(f"{key} {value[0] if isinstance(value, list | tuple) else value}" for key, value in self.changes[change].items())


class Needs(NamedTuple):
    """The files of a run that a kind of figure is drawn from, besides its run.json.

    Attributes:
        first: files of the first seed.
        every: files of every seed.
        metrics: folder whose metrics.json of every seed it reads, for the numbers on the page.
    """

    first: tuple[str, ...] = ()
    every: tuple[str, ...] = ()
    metrics: str = ""


NEEDS: dict[str, Needs] = {
    "routing": Needs(),
    "panels": Needs(first=("{sampling}/samples.npy", "{sampling}/samples.json"), metrics="{sampling}"),
    "training": Needs(every=("history.csv", "curve.csv", "curve.json")),
    "terms": Needs(every=("history.csv",)),
    "interpolations": Needs(first=("interpolations.npy", "interpolations.json")),
    "reconstructions": Needs(
        first=(f"{RECONSTRUCTION}/reconstructions.npy", f"{RECONSTRUCTION}/reconstructions.json"), metrics=RECONSTRUCTION
    ),
    "neighbours": Needs(first=("{sampling}/neighbours.npy", "{sampling}/neighbours.json")),
}
"""Kind of figure → what it is drawn from; `pga.artifacts.figures.figure_registry` has the function that draws it."""

IN_FEATURES = ("training", "neighbours")
"""Kinds of figures that cannot be drawn of data sets that nothing is measured of."""


def figure_title(name: str) -> str:
    """A figure's name for people: "Figure 2", "Figure 3, batch norm", "Terms MNIST"."""
    found = re.fullmatch(r"figure(\d+)(?:_(.+))?", name)
    return in_words(name) if found is None else f"Figure {found[1]}" + (f", {found[2].replace('_', ' ')}" if found[2] else "")


MOST_LINES = 5
"""Lines of one panel that can be told apart (`pga.artifacts.figures.canvas.LINES`)."""


class Figure(Strict):
    """One figure: a kind, and the runs that it shows."""

    kind: Literal["routing", "panels", "training", "terms", "interpolations", "reconstructions", "neighbours"] = Field(
        "panels",
        description="routing: the laws and the losses, from the table of terms; panels: random samples; training: loss and metric over "
        "training; terms: every term over training; interpolations between test images; reconstructions; neighbours: nearest real images",
    )
    datasets: tuple[Name, ...] = Field((), description="data sets, in their order on the page; none for `routing`")
    models: tuple[Name, ...] = Field(description="row names in `runs`; for `routing` models of the table of terms", min_length=1)
    sampling: Name = "prior"
    against: Name | None = Field(None, description="for `panels`: the run that each other one is compared with, seed by seed")
    titles: dict[Name, Text] = Field({}, description="how a data set or model is called where Table 1 has no title for it")
    note: Text | None = Field(None, description="a sentence of the caption, e.g. what stands in for what")
    width: float = Field(6.75, ge=3.25, le=20, description="inches: a paper's column is 3.25 wide, its page 6.75")
    font: Literal["sans", "times"] = Field("sans", description="times: STIX, which goes with a paper set in Times")

    @model_validator(mode="after")
    def _consistent(self) -> Figure:
        if (self.kind == "routing") == bool(self.datasets):
            raise ValueError(f"a figure of kind {self.kind} {'takes no' if self.datasets else 'needs'} datasets")
        if self.kind in ("training", "terms") and len(self.models) > MOST_LINES:
            raise ValueError(f"models: found {len(self.models)}; no more than {MOST_LINES} lines can be told apart")
        if self.against and self.kind != "panels":
            raise ValueError(f"against: found {self.against!r}; a figure of kind {self.kind} compares no runs")
        unknown = [model for model in self.models if model not in MODELS]
        if self.kind == "routing" and unknown:
            raise ValueError(f"models: {unknown} not among {', '.join(MODELS)}")
        return self

    @property
    def needs(self) -> Needs:
        """What this figure is drawn from."""
        return NEEDS[self.kind]

    @property
    def measured(self) -> str:
        """The sampling (or reconstruction) whose metrics it shows; empty if it shows none."""
        return self.needs.metrics.format(sampling=self.sampling)

    def runs(self) -> list[tuple[str, str]]:
        """(data set, model) of every run that it shows, data sets first."""
        return [(dataset, model) for dataset in self.datasets for model in self.models]

    def measured_runs(self) -> list[tuple[str, str]]:
        """(data set, model) of every run whose metrics it shows: those, and what they are compared with."""
        models = dict.fromkeys((*self.models, *([self.against] if self.against else [])))
        return [(dataset, model) for dataset in self.datasets for model in models]

    def files(self, dataset: str, model: str, seeds: tuple[int, ...], measured: bool = True) -> list[str]:
        """Everything that the figure reads of one run and its seeds, under the experiment's folder of results."""
        has_metrics = self.measured and (measured or self.measured == RECONSTRUCTION)
        found, shown = [], model in self.models
        for seed in seeds:
            metrics = (f"{self.measured}/metrics.json",) if has_metrics else ()
            images = self.needs.first if seed == seeds[0] and shown else ()
            files = images + (self.needs.every if shown else ()) + metrics
            of_run = (*files, "run.json") if files else ()
            found += [f"{dataset}/{model}/seed{seed}/{file.format(sampling=self.sampling)}" for file in of_run]
        return found
