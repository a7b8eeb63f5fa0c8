"""Types of what an experiment's tables and figures show."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from pga.method.terms import MODELS
from pga.params.base import Name, Positive, Strict
from pga.params.sampling import RECONSTRUCTION
from pga.params.text import Text
from pga.params.titles import in_words
from pga.runtime.registry import Registry


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


class TableKind(NamedTuple):
    """A table that there is.

    Attributes:
        make: the function that makes it, `pga.artifacts.tables.table_inputs.TableInputs` → `Table`, by its dotted name.
        shows: one line for `--help`.
        of_all_runs: made as CSV, Markdown and LaTeX of `metrics.csv` and the records of all runs, and shown in the report.
    """

    make: str
    shows: str
    of_all_runs: bool = False


TABLES: Registry[str, TableKind] = {
    "table1": TableKind("pga.artifacts.tables.table1.make", "mean, standard error, n, every seed's value, the paper's numbers beside ours"),
    "numbers": TableKind("pga.artifacts.tables.table1.numbers", "the numbers of table1 as macros of LaTeX"),
    "claims": TableKind("pga.artifacts.tables.claims_table.make", "every number and statement of the paper with ours and a verdict"),
    "notation": TableKind("pga.artifacts.tables.notation_table.make", "Table 2, the symbols, from the table of terms in the code"),
    "parameters": TableKind("pga.artifacts.tables.parameters_table.make", "every parameter of every run with its origin"),
    "equivalence": TableKind(
        "pga.artifacts.tables.equivalence_table.make",
        "whether changed runs measure the same as unchanged ones, seed by seed, with an interval and a verdict",
    ),
    "evaluation": TableKind(
        "pga.artifacts.tables.evaluation_table.make",
        "all metrics of every run and way of sampling in every feature space, real images among them",
        of_all_runs=True,
    ),
    "costs": TableKind(
        "pga.artifacts.tables.costs_table.make", "device, time, steps per second, memory and parameters of every run", of_all_runs=True
    ),
}
"""Every table, by its name. A new one is a module in `pga/artifacts/tables` and a row here."""


class FigureKind(NamedTuple):
    """A kind of figure, and the files of a run that it is drawn from besides its run.json.

    Attributes:
        draw: the function that draws it, `pga.artifacts.figures.figure_inputs.Sources` → `DrawnFigure`, by its dotted name.
        shows: a few words for the report and the schema, `{metric}` in the place of the headline's.
        first: files of the first seed.
        every: files of every seed.
        metrics: folder whose metrics.json of every seed it reads, for the numbers on the page.
        in_features: whether it cannot be drawn of data sets that nothing is measured of.
        lines: whether models are lines of one panel, of which no more than `MOST_LINES` can be told apart.
    """

    draw: str
    shows: str
    first: tuple[str, ...] = ()
    every: tuple[str, ...] = ()
    metrics: str = ""
    in_features: bool = False
    lines: bool = False


FIGURES: Registry[str, FigureKind] = {
    "routing": FigureKind("pga.artifacts.figures.diagram.draw", "laws and losses"),
    "panels": FigureKind(
        "pga.artifacts.figures.samples_figure.draw",
        "samples",
        first=("{sampling}/samples.npy", "{sampling}/samples.json"),
        metrics="{sampling}",
    ),
    "training": FigureKind(
        "pga.artifacts.figures.training_figure.draw",
        "loss and {metric} over training",
        every=("history.csv", "curve.csv", "curve.json"),
        in_features=True,
        lines=True,
    ),
    "terms": FigureKind("pga.artifacts.figures.terms_figure.draw", "every term over training", every=("history.csv",), lines=True),
    "interpolations": FigureKind(
        "pga.artifacts.figures.interpolations_figure.draw", "interpolations", first=("interpolations.npy", "interpolations.json")
    ),
    "reconstructions": FigureKind(
        "pga.artifacts.figures.reconstructions_figure.draw",
        "test images above each model’s",
        first=(f"{RECONSTRUCTION}/reconstructions.npy", f"{RECONSTRUCTION}/reconstructions.json"),
        metrics=RECONSTRUCTION,
    ),
    "neighbours": FigureKind(
        "pga.artifacts.figures.neighbours_figure.draw",
        "nearest training images",
        first=("{sampling}/neighbours.npy", "{sampling}/neighbours.json"),
        in_features=True,
    ),
}
"""Every kind of figure, by its name. A new one is a module in `pga/artifacts/figures` and a row here."""


def figure_title(name: str) -> str:
    """A figure's name for people: "Figure 2", "Figure 3, batch norm", "Terms MNIST"."""
    found = re.fullmatch(r"figure(\d+)(?:_(.+))?", name)
    return in_words(name) if found is None else f"Figure {found[1]}" + (f", {found[2].replace('_', ' ')}" if found[2] else "")


MOST_LINES = 5
"""Lines of one panel that can be told apart (`pga.artifacts.figures.canvas.LINES`)."""


def known_kind(kind: str) -> str:
    """Refuse a kind of figure that there is not."""
    if kind not in FIGURES:
        raise ValueError(f"accepted is one of {', '.join(FIGURES)}")
    return kind


class Figure(Strict):
    """One figure: a kind, and the runs that it shows."""

    kind: Annotated[str, AfterValidator(known_kind)] = "panels"
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
        if self.needs.lines and len(self.models) > MOST_LINES:
            raise ValueError(f"models: found {len(self.models)}; no more than {MOST_LINES} lines can be told apart")
        if self.against and self.kind != "panels":
            raise ValueError(f"against: found {self.against!r}; a figure of kind {self.kind} compares no runs")
        unknown = [model for model in self.models if model not in MODELS]
        if self.kind == "routing" and unknown:
            raise ValueError(f"models: {unknown} not among {', '.join(MODELS)}")
        return self

    @property
    def needs(self) -> FigureKind:
        """What this figure is drawn from."""
        return FIGURES[self.kind]

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
