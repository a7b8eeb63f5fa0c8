"""Records as the program writes them, for tests that lay files down by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pga.data.prepared import PreparedRecord, array_path
from pga.evaluation.metrics_record import CurveRecord, SpaceId
from pga.evaluation.statistics import StatisticsRecord, load_statistics, refuse_other_space, save_statistics
from pga.fingerprints.steps import curve_code, evaluation_code, reference_code
from pga.metrics.moments import Statistics, statistics
from pga.params.run import Run
from pga.sampling.generated import id_of


def write_prepared(folder: Path | str, dataset: str, **changes: Any) -> None:
    """The record of the arrays and labels of a data set that lie in a folder."""
    paths = [*(array_path(folder, dataset, split) for split in ("train", "test")), Path(folder) / f"{dataset}-labels.npz"]
    content: dict[str, Any] = dict(parameters={}, recipe="", shape=(8, 8, 1), n_train=100, n_test=10, n_classes=None, sources={})
    record = PreparedRecord(dataset=dataset, **{**content, **changes})
    record.write_beside([path for path in paths if path.exists()])
    path = Path(folder) / f"{dataset}.json"
    if not paths[0].exists():  # then it stands beside the first file that there is
        next(path for path in paths if path.exists()).with_suffix(".json").rename(path)


def metrics_content(
    dataset: str, model: str, seed: int, sampling: str, *metrics: dict[str, Any], accuracy: float | None = 0.9
) -> dict[str, Any]:
    """The content of a metrics.json."""
    names = dict.fromkeys(metric["extractor"] for metric in metrics)
    return {
        "kind": "metrics", "code": evaluation_code(), "accepted": [],
        "dataset": dataset, "model": model, "seed": seed, "sampling": sampling, "n": 300, "inputs": {},
        "extractors": [{"name": name, "digest": "d" * 64, "accuracy": accuracy} for name in names], "metrics": list(metrics),
    }  # fmt: skip


def write_curve_record(curve: Path, run: Run, inputs: dict[str, str] | None = None) -> None:
    """What stands beside a curve.csv."""
    CurveRecord(**id_of(run)._asdict(), code=curve_code(run), inputs=inputs or {}, extractors=[]).write_beside([curve])


def save_reference(path: Path, extractor: Any, features: np.ndarray, dataset: str = "halves", split: str = "train") -> Statistics:
    """Statistics of features as `pga reference` writes them, with their record."""
    found = statistics([features])
    space = SpaceId.of(extractor)
    record = StatisticsRecord(code=reference_code(), dataset=dataset, split=split, data_sha256="0" * 64, n=found.n, extractor=space)
    save_statistics(path, found, features, record)
    return found


def load_reference(path: Path, extractor: Any, foreign: bool = False) -> Statistics:
    """Statistics that must be of a feature space."""
    found, record = load_statistics(path)
    refuse_other_space(path, found, record, extractor, foreign)
    return found
