"""Watching a training: what is written while it runs, and that no result changes by it."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_training import CPU, a_run, blobs, outputs

from pga.params.run import Run
from pga.runtime.checkpoint import save_tensors
from pga.training.loop import checkpoint_folder, train
from pga.training.trainer import Trainer

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")


def events(folder: Path) -> Iterator[tuple[int, str]]:
    """(step, tag) of everything in TensorBoard's files, in the order of their making."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, start = path.read_bytes(), 0
        while start < len(content):
            (length,) = struct.unpack("<Q", content[start : start + 8])
            event = event_pb2.Event.FromString(content[start + 12 : start + 12 + length])
            yield from ((event.step, value.tag) for value in event.summary.value)
            start += 16 + length


def images_for(run: Run) -> np.ndarray:
    return np.pad(blobs(), ((0, 0), (12, 12), (12, 12), (0, 0))) if run.network == "ghosh_32_grey" else blobs()


@pytest.mark.parametrize(
    "changes", [{}, {"network": "ghosh_32_grey", "width": 2, "steps": 12, "spectral_norm": True}], ids=["pga", "ghosh"]
)
def test_a_watched_training_gives_the_same_bytes(changes: dict[str, object], tmp_path: Path) -> None:
    run = a_run(**changes)
    for name, live in (("plain", None), ("watched", tmp_path / "live")):
        train(run, images_for(run), "data", "code", CPU, tmp_path / name, tmp_path / "scratch", live=live)
    assert outputs(tmp_path / "plain") == outputs(tmp_path / "watched")
    folder = tmp_path / "live/toy-lpga-seed3"
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    with (tmp_path / "watched/history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [int(row["step"]) for row in history] == list(range(1, run.steps + 1))
    assert [row["r"] for row in rows] == [float(row["r"]) for row in history]
    found = list(events(folder))
    assert [step for step, tag in found if tag == "encoder_loss"] == list(range(1, run.steps + 1))
    assert sorted({step for step, tag in found if tag.startswith("samples")}) == run.snapshot_steps(100)


def test_a_resumed_training_goes_on_in_the_same_files(tmp_path: Path) -> None:
    """Killed after step 40 with its last checkpoint at step 30, and a line half written."""
    run = a_run(snapshots=1)
    trainer = Trainer(run, blobs(), CPU)
    while trainer.step < 30:
        trainer.advance()
    scratch = checkpoint_folder(tmp_path / "scratch", run, "data", "code", CPU)
    tensors, record = trainer.state()
    save_tensors(scratch / "state.safetensors", tensors, {**record, "of": scratch.name, "wall_s": 1.0, "resumed": []})
    log = tmp_path / "live/toy-lpga-seed3/log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("".join(json.dumps({"step": step, "of": "before"}) + "\n" for step in range(1, 41)) + '{"step": 4')
    train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch", live=tmp_path / "live")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 61))
    assert [row["step"] for row in rows if "of" in row] == list(range(1, 31))
