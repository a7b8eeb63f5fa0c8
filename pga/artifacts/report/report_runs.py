"""One section per run: parameters with origin, curves, metrics, samples at snapshots and at the end, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from pga.artifacts.collect import read_table
from pga.artifacts.figures.sheet import grid, tile
from pga.artifacts.report.charts import line_chart
from pga.artifacts.report.page_images import of_array
from pga.artifacts.report.report_tables import Table, of_frame
from pga.data.prepared import Images
from pga.params.experiment import Experiment
from pga.params.run import Run
from pga.provenance.metadata import commit_of
from pga.provenance.records import Place, Record, made_from, vouched
from pga.sampling.generated import load_of

SNAPSHOTS = 5
"""Snapshots shown of a run, at most, evenly spaced."""
BATCH = 64
"""Codes decoded together at a snapshot: enough for the statistics of batch normalisation, and cheap on a CPU."""
SIDE = 4
"""Rows and columns of samples."""
UNSEEN = ("step", "images_per_s")
"""Columns of the history that are no curve, or a time and so another one in every training."""


class Picture(NamedTuple):
    """Samples as an image, what they are, and the size at which they are shown."""

    uri: str
    words: str
    width: int
    height: int


@dataclass(frozen=True)
class RunSection:
    """One run on the page."""

    anchor: str
    title: str
    parameters: Table
    curves: list[Markup]
    metrics: Table | None
    pictures: list[Picture]
    facts: list[tuple[str, str]]


def section(experiment: Experiment, place: Place, record: Record, metrics: pd.DataFrame) -> RunSection:
    """Everything of one run that there is.

    Args:
        experiment: whose run.
        place: which run.
        record: its run.json.
        metrics: the tidy table of `pga.artifacts.collect`, of all runs.
    """
    folder = Path(experiment.results, str(place))
    listed = pd.DataFrame(experiment.params(place.dataset, place.model).listed(), columns=["key", "value", "origin"])
    listed["value"] = listed.value.map(str)
    own = metrics[(metrics.dataset == place.dataset) & (metrics.model == place.model) & (metrics.seed == place.seed)]
    titles = {
        "sampling": "Sampling",
        "metric": "Metric",
        "value": "Value",
        "standard_error": "Standard error",
        "n": "Images",
        "reference": "Against",
    }
    anchor = str(place).replace("/", "-")
    return RunSection(
        anchor,
        f"{place.dataset} / {place.model}, seed {place.seed}",
        of_frame(f"{anchor}-parameters", "Parameters", listed, {"key": "Parameter", "value": "Value", "origin": "Origin"}),
        curves(folder, experiment.run(*place), record),
        of_frame(f"{anchor}-metrics", "Metrics", own, titles) if len(own) else None,
        pictures(experiment, place, folder),
        facts(record),
    )


def curves(folder: Path, run: Run, record: Record) -> list[Markup]:
    """Every term of the history, and every metric over the snapshots."""
    found = []
    if (path := folder / "history.csv").exists():
        history = read_table(vouched(path, record), ("step",))
        steps = history.step.tolist()
        for column in history.columns:
            if column not in UNSEEN:
                found.append(line_chart(column, steps, history[column].tolist()))
    if (path := folder / "curve.csv").exists():
        table = read_table(made_from(path, run, record), ("step", "metric", "value"))
        for metric, part in table.groupby("metric", sort=False):
            found.append(line_chart(f"{metric} of snapshots", part.step.tolist(), part.value.tolist()))
    return found


def picture(images: Images, words: str) -> Picture:
    """The first samples as a sheet, shown so that small images are enlarged by a whole number."""
    sheet = tile(grid(images, SIDE, SIDE))
    times = max(1, 160 // sheet.shape[1])
    return Picture(of_array(sheet), words, sheet.shape[1] * times, sheet.shape[0] * times)


def pictures(experiment: Experiment, place: Place, folder: Path) -> list[Picture]:
    """Samples of the same codes at snapshots (first seed of a row), then those of the finished run."""
    found = []
    if place.seed == experiment.seeds_of(place.dataset, place.model)[0] and experiment.params(place.dataset, place.model).snapshots:
        found += at_snapshots(folder / "snapshots.safetensors")
    for sampling in experiment.params(place.dataset, place.model).samplings:
        if (path := folder / sampling / "samples.npy").exists():
            made = load_of(path, experiment.run(*place))
            found.append(picture(made, f"the first samples of the finished run ({sampling})"))
    return found


def at_snapshots(path: Path) -> list[Picture]:
    """A few snapshots, each decoding the same codes."""
    if not path.exists():
        return []
    import torch

    from pga.sampling.sample import load_snapshots, sample

    device = torch.device("cpu")
    run, snapshots = load_snapshots(path, device)
    chosen = sorted({round(k) for k in np.linspace(0, len(snapshots) - 1, min(SNAPSHOTS, len(snapshots)))})
    return [
        picture(sample(decoder, run, SIDE * SIDE, BATCH, device), f"after {step:,} steps")
        for step, decoder in (snapshots[k] for k in chosen)
    ]  # fmt: skip


def facts(record: Record) -> list[tuple[str, str]]:
    """Where the run comes from, and what it cost."""
    found = {
        "Parameters' digest": record.get("digest"),
        "Commit": commit_of(record),
        "Data": f"SHA-256 {record.get('data_sha256')}",
        "Fingerprint of the code": record.get("code"),
        "Device": record.get("device"),
        "Steps": f"{record.get('steps', 0):,} in {record.get('wall_s') or 0:,.1f} s ({record.get('steps_per_s') or 0:,.1f} per second)",
        "Largest resident memory": f"{(record.get('peak_memory_bytes') or 0) / 1e6:,.0f} MB",
        "Parameters of the networks": ", ".join(f"{name} {count:,}" for name, count in (record.get("parameters") or {}).items()),
        "Interrupted and resumed": ", ".join(f"at step {step:,}" for step in record.get("resumed_at_steps") or []) or "never",
        "Versions": ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items()),
    }
    for accepted in record.get("accepted", ()):
        found[f"Accepted as of the code of commit {commit_of(accepted)}"] = accepted["because"]
    if (held := record.get("peak_gpu_memory_bytes")) is not None:
        found["Largest memory of the GPU"] = f"{held / 1e6:,.0f} MB"
    return [(key, str(value)) for key, value in found.items()]
