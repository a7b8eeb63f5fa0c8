"""An experiment: one file in `params/` with its runs, how they are sampled and evaluated, and what the tables and figures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from pga.metrics.metric_registry import METRICS
from pga.networks.architectures import keeps_averages
from pga.params.artifacts import Equivalence, Figure, Table1
from pga.params.base import Name, Seed, Strict
from pga.params.compose import compose
from pga.params.evaluation import Evaluation
from pga.params.feature_spaces import FEATURE_SPACES, PIXEL_METRIC, PIXELS
from pga.params.reading import validate
from pga.params.run import Run
from pga.params.run_params import RunParams
from pga.params.sampling import RECONSTRUCTION, Interpolation, Sampling
from pga.params.text import Text
from pga.params.titles import in_words
from pga.runtime.errors import UserError

REAL = "real"
"""In the place of a model: real images in the place of samples, those of the split that is not the reference. What a perfect generator
would reach."""


class DatasetRuns(Strict):
    """The runs on one data set."""

    measured: bool = Field(True, description="false: trained and sampled only, where no feature space serves the data set")
    runs: dict[Name, RunParams]
    note: Text = Field("", description="what captions must say of results on it, e.g. that its test images were trained on")


FOLDERS = ("results/metrics", "results/figures", "results/partial")
"""Of the paper's results, which are no experiment's."""


class Experiment(Strict):
    """Everything one experiment says."""

    description: str = Field(description="what this experiment is for")
    device: Literal["auto", "cpu"] = Field("auto", description="cpu: never ask for a GPU; auto: use one where there is one")
    results: Annotated[str, Field(pattern=r"^results(/[a-z][a-z0-9_]*)?$")] = Field(description="folder of its results")
    seeds: tuple[Seed, ...] = Field(description="one run per seed", min_length=1)
    evaluation: Evaluation
    samplings: dict[Name, Sampling] = Field(
        {"prior": Sampling.model_validate({})}, description="ways to draw images, by name; `prior` must be one"
    )
    interpolation: Interpolation = Interpolation()
    datasets: dict[Name, DatasetRuns]
    table1: Table1
    equivalence: Equivalence | None = Field(None, description="whether a change of runs changes what is measured; makes equivalence.csv")
    figures: dict[Name, Figure] = Field(default_factory=dict, description="name of the file in figures/, e.g. figure2 → what it shows")

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} holds a seed twice")
        if self.results in FOLDERS:
            raise ValueError(f"results: found {self.results!r}, which is a folder of the paper's results")
        if "prior" not in self.samplings:
            raise ValueError("samplings: none is called `prior`, from which tables and figures take images by default")
        if RECONSTRUCTION in self.samplings:
            raise ValueError(f"samplings: the name {RECONSTRUCTION!r} is taken by the test images' reconstructions")
        if not any(block.measured for block in self.datasets.values()):
            raise ValueError("datasets: none is measured; tables need one, and `evaluation: {extractor: pixels}` measures any images")
        for dataset, block in self.datasets.items():
            if REAL in block.runs:
                raise ValueError(f"datasets.{dataset}.runs: the name {REAL!r} is taken by the real images; call the run something else")
            for name, run in block.runs.items():
                if run.seeds is not None and len(set(run.seeds)) != len(run.seeds):
                    raise ValueError(f"datasets.{dataset}.runs.{name}.seeds: {list(run.seeds)} holds a seed twice")
                unknown = [sampling for sampling in run.samplings if sampling not in self.samplings]
                if unknown:
                    raise ValueError(f"datasets.{dataset}.runs.{name}.samplings: {unknown} not among {sorted(self.samplings)}")
        self._check_samplings()
        wanted = [(row.on(column), row.model, row.sampling) for row in self.table1.rows for column in self.table1.columns]
        wanted += [(dataset, run, "prior") for dataset, _, *pair in self.pairs() for run in pair]
        measured = set(wanted)
        for figure in self.figures.values():
            wanted += [(dataset, model, figure.sampling) for dataset, model in figure.measured_runs()]
            if figure.needs.in_features:
                measured |= {(dataset, model, figure.sampling) for dataset, model in figure.measured_runs()}
        for dataset, model, sampling in wanted:
            if model == REAL and dataset in self.datasets and sampling in self.samplings:
                continue
            if dataset not in self.datasets or model not in self.datasets[dataset].runs:
                there = ", ".join(f"{name}/{run}" for name, block in self.datasets.items() for run in block.runs)
                raise ValueError(f"a table or figure wants the run {dataset}/{model}, but `datasets` has no such run; there are {there}")
            if not self.datasets[dataset].measured and (dataset, model, sampling) in measured:
                raise ValueError(f"datasets.{dataset}: a table or figure wants its metrics, but it says `measured: false`")
            if sampling not in (has := self.datasets[dataset].runs[model].samplings):
                raise ValueError(f"a table or figure wants the sampling {sampling!r} of {dataset}/{model}; its samplings are {list(has)}")
        return self

    def _check_samplings(self) -> None:
        """Refuse what would fail only after training: metrics of too few samples, standing statistics of networks that have none."""
        spaces = self.evaluation.labels(labelled=True)
        for name, sampling in self.samplings.items():
            for metric in self.metrics_of(name):
                if METRICS[metric].of_pixels:
                    continue
                if not spaces:
                    raise ValueError(f"samplings.{name}: metrics: {metric} needs a feature space; extractor: {PIXELS} and `also` name none")
                for label in spaces:
                    if (dim := FEATURE_SPACES[label].dim) and sampling.n < (fewest := METRICS[metric].fewest(dim)):
                        raise ValueError(
                            f"samplings.{name}: n: found {sampling.n}; {metric} in the features of {label} needs at least {fewest} samples "
                            "(name other `metrics` for this row)"
                        )
        for dataset, block in self.datasets.items():
            for name, run in block.runs.items():
                batch_statistics = run.batch_norm[0] and not keeps_averages(run.network[0])
                for row in run.samplings:
                    if self.samplings[row].batch_norm == "standing" and not batch_statistics:
                        raise ValueError(
                            f"datasets.{dataset}.runs.{name}.samplings: {row!r} has batch_norm: standing, "
                            "but the run's networks do not normalise by the batch in hand"
                        )

        self._check_foreign()

        for name, sampling in self.samplings.items():
            used = any(block.measured and name in run.samplings for block in self.datasets.values() for run in block.runs.values())
            for label in spaces if used and not self.evaluation.few_samples else ():
                if (dim := FEATURE_SPACES[label].dim) and sampling.n <= dim:
                    raise ValueError(
                        f"samplings.{name}: n: found {sampling.n}; a distance in {FEATURE_SPACES[label].words}'s {dim} features needs more "
                        "samples than features (evaluation.few_samples accepts them, if it is a try and no result)"
                    )

    def check_images(self, dataset: str, counts: Mapping[str, int]) -> None:
        """Refuse before training what would be refused after it: a distance to no more real images than it has features.

        Args:
            dataset: a data set of this experiment.
            counts: its number of images by split, "train" and "test".

        Raises:
            ValueError: names the split, its number of images and the features; or a run with more snapshots than steps.
        """
        block = self.datasets[dataset]
        for name, params in block.runs.items():
            run = params.run(dataset, name, 0)
            n = len(range(counts["train"])[run.split(counts["train"])[0]])
            if run.snapshots > (steps := run.total_steps(n)):
                raise ValueError(
                    f"datasets.{dataset}.runs.{name}.snapshots: found {run.snapshots}, but on {n} images the run has {steps} steps"
                )
        for name in sorted({name for run in block.runs.values() for name in run.samplings} if block.measured else ()):
            split = self.samplings[name].reference
            for label in () if self.evaluation.few_samples else self.evaluation.labels(labelled=True):
                dim, own = FEATURE_SPACES[label].dim, f"{dataset}/{label}-{split}" not in self.evaluation.foreign
                if dim and own and counts[split] <= dim:
                    raise ValueError(
                        f"samplings.{name}: the reference are the {counts[split]} {split} images of {dataset}; a distance in "
                        f"{FEATURE_SPACES[label].words}'s {dim} features needs more real images than features (another `extractor`, e.g. "
                        f"{PIXELS}, does not; evaluation.few_samples accepts them, if it is a try and no result)"
                    )

    def _check_foreign(self) -> None:
        """Refuse metrics that compare single real images, of which another tool's statistics tell nothing."""
        for key in self.evaluation.foreign:
            dataset, _, rest = key.partition("/")
            label, _, split = rest.rpartition("-")
            if dataset not in self.datasets or label not in self.evaluation.labels(labelled=True):
                raise ValueError(f"evaluation.foreign: {key!r} is of no data set and feature space of this experiment")
            used = {sampling for run in self.datasets[dataset].runs.values() for sampling in run.samplings}
            for name in sorted(used):
                if self.samplings[name].reference == split and (
                    refused := {metric for metric in self.metrics_of(name) if METRICS[metric].of_single_images}
                ):
                    raise ValueError(
                        f"evaluation.foreign: {key!r}: samplings.{name} asks for {sorted(refused)}, which need our own features"
                    )

    def metrics_of(self, sampling: str) -> tuple[str, ...]:
        """What is measured beside the Fréchet distance of one row of `samplings`; the headline where that is no such distance."""
        own = self.samplings[sampling].metrics
        metrics = self.evaluation.metrics if own is None else own
        headline = (PIXEL_METRIC,) if self.evaluation.extractor == PIXELS else ()
        return tuple(dict.fromkeys((*headline, *metrics)))

    def figure(self, name: str) -> Figure:
        """A row of `figures`.

        Raises:
            UserError: no such figure; the text names those that there are.
        """
        if name not in self.figures:
            raise UserError(f"no figure {name!r}; there are {', '.join(self.figures) or 'none'}")
        return self.figures[name]

    def sampling(self, name: str) -> Sampling:
        """A row of `samplings`.

        Raises:
            UserError: no such sampling; the text names those that there are.
        """
        if name not in self.samplings:
            raise UserError(f"no sampling {name!r}; there are {', '.join(self.samplings)}")
        return self.samplings[name]

    def shows(self, artifact: str) -> dict[str, Any]:
        """Everything of the experiment that a table or figure shows, besides the results: it is made anew when this changes."""
        tables: dict[str, BaseModel | None] = {"table1": self.table1, "equivalence": self.equivalence}
        content = tables.get(artifact) or self.figure(artifact)
        names = ["prior", *(row.sampling for row in self.table1.rows)]
        if isinstance(content, Figure):
            names = [content.sampling]
        parts = {artifact: content, "evaluation": self.evaluation, **{f"samplings.{name}": self.samplings[name] for name in names}}
        shown = {name: part.model_dump(mode="json") for name, part in parts.items()}
        if isinstance(content, Figure):
            beside: dict[str, Any] = {"titles": self.titles_of(artifact)}
        else:
            beside = {"table1": self.table1.model_dump(mode="json"), "titles": self.titles_of_figures()}
        notes = self.notes_on(content.datasets if isinstance(content, Figure) else self.datasets)
        return {**shown, **beside, "seeds": list(self.seeds), "description": self.description, "notes": notes}

    def titles_of(self, figure: str) -> dict[str, str]:
        """Data set or model → how it is called on a figure: as the figure says, else as Table 1 does."""
        row = self.figures[figure]
        datasets = {column.dataset: column.title for column in self.table1.columns}
        models = {shown.model: shown.title for shown in self.table1.rows if shown.sampling == row.sampling}
        runs = (*row.models, *([row.against] if row.against else []))
        named = {name: datasets.get(name, in_words(name)) for name in row.datasets} | {
            name: models.get(name, in_words(name)) for name in runs
        }
        return {name: row.titles.get(name, title) for name, title in named.items()}

    def measures(self) -> dict[str, Any]:
        """What is measured of whose images and how these are called, besides the results."""
        kept = self.model_dump(mode="json", include={"evaluation", "samplings", "seeds", "table1", "description"})
        return {**kept, "titles": self.titles_of_figures(), "notes": self.notes_on(self.datasets)}

    def titles_of_figures(self) -> dict[str, dict[str, str]]:
        """Figure → the titles that it gives; tables take them where Table 1 has none."""
        return {name: figure.titles for name, figure in self.figures.items() if figure.titles}

    def samplings_shown(self, artifact: str) -> list[tuple[str, str, str]]:
        """(data set, model, sampling) of everything whose metrics a table or figure shows, in the order of this file."""
        if artifact == "table1":
            cells = {(row.on(column), row.model, row.sampling) for row in self.table1.rows for column in self.table1.columns}
            cells |= {(dataset, model, twin) for dataset, model, name in cells if (twin := self.against_test(dataset, model, name))}
        elif artifact == "equivalence":
            cells = {(dataset, run, "prior") for dataset, _, *pair in self.pairs() for run in pair}
        else:
            figure = self.figures[artifact]
            cells = {(dataset, model, figure.measured) for dataset, model in figure.measured_runs()}
        return [cell for cell in self.measurements() if cell in cells]

    def notes_on(self, datasets: Iterable[str]) -> str:
        """What captions must say of results on these data sets."""
        return " ".join(self.datasets[name].note for name in dict.fromkeys(datasets) if name in self.datasets and self.datasets[name].note)

    def against_test(self, dataset: str, model: str, sampling: str) -> str | None:
        """The sampling of a run that differs from another only in being compared with the test images; None if there is none."""
        if model == REAL or self.samplings[sampling].reference == "test":
            return None

        def protocol(name: str) -> dict[str, Any]:
            return self.samplings[name].model_dump(exclude={"metrics", "reference"})

        twins = (name for name in self.params(dataset, model).samplings if self.samplings[name].reference == "test")
        return next((name for name in twins if protocol(name) == protocol(sampling)), None)

    def samplings_of_runs(self) -> list[tuple[str, str, str]]:
        """(data set, model, sampling) of everything that is sampled."""
        return [
            (dataset, name, sampling)
            for dataset, block in self.datasets.items()
            for name, params in block.runs.items()
            for sampling in params.samplings
        ]  # fmt: skip

    def measurements(self) -> list[tuple[str, str, str]]:
        """(data set, model, sampling) of every metrics.json: each sampling, reconstructions of test images, real ones as samples."""
        samplings = [cell for cell in self.samplings_of_runs() if self.datasets[cell[0]].measured]
        reconstructions = [(dataset, name, RECONSTRUCTION) for dataset, block in self.datasets.items() for name in block.runs]
        return samplings + reconstructions + self.real_images()

    def real_images(self) -> list[tuple[str, str, str]]:
        """(data set, REAL, sampling) of the rows of Table 1 in which real images are measured as if they were samples."""
        rows = [row for row in self.table1.rows if row.model == REAL]
        return list(dict.fromkeys((row.on(column), REAL, row.sampling) for row in rows for column in self.table1.columns))

    def pairs(self) -> list[tuple[str, str, str, str]]:
        """(data set, change, run, changed run) of everything whose equivalence is asked."""
        asked = self.equivalence
        return [
            (column.dataset, change, run, twin)
            for column in self.table1.columns
            for run in (asked.runs if asked else ())
            for change, twin in (asked.twins(run) if asked else {}).items()
        ]

    def params(self, dataset: str, name: str) -> RunParams:
        """The row of one run, with origins; raises UserError if there is no such run, which names those that there are."""
        block = self.datasets.get(dataset)
        if block is None:
            raise UserError(f"no data set {dataset!r} in this experiment; there are {', '.join(self.datasets)}")
        if name not in block.runs:
            raise UserError(f"no run {name!r} on {dataset}; there are {', '.join(block.runs)}")
        return block.runs[name]

    def run(self, dataset: str, name: str, seed: int) -> Run:
        """The plain values of one run with one seed."""
        return self.params(dataset, name).run(dataset, name, seed)

    def all_runs(self) -> list[Run]:
        """Every run of this experiment, every seed."""
        return [
            params.run(dataset, name, seed)
            for dataset, block in self.datasets.items()
            for name, params in block.runs.items()
            for seed in params.seeds or self.seeds
        ]  # fmt: skip

    def seeds_of(self, dataset: str, name: str) -> tuple[int, ...]:
        """The seeds of one run; real images have none to vary."""
        if name == REAL:
            return self.seeds[:1]
        return self.params(dataset, name).seeds or self.seeds

    def all_seeds(self) -> list[int]:
        """Every seed of any run, in order: a row may have seeds of its own."""
        return sorted({run.seed for run in self.all_runs()})

    def runs_of(self, artifact: str) -> list[Run]:
        """The runs that must be trained for a table or figure."""
        if artifact in self.figures:
            folders = {tuple(file.split("/")[:3]) for file in self.files_of_figure(artifact)}
        else:
            shown = {(dataset, model) for dataset, model, _ in self.samplings_shown(artifact)}
            folders = {(*row, f"seed{seed}") for row in shown for seed in self.seeds_of(*row)}
        return [run for run in self.all_runs() if (run.dataset, run.name, f"seed{run.seed}") in folders]

    def files_of_figure(self, name: str) -> list[str]:
        """Everything that a figure reads, under this experiment's folder of results.

        Raises:
            UserError: no such figure; the text names those that there are.
        """
        figure = self.figure(name)
        return [
            file
            for dataset, model in figure.measured_runs()
            for file in figure.files(dataset, model, self.seeds_of(dataset, model), self.datasets[dataset].measured)
        ]


def load_experiment(path: str | Path) -> Experiment:
    """Read and check one file of `params/`.

    Raises:
        UserError: an unknown or out-of-range key, named with file, value and what is accepted.
    """
    return validate(compose(path), Experiment, path)
