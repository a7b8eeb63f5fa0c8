"""Records of runs as training writes them, for tests of what is made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pga.fingerprints.steps import training_code
from pga.params.experiment import Experiment
from pga.provenance.records import Place
from pga.runtime.files import write_record
from pga.training.run_record import RunRecord


def record(scale: Experiment, place: Place, **changes: Any) -> dict[str, Any]:
    """The content of a run.json; every number that a second training would change follows from the seed."""
    run = scale.run(*place)
    return {
        "kind": "run",
        "run": run.asdict(),
        "digest": run.digest,
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "data_sha256": f"{place.dataset:->64}",
        "code": training_code(run),
        "device": "CPU x86_64 (AVX2)",
        "platform": {"system": "Linux", "machine": "x86_64"},
        "versions": {"python": "3.12.1", "torch": "2.11.0"},
        "parameters": {"encoder": 1000, "decoder": 2000},
        "steps": 300,
        "selected_step": 300,
        "resumed_at_steps": [],
        "wall_s": 10.0 + place.seed,
        "steps_per_s": 300 / (10.0 + place.seed),
        "start_up_and_write_s": 1.0,
        "peak_memory_bytes": 200_000_000 + place.seed,
        "peak_gpu_memory_bytes": None,
        "files": {},
        **changes,
    }


def run_record(scale: Experiment, place: Place, **changes: Any) -> RunRecord:
    """The same as it is read."""
    return RunRecord.model_validate(record(scale, place, **changes))


def measured(metric: str, value: float | None, **changes: Any) -> dict[str, Any]:
    """One entry of a metrics.json."""
    rest = {"standard_error": None, "n": 300, "reference": "train", "reference_n": 400, "extractor": "classifier", "absent": None}
    return {"metric": metric, "value": value, **rest, **changes}


def write_records(scale: Experiment, **changes: Any) -> None:
    """run.json of every run of a scale, below the current folder."""
    for run in scale.all_runs():
        place = Place.of(run)
        write_record(Path(scale.results, str(place), "run.json"), record(scale, place, **changes))
