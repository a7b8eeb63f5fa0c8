"""What a figure is drawn from: files of runs, checked to be there and to belong together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap
from pathlib import Path

import pandas as pd

from pga.artifacts.collect import collect
from pga.artifacts.over_training import read_curve, read_history
from pga.artifacts.tables.summary_cells import FEW, Cell, summarise
from pga.data.prepared import Images
from pga.fingerprints.steps import names_other_code
from pga.params.experiment import Experiment
from pga.params.run import Run
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place, read_runs
from pga.runtime.errors import UserError
from pga.sampling.generated import id_of, load_samples_of
from pga.training.run_record import RunRecord


def literal(text: str) -> str:
    """Text in which matplotlib sees no mathematics."""
    return text.replace("$", r"\$")


class Sources:
    """The runs of one figure of an experiment.

    Args:
        experiment: whose results are read.
        name: of the figure, a key of the experiment's `figures`.
        data: folder of prepared data; where it has the data set, every run must have been trained on just these images.
        allow_missing: go on without the files that are not there, or are of other code than there is now, or of a run that is.

    Raises:
        UserError: a file is missing and `allow_missing` is not set, a run has other parameters than the experiment's now, or two runs of a
            data set were trained on different data.
    """

    def __init__(self, experiment: Experiment, name: str, data: Path, allow_missing: bool = False):
        self.experiment, self.name, self.row = experiment, name, experiment.figures[name]
        self.folder = Path(experiment.results)
        self.missing = [file for file in experiment.files_of_figure(name) if not (self.folder / file).exists()]
        if self.missing and not allow_missing:
            raise UserError(
                f"{name}: missing under {self.folder}: {', '.join(self.missing)}; make them, or pass --allow-missing for a partial figure"
            )
        there = [file for file in experiment.files_of_figure(name) if file not in self.missing]
        self.of_other_code = [file for file in there if self._is_of_other_code(file)] if allow_missing else []
        self.missing += self.of_other_code
        self.runs = read_runs(experiment, map(Place.of, experiment.runs_of(name)), data, allow_missing).records
        self.metrics = collect(experiment, name, allow_missing)[0] if self.row.needs.metrics else pd.DataFrame()

    def _is_of_other_code(self, file: str) -> bool:
        """Whether the record of a file that is there, or of its run, names other code than there is now."""
        records = ((self.folder / file).with_suffix(".json"), self.folder / "/".join(file.split("/")[:3]) / "run.json")
        return any(record.exists() and names_other_code(record) for record in records)

    def images(self, dataset: str, model: str, ndim: int = 4) -> Images | None:
        """The first seed's array of a figure that shows images, (…, H, W, C), or None where it is missing."""
        place = Place(dataset, model, self.experiment.seeds_of(dataset, model)[0])
        files = [f"{place}/{file.format(sampling=self.row.sampling)}" for file in self.row.needs.first]
        there = str(place) in self.runs and not set(files) & set(self.missing)  # without run.json they may be of an earlier run
        return load_samples_of(self.folder / files[0], id_of(self.experiment.run(*place)), ndim) if there else None

    def _of_seeds(self, dataset: str, model: str) -> Iterator[tuple[Path, Run, RunRecord]]:
        """Folder, run and record of every seed that is there."""
        for seed in self.experiment.seeds_of(dataset, model):
            place = Place(dataset, model, seed)
            if (record := self.runs.get(str(place))) is not None:
                yield self.folder / str(place), self.experiment.run(*place), record

    def histories(self, dataset: str, model: str, columns: tuple[str, ...]) -> list[pd.DataFrame]:
        """The losses of every seed that has them."""
        found = [read_history(folder, record, columns) for folder, _, record in self._of_seeds(dataset, model)]
        return [history for history in found if history is not None]

    def curves(self, dataset: str, model: str) -> list[pd.DataFrame]:
        """The metrics over the snapshots of every seed that has them."""
        lacking = [self.folder / file for file in self.missing]
        there = [each for each in self._of_seeds(dataset, model) if each[0] / "curve.json" not in lacking]
        return [curve for curve in starmap(read_curve, there) if curve is not None]

    def lacks(self, dataset: str = "", model: str = "") -> list[str]:
        """The runs that lack a file: of one data set and model, for a panel that stays empty, or all, for the caption."""
        folders = dict.fromkeys(tuple(file.split("/")[:3]) for file in self.missing)
        chosen = [place for place in folders if dataset in ("", place[0]) and model in ("", place[1])]
        return [f"{dataset}/{model} {seed.replace('seed', 'seed ')}" for dataset, model, seed in chosen]

    def cell(self, dataset: str, model: str, metric: str | None = None) -> Cell:
        """A metric of a run over its seeds, by default the headline's."""
        name = metric or self.experiment.evaluation.metric
        return summarise(self.metrics, dataset, model, self.row.measured, name, self.experiment.seeds_of(dataset, model))

    def dataset_title(self, dataset: str) -> str:
        """How a data set is called on the page."""
        return literal(self.experiment.titles_of(self.name)[dataset])

    def model_title(self, model: str) -> str:
        """How a model is called on the page."""
        return literal(self.experiment.titles_of(self.name)[model])

    def seeds(self) -> str:
        """The seeds of all runs that are shown, as words of a caption."""
        seeds = sorted({seed for run in self.row.runs() for seed in self.experiment.seeds_of(*run)})
        return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"

    def lines(self) -> str:
        """What lines and the bands around them show, as words of a caption."""
        return self.over_seeds(f"mean over {self.seeds()} (line), from the lowest to the highest seed (band)")

    def means(self) -> str:
        """What numbers with their errors are, as words of a caption."""
        return self.over_seeds(f"mean ± standard error over {self.seeds()}")

    def over_seeds(self, several: str) -> str:
        """`several`, or that there is one run of each model."""
        many = any(len(self.experiment.seeds_of(*run)) > 1 for run in self.row.runs())
        return several if many else f"one run each, of {self.seeds()}"

    def first_seeds(self) -> str:
        """The seeds whose images are shown."""
        firsts = sorted({self.experiment.seeds_of(*run)[0] for run in self.row.runs()})
        return f"seed{'s' if len(firsts) > 1 else ''} {', '.join(map(str, firsts))}"

    def caption(self, text: str, measured: bool = False) -> str:
        """`text` with the row's own note and what is missing; where it tells the metric (`measured`), with what makes that no result."""
        few = FEW.strip() if measured and self.experiment.evaluation.few_samples else ""
        runs = sum(len(self.experiment.seeds_of(*run)) for run in self.row.runs())
        how = "missing, or of other code than there is now" if self.of_other_code else "missing"
        missing = f"Partial: files of {len(self.lacks())} of {runs} runs are {how}." if self.missing else ""
        notes = self.experiment.notes_on(self.row.datasets) if self.row.kind == "reconstructions" else ""
        return " ".join(filter(None, [text, few, self.row.note, notes, missing]))

    def record(self, caption: str, code: str) -> ArtifactRecord:
        """What the figure says of itself: the caption, the fingerprint of the step that draws it, and every run."""
        return ArtifactRecord.of(self.name, self.experiment, self.runs, caption, code, self.experiment.shows(self.name))
