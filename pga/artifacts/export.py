"""A trained run as a folder to pass on: weights, configuration, and a model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

import pga
from pga.artifacts.figures.sheet import grid, tile
from pga.data.datasets import load_datasets
from pga.evaluation.metrics_record import MetricsRecord
from pga.networks.architectures import unit_range
from pga.params.library import EXPERIMENTS
from pga.params.sources import load_sources
from pga.params.titles import in_words
from pga.runtime.errors import UserError
from pga.runtime.files import atomic
from pga.sampling.model import TrainedModel, load
from pga.training.run_record import RunRecord

SHOWN = 8
"""Rows and columns of the sample picture."""

CITATION = """@inproceedings{zhang2020perceptual,
  title = {Perceptual Generative Autoencoders},
  author = {Zhang, Zijun and Zhang, Ruixiang and Li, Zongpeng and Bengio, Yoshua and Paull, Liam},
  booktitle = {Proceedings of the 37th International Conference on Machine Learning},
  series = {Proceedings of Machine Learning Research},
  volume = {119},
  pages = {11298--11306},
  year = {2020}
}"""


def export(run: Path, folder: Path, licence: str | None = None) -> None:
    """Write model.safetensors (the run's bytes), run.json, the metrics, config.json, samples.png and README.md, the model card.

    `pga.load`, `pga sample` and the Hub read the folder.

    Args:
        run: the run's folder, or its model.safetensors.
        folder: to write into; other files in it stay.
        licence: of the data, for the card (default: what the table of sources says of the run's data set).

    Raises:
        UserError: the run is absent, damaged or not finished, or `folder` is its own.
    """
    model = load(run, "cpu")
    if folder.resolve() == model.folder.resolve():
        raise UserError(f"{folder}: the run's own folder; accepted is another")
    record = RunRecord.read(model.folder / "run.json")
    sources = ["model.safetensors", "run.json", *(f"{name}/metrics.json" for name in model.metrics)]
    for name in sources:
        with (model.folder / name).open("rb") as file, atomic(folder / name) as copy:
            shutil.copyfileobj(file, copy)
    pixels = tile(grid(model.sample(SHOWN**2), SHOWN, SHOWN))
    with atomic(folder / "samples.png") as file:
        Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    height, width, channels = model.decode(np.zeros((1, model.run.latent_dim))).shape[1:]
    config = {
        "library": f"pga {pga.__version__}",
        "image": {"height": height, "width": width, "channels": channels, "range": [0 if unit_range(model.run.network) else -1, 1]},
        "parameters": record.parameters,
        "run": model.params,
    }
    with atomic(folder / "config.json", "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
    with atomic(folder / "README.md", "w") as file:
        file.write(card(model, record, licence or data_licence(model.run.dataset)))


def data_licence(dataset: str) -> str:
    """What the tables of data sets and sources say of a data set's licence."""
    sources = load_sources(EXPERIMENTS / "sources.yaml")
    found = load_datasets(EXPERIMENTS / "datasets.yaml").get(dataset)
    if found is not None and found.source:
        return sources[found.source].licence
    of_digits = found is not None and found.kind == "digits"
    return "that of scikit-learn's copy (UCI, CC BY 4.0)" if of_digits else "not stated; add it before you pass the model on"


def card(model: TrainedModel, record: RunRecord, licence: str) -> str:
    """The model card: metadata as the Hub reads it, then what a person reads."""
    run = model.run
    measured = [(name, row) for name in model.metrics for row in MetricsRecord.read(model.folder / name / "metrics.json").metrics]
    results = [
        {"type": row.metric, "name": f"{row.metric} ({sampling}, {row.n} images against {row.reference})", "value": row.value}
        for sampling, row in measured
    ]
    metadata: dict[str, Any] = {
        "library_name": "pga",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["autoencoder", "generative-model", run.model],
    }
    if results:
        task = {"type": "unconditional-image-generation", "name": "Image generation"}
        index = {"task": task, "dataset": {"type": run.dataset, "name": run.dataset}, "metrics": results}
        metadata["model-index"] = [{"name": f"{run.name} on {run.dataset}", "results": [index]}]
    coefficients = ", ".join(f"{name} {value:g}" for name, value in run.coefficients.items())
    values = ("absent" if row.value is None else f"{row.value:.4g}" for _, row in measured)
    rows = [f"| {name} | {row.metric} | {value} | {row.n} | {row.reference} |" for (name, row), value in zip(measured, values, strict=True)]
    table = ["| sampling | metric | value | n | reference |", "|---|---|---:|---:|---|", *rows]
    return f"""---
{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True).strip()}
---

# {in_words(run.name)} on {run.dataset}

{in_words(run.model)} (*Perceptual Generative Autoencoders*, ICML 2020): network {run.network}, latent dimension {run.latent_dim},
{coefficients}; {record.steps} steps of {run.batch_size} images, seed {run.seed}.

All parameters: `config.json`; where it comes from: `run.json`.

![samples](samples.png)

*The first {SHOWN**2} samples of seed {run.seed}, z ~ N(0, I), not selected.*

## Load

```python
import pga

model = pga.load("FOLDER")  # this folder, or hf://user/name
images = model.sample(16)  # (16, height, width, channels) uint8
```

## Metrics

{chr(10).join(table) if rows else "None were measured."}

FID is a distance in the features of Inception of 2015-12-05 and only that; a metric of another feature space carries its name.

## Data

{run.dataset}, SHA-256 of the training images {record.data_sha256}. Licence: {licence}.

## Code

pga {pga.__version__}, commit {record.git}, torch {record.versions["torch"]}, {record.device}.

## Cite

```bibtex
{CITATION}
```
"""
