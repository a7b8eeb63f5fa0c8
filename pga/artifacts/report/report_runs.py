"""One section per run: parameters with origin, curves, metrics, samples at snapshots and at the end, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from pga.artifacts.figures.sheet import grid, tile
from pga.artifacts.over_training import read_curve, read_history
from pga.artifacts.report.charts import line_chart
from pga.artifacts.report.mathml import symbol
from pga.artifacts.report.page_images import of_array
from pga.artifacts.report.report_tables import SortableTable, of_frame
from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.evaluation_table import protocol_label
from pga.artifacts.tables.parameters_table import shown
from pga.data.prepared import Images
from pga.method.terms import TERMS
from pga.params.experiment import Experiment
from pga.params.run import Run
from pga.params.titles import in_words, metric_title
from pga.provenance.records import Place
from pga.sampling.generated import id_of, load_samples_of
from pga.training.run_record import RunRecord

SNAPSHOTS = 5
"""Snapshots shown of a run, at most, evenly spaced."""
BATCH = 64
"""Codes decoded together at a snapshot: enough for the statistics of batch normalisation, and cheap on a CPU."""
SIDE = 4
"""Rows and columns of samples."""
UNSEEN = ("step", "images_per_s")
"""Columns of the history that are no curve, or a time and so another one in every training."""
LOSS_TITLES = {"encoder_loss": "Encoder’s loss", "decoder_loss": "Decoder’s loss"}


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
    parameters: SortableTable
    curves: list[Markup]
    metrics: SortableTable | None
    pictures: list[Picture]
    facts: list[tuple[str, str]]


def section(experiment: Experiment, place: Place, record: RunRecord, metrics: pd.DataFrame) -> RunSection:
    """Everything of one run that there is.

    Args:
        experiment: whose run.
        place: which run.
        record: its run.json.
        metrics: the tidy table of `pga.artifacts.collect`, of all runs.
    """
    folder = Path(experiment.results, str(place))
    listed = pd.DataFrame(experiment.params(place.dataset, place.model).listed(), columns=["key", "value", "origin"])
    listed["value"] = listed.value.map(shown)
    own = metrics[(metrics.dataset == place.dataset) & (metrics.model == place.model) & (metrics.seed == place.seed)].copy()
    own["metric"] = own.metric.map(metric_title)
    own["images"] = own["sampling"].map(lambda name: protocol_label(place.model, name, experiment))
    titles = {"metric": "Metric", "images": "Images", "value": "Value", "standard_error": "Standard error", "n": "n"}
    anchor, title = str(place).replace("/", "-"), title_of(experiment, place)
    keys = {"key": "Parameter", "value": "Value", "origin": "Origin"}
    return RunSection(
        anchor,
        title,
        of_frame(f"{anchor}-parameters", f"Parameters of {title}", listed, keys),
        curves(folder, experiment.run(*place), record),
        of_frame(f"{anchor}-metrics", f"Metrics of {title}", own, titles) if len(own) else None,
        pictures(experiment, place, folder),
        facts(record),
    )


def title_of(experiment: Experiment, place: Place) -> str:
    """A run for people."""
    return f"{run_titles(experiment)[place.model]} on {dataset_titles(experiment)[place.dataset]}, seed {place.seed}"


def curves(folder: Path, run: Run, record: RunRecord) -> list[Markup]:
    """Every term of the history, and every metric over the snapshots."""
    found = []
    if (history := read_history(folder, record, ("step",))) is not None:
        for column in history.columns:
            known = history[["step", column]].dropna()  # a term that is only looked at may have no value
            if column not in UNSEEN and len(known):
                term = TERMS.get(column)
                words = term.meaning if term else LOSS_TITLES.get(column, in_words(column))
                title = Markup("{} {}").format(symbol(term.symbol), words) if term else words
                found.append(line_chart(title, words, known.step.tolist(), known[column].tolist()))
    if (curve := read_curve(folder, run, record)) is not None:
        for metric, part in curve.dropna(subset="value").groupby("metric", sort=False):
            title = f"{metric_title(str(metric))} of snapshots"
            found.append(line_chart(title, title, part.step.tolist(), part.value.tolist()))
    return found


def picture(images: Images, words: str) -> Picture:
    """The first samples as a sheet, shown so that small images are enlarged by a whole number."""
    sheet = tile(grid(images, SIDE, SIDE))
    times = max(1, 160 // sheet.shape[1])
    return Picture(of_array(sheet), words, sheet.shape[1] * times, sheet.shape[0] * times)


def pictures(experiment: Experiment, place: Place, folder: Path) -> list[Picture]:
    """Samples of the same codes at snapshots (first seed of a row), then those of the finished run."""
    found, params = [], experiment.params(place.dataset, place.model)
    if place.seed == experiment.seeds_of(place.dataset, place.model)[0] and params.snapshots:
        found += at_snapshots(folder / "snapshots.safetensors")
    laws = {protocol_label(place.model, name, experiment).partition(", against")[0]: name for name in reversed(params.samplings)}
    for law, sampling in reversed(laws.items()):  # what differs in the reference alone is shown once
        if (path := folder / sampling / "samples.npy").exists():
            samples = load_samples_of(path, id_of(experiment.run(*place)))
            found.append(picture(samples, f"finished, codes from the {law}".replace("the one", "one")))
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


def memory(size: float) -> str:
    """Bytes as MB or GB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def facts(record: RunRecord) -> list[tuple[str, str]]:
    """Where the run comes from, and what it cost."""
    found = {
        "Parameters' digest": record.digest,
        "Commit": str(record.git),
        "Data": f"SHA-256 {record.data_sha256}",
        "Fingerprint of the code": record.code,
        "Device": record.device,
        "Steps": f"{record.steps:,} in {record.wall_s:,.1f} s ({record.steps_per_s or 0:,.1f} per second)",
        "Largest resident memory": memory(record.peak_memory_bytes),
        "Parameters of the networks": ", ".join(f"{name} {count:,}" for name, count in record.parameters.items()),
        "Interrupted and resumed": ", ".join(f"at step {step:,}" for step in record.resumed_at_steps) or "never",
        "Versions": record.versions_text(),
    }
    for accepted in record.accepted:
        found[f"Accepted as of the code of commit {accepted.git}"] = accepted.because
    if record.peak_gpu_memory_bytes is not None:
        found["Largest memory of the GPU"] = memory(record.peak_gpu_memory_bytes)
    return list(found.items())
