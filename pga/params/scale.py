"""A scale: one file in `params/` with its runs, how they are sampled and evaluated, and what the tables and figures show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pga.errors import UserError
from pga.params.base import Count, Name, Positive, Strict
from pga.params.evaluation import Evaluation
from pga.params.reading import read_yaml, validate
from pga.params.runs import RunParams
from pga.run import Run
from pga.terms import MODELS, coefficients

ALL_COEFFICIENTS = {name for model in MODELS for name in coefficients(model)}


class Sampling(Strict):
    """How images are drawn from a trained decoder."""

    density: Literal["normal", "gaussian", "mixture"] = Field(
        "normal", description="law of the codes: N(0, I); one Gaussian or a 10-component mixture fitted to the training codes"
    )
    reference: Literal["train", "test"] = Field("train", description="the real images that samples are compared with")
    n: Count = Field(5000, description="number of images")
    batch_size: Annotated[int, Field(ge=2)] = Field(1000, description="images per batch; matters where batch normalisation is on")

    def flags(self) -> str:
        """As flags of `pga sample`."""
        return f"{self.size_flags()} --density {self.density}"

    def size_flags(self) -> str:
        """Those of `pga curve`, which samples from the prior."""
        return f"--n {self.n} --batch-size {self.batch_size}"


class Column(Strict):
    """One data set of a table or figure."""

    dataset: Name
    title: str
    paper: str | None = Field(None, description="the paper's data set whose numbers stand beside, if it is another one")


class Row(Strict):
    """One model of a table or figure."""

    title: str
    model: Name = Field(description="row name in `runs`")
    sampling: Name = "prior"
    block: str = Field("paper", description="rows of one block stand together")
    datasets: dict[Name, Name] = Field({}, description="another data set for a column, e.g. {mnist: mnist32}")

    def on(self, column: Column) -> str:
        """The data set of this row in a column."""
        return self.datasets.get(column.dataset, column.dataset)


class Table1(Strict):
    """What Table 1 shows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


class Panels(Strict):
    """A grid of sample panels: data sets down, models across."""

    datasets: tuple[Name, ...]
    models: tuple[Name, ...]
    sampling: Name = "prior"


class Sweep(Strict):
    """A coefficient of one run over a grid of multiples of its value."""

    run: Name
    coefficient: Name
    factors: tuple[Positive, ...]


class DatasetRuns(Strict):
    """The runs on one data set."""

    runs: dict[Name, RunParams]


class Scale(Strict):
    """Everything one scale says."""

    description: str = Field(description="what this scale is for")
    device: Literal["auto", "cpu"] = Field("auto", description="cpu: never ask for a GPU; auto: use one where there is one")
    results: Annotated[str, Field(pattern=r"^results(/[a-z][a-z0-9_]*)?$")] = Field(description="folder of its results")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(description="one run per seed", min_length=1)
    evaluation: Evaluation
    samplings: dict[Name, Sampling]
    datasets: dict[Name, DatasetRuns]
    table1: Table1
    figures: dict[Annotated[str, Field(pattern=r"^figure[0-9]+$")], Panels] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Scale:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} holds a seed twice")
        for dataset, block in self.datasets.items():
            for name, run in block.runs.items():
                unknown = [sampling for sampling in run.samplings if sampling not in self.samplings]
                if unknown:
                    raise ValueError(f"datasets.{dataset}.runs.{name}.samplings: {unknown} not among {sorted(self.samplings)}")
        wanted = [(row.on(column), row.model, row.sampling) for row in self.table1.rows for column in self.table1.columns]
        for figure in self.figures.values():
            wanted += [(dataset, model, figure.sampling) for dataset in figure.datasets for model in figure.models]
        for dataset, model, sampling in wanted:
            if dataset not in self.datasets or model not in self.datasets[dataset].runs:
                raise ValueError(f"a table or figure wants the run {dataset}/{model}, but `datasets` has no such run")
            if sampling not in (has := self.datasets[dataset].runs[model].samplings):
                raise ValueError(f"a table or figure wants the sampling {sampling!r} of {dataset}/{model}; its samplings are {list(has)}")
        return self

    def shows(self, artifact: str) -> dict[str, Any]:
        """Everything of the scale that a table or figure shows, besides the results: it is made anew when this changes."""
        content = self.table1 if artifact == "table1" else self.figures[artifact]
        evaluation = {"evaluation": self.evaluation, "samplings": self.samplings["prior"], "table1": self.table1}
        shown = {name: part.model_dump(mode="json") for name, part in {artifact: content, **evaluation}.items()}
        return {**shown, "seeds": list(self.seeds), "description": self.description}

    def samplings_shown(self, artifact: str) -> list[tuple[str, str, str]]:
        """(data set, model, sampling) of everything whose metrics a table or figure shows, in the order of this file."""
        if artifact == "table1":
            cells = {(row.on(column), row.model, row.sampling) for row in self.table1.rows for column in self.table1.columns}
        else:
            panels = self.figures[artifact]
            cells = {(dataset, model, panels.sampling) for dataset in panels.datasets for model in panels.models}
        return [cell for cell in self.samplings_of_runs() if cell in cells]

    def samplings_of_runs(self) -> list[tuple[str, str, str]]:
        """(data set, model, sampling) of everything that this scale measures."""
        return [
            (dataset, name, sampling)
            for dataset, block in self.datasets.items()
            for name, params in block.runs.items()
            for sampling in params.samplings
        ]  # fmt: skip

    def params(self, dataset: str, name: str) -> RunParams:
        """The row of one run, with origins.

        Raises:
            UserError: no such run; the text names those that there are.
        """
        block = self.datasets.get(dataset)
        if block is None:
            raise UserError(f"no data set {dataset!r} at this scale; there are {', '.join(self.datasets)}")
        if name not in block.runs:
            raise UserError(f"no run {name!r} on {dataset}; there are {', '.join(block.runs)}")
        return block.runs[name]

    def run(self, dataset: str, name: str, seed: int) -> Run:
        """The plain values of one run with one seed."""
        return self.params(dataset, name).run(dataset, name, seed)

    def all_runs(self) -> list[Run]:
        """Every run of this scale, every seed."""
        return [
            params.run(dataset, name, seed)
            for dataset, block in self.datasets.items()
            for name, params in block.runs.items()
            for seed in self.seeds
        ]  # fmt: skip


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
        figure["datasets"] = [substitute.get(name, name) for name in figure["datasets"]]
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


def load_scale(path: str | Path) -> Scale:
    """Read and check one file of `params/`.

    Raises:
        UserError: an unknown or out-of-range key, named with file, value and what is accepted.
    """
    return validate(derive(path), Scale, path)
