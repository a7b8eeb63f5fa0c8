"""How long each step of the workflow took, from what Snakemake measured of its jobs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pga.artifacts.tables.costs_table import benchmark_seconds
from pga.params.experiment import Experiment
from pga.provenance.records import Place
from pga.training.run_record import RunRecord

OF_DATA = ("prepare", "classifier", "reference")
OF_RUNS = ("sample", "reconstruct", "interpolate", "curve", "evaluate", "neighbours")
OF_ARTIFACTS = ("collect", "table", "figure")
"""Steps by what their jobs are of; each has a folder of benchmark files (`benchmark:` in workflow/rules/)."""


class RuleTime(NamedTuple):
    """A step, its jobs, their seconds together, and the share of the longest step."""

    step: str
    jobs: int
    seconds: float
    share: float


def rule_times(logs: Path, experiment: Experiment, records: dict[str, RunRecord], artifacts: list[str]) -> list[RuleTime]:
    """The steps that were measured, in the order in which they run.

    Args:
        logs: folder of the workflow's benchmark files.
        experiment: whose jobs.
        records: run.json of its runs, which know the time of training over all starts.
        artifacts: names of the tables and figures that the page shows; others may be made after it.
    """
    root, datasets = experiment.results, list(experiment.datasets)
    patterns = {step: [f"{data}{end}" for data in datasets for end in (".tsv", "-*.tsv")] for step in OF_DATA}
    of_places = [f"{root}/{place}{end}" for place in map(Place.of, experiment.all_runs()) for end in (".tsv", "-*.tsv")]
    real = [f"{root}/{data}/real/seed*.tsv" for data in datasets]
    patterns |= {step: [*of_places, *real] for step in OF_RUNS}
    patterns |= {step: [f"{root}.tsv", *(f"{root}/{name}.tsv" for name in artifacts)] for step in OF_ARTIFACTS}
    found = {
        step: [benchmark_seconds(file) for pattern in several for file in sorted((logs / step).glob(pattern))]
        for step, several in patterns.items()
    }
    trained = {"train": [record.wall_s for record in records.values() if record.wall_s]}
    ordered = {**{step: found[step] for step in OF_DATA}, **trained, **{step: found[step] for step in (*OF_RUNS, *OF_ARTIFACTS)}}
    longest = max((math.fsum(seconds) for seconds in ordered.values()), default=0.0) or 1.0
    return [RuleTime(step, len(seconds), math.fsum(seconds), math.fsum(seconds) / longest) for step, seconds in ordered.items() if seconds]
