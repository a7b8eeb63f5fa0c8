"""What a table is made from, what making one gives, and its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pga.artifacts.collect import read_metrics
from pga.params.claims import Claims, load_claims
from pga.params.experiment import REAL, Experiment
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place, RunRecords, read_runs
from pga.runtime.errors import UserError
from pga.runtime.files import atomic
from pga.training.run_record import RunRecord


@dataclass(frozen=True)
class TableInputs:
    """What a table is made from.

    Attributes:
        experiment: whose.
        metrics_file: what `pga collect` wrote, for tables that show metrics.
        claims_file: the paper's numbers.
        data: folder of prepared data, which the runs must be of.
        logs: folder of the workflow's benchmark files.
        allow_missing: whether a partial table is wanted.
    """

    experiment: Experiment
    metrics_file: Path | None = None
    claims_file: str | Path = "params/claims.yaml"
    data: Path = Path("data/processed")
    logs: Path = Path("logs")
    allow_missing: bool = False

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The tidy table of `pga collect`; of a partial table without the runs that are no longer there, or are of other code by now."""
        if self.metrics_file is None:
            raise UserError("this table shows metrics: --metrics FILE is needed, which `pga collect` writes")
        return read_metrics(self.metrics_file, self.experiment, self.allow_missing)

    @cached_property
    def claims(self) -> Claims:
        """The paper's numbers."""
        return load_claims(self.claims_file)

    def runs(self, places: Iterable[Place]) -> RunRecords:
        """The records of these runs."""
        return read_runs(self.experiment, places, self.data, self.allow_missing)

    def measured(self, cells: Iterable[tuple[str, str, str]]) -> list[Place]:
        """The runs of these (data set, model, sampling) that the metrics have; real images are no run."""
        keys = ["dataset", "model", "sampling", "seed"]
        has = set(self.metrics[keys].itertuples(index=False, name=None))
        return [
            Place(dataset, model, seed)
            for dataset, model, sampling in cells
            for seed in self.experiment.seeds_of(dataset, model)
            if model != REAL and (dataset, model, sampling, seed) in has
        ]

    def refuse(self, missing: list[str]) -> None:
        """Stop where something is missing, unless a partial table is wanted."""
        if missing and not self.allow_missing:
            raise UserError(
                f"{self.metrics_file}: runs are missing: {', '.join(missing)}; run them, or pass --allow-missing for a partial table"
            )


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        texts: by ending of their file.
        caption: what it shows, and what is missing.
        records: of the runs that it is of.
        shows: what it shows of the experiment's file.
    """

    texts: dict[str, str]
    caption: str
    records: dict[str, RunRecord] = field(default_factory=dict)
    shows: Any = None


def write(name: str, experiment: Experiment, table: Table, folder: Path, code: str) -> None:
    """Each format of a table, which the step with the fingerprint `code` made, and `<name>.json`, which vouches for them, last."""
    files = [folder / f"{name}.{ending}" for ending in table.texts]
    for file, text in zip(files, table.texts.values(), strict=True):
        with atomic(file, "w") as opened:
            opened.write(text)
    ArtifactRecord.of(name, experiment, table.records, table.caption, code, table.shows).write_beside(files)
