"""What a figure is drawn from: files of runs, checked to be there and to belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from pga.artifacts.collect import collect, read_table
from pga.artifacts.tables.summary_cells import FEW, Cell, summarise
from pga.data.prepared import Images
from pga.params.experiment import Experiment
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place, checked, same_data, verified_curve
from pga.runtime.errors import UserError
from pga.sampling.generated import id_of, load_samples_of
from pga.training.run_record import RunRecord

Content = TypeVar("Content")


def literal(text: str) -> str:
    """Text in which matplotlib sees no mathematics."""
    return text.replace("$", r"\$")


class Sources:
    """The runs of one figure of an experiment.

    Args:
        experiment: whose results are read.
        name: of the figure, a key of the experiment's `figures`.
        data: folder of prepared data; where it has the data set, every run must have been trained on just these images.
        allow_missing: go on without the files that are not there.

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
        self.runs = self._records(data)
        self.metrics = collect(experiment, name, allow_missing)[0] if self.row.needs.metrics else pd.DataFrame()

    def _records(self, data: Path) -> dict[str, RunRecord]:
        """run.json of every run that is there, by its folder's name."""
        records: dict[str, RunRecord] = {}
        for file in self.experiment.files_of_figure(self.name):
            folder = self.folder / "/".join(file.split("/")[:3])
            name = folder.relative_to(self.folder).as_posix()
            if name not in records and (folder / "run.json").exists():
                dataset, model, seed = name.split("/")
                records[name] = checked(folder / "run.json", self.experiment, Place(dataset, model, int(seed.removeprefix("seed"))))
        same_data(self.experiment, records, data)
        return records

    def read(self, place: Place, files: Sequence[str], how: Callable[[Path], Content]) -> Content | None:
        """The content of a run's file, the first of `files`; None where one of them is missing, as a partial figure gets to see."""
        paths = [self.folder / str(place) / file.format(sampling=self.row.sampling) for file in files]
        record = self.runs.get(str(place))  # without it files may be of an earlier run
        return how(record.verify_own(paths[0])) if record and all(path.exists() for path in paths) else None

    def images(self, dataset: str, model: str, ndim: int = 4) -> Images | None:
        """The first seed's array of a figure that shows images, (…, H, W, C), or None where it is missing."""
        place = Place(dataset, model, self.experiment.seeds_of(dataset, model)[0])
        run = id_of(self.experiment.run(*place))
        return self.read(place, self.row.needs.first, lambda path: load_samples_of(path, run, ndim))

    def tables(self, dataset: str, model: str, file: str, columns: tuple[str, ...], after: bool = False) -> list[pd.DataFrame]:
        """A table of every seed that has it; `after`: which is no part of the run, but was made from it."""

        def table(seed: int) -> pd.DataFrame | None:
            place = Place(dataset, model, seed)

            def read(path: Path) -> pd.DataFrame:
                return read_table(verified_curve(path, self.experiment.run(*place), self.runs[str(place)]) if after else path, columns)

            return self.read(place, (file, *(["curve.json"] if after else [])), read)

        found = [table(seed) for seed in self.experiment.seeds_of(dataset, model)]
        return [table for table in found if table is not None]

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

    def first_seeds(self) -> str:
        """The seeds whose images are shown."""
        firsts = sorted({self.experiment.seeds_of(*run)[0] for run in self.row.runs()})
        return f"seed{'s' if len(firsts) > 1 else ''} {', '.join(map(str, firsts))}"

    def caption(self, text: str, measured: bool = False) -> str:
        """`text` with the row's own note and what is missing; where it tells the metric (`measured`), with what makes that no result."""
        few = FEW.strip() if measured and self.experiment.evaluation.few_samples else ""
        runs = sum(len(self.experiment.seeds_of(*run)) for run in self.row.runs())
        missing = f"Partial: files of {len(self.lacks())} of {runs} runs are missing." if self.missing else ""
        notes = self.experiment.notes_on(self.row.datasets) if self.row.kind == "reconstructions" else ""
        return " ".join(filter(None, [text, few, self.row.note, notes, missing]))

    def record(self, caption: str, code: str) -> ArtifactRecord:
        """What the figure says of itself: the caption, the fingerprint of the step that draws it, and every run."""
        return ArtifactRecord.of(self.name, self.experiment, self.runs, caption, code, self.experiment.shows(self.name))
