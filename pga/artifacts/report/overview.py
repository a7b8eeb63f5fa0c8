"""All runs in one table: headline metric, total loss over training as a small line, training time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from pga.artifacts.over_training import LOSSES, read_history, total_loss
from pga.artifacts.report.charts import polyline, thinned
from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.params.experiment import Experiment
from pga.provenance.records import Place
from pga.training.run_record import RunRecord

POINTS = 50
"""Of a curve, at most: enough for a line some hundred pixels wide."""
WIDTH, HEIGHT = 96, 22


class OverviewRow(NamedTuple):
    """One run: where its details are, its names, the headline metric with its sort key, its curve, and seconds of training."""

    anchor: str
    dataset: str
    model: str
    place: Place
    metric: str
    key: str
    line: Markup
    points: str
    seconds: float


def overview(experiment: Experiment, places: list[Place], records: dict[str, RunRecord], metrics: pd.DataFrame) -> list[OverviewRow]:
    """A row per run that is there, in the experiment's order."""
    headline = metrics[metrics.metric == experiment.evaluation.metric].drop_duplicates(
        ["dataset", "model", "seed"]
    )  # by the first sampling
    values = {Place(row["dataset"], row["model"], int(row["seed"])): float(row["value"]) for row in headline.to_dict("records")}
    datasets, models = dataset_titles(experiment), run_titles(experiment)
    found = []
    for place in places:
        if str(place) in records:
            record, value = records[str(place)], values.get(place)
            points = losses(Path(experiment.results, str(place)), record)
            found.append(
                OverviewRow(str(place).replace("/", "-"), datasets[place.dataset], models[place.model], place,
                            "" if value is None or pd.isna(value) else f"{value:.2f}",
                            "" if value is None or pd.isna(value) else repr(value), sparkline(points),
                            json.dumps(points, separators=(",", ":")), record.wall_s)
            )  # fmt: skip
    return found


def losses(folder: Path, record: RunRecord) -> list[tuple[int, float]]:
    """(step, encoder's + decoder's loss) at up to `POINTS` steps, the last among them; empty without a history of both."""
    history = read_history(folder, record, ("step",))
    if history is None or not set(LOSSES) <= set(history.columns) or history.empty:
        return []
    total = total_loss(history)
    return [(int(total.index[k]), float(f"{total.iloc[k]:.4g}")) for k in thinned(len(total), POINTS)]


def sparkline(points: list[tuple[int, float]]) -> Markup:
    """The curve as a line without axes; the table's other columns say the numbers."""
    if len(points) < 2:
        return Markup("")
    steps, values = ([point[k] for point in points] for k in (0, 1))
    if min(values) > 0:  # after the first drop little else would be seen
        values = [math.log(value) for value in values]
    line = polyline(steps, values, WIDTH, HEIGHT)
    return Markup('<svg class="spark" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(WIDTH, HEIGHT, line)
