"""Several processes at the same files: one wins, the other says so, and a reader sees the old file or the new one.

Two fetches of one file are in test_fetch, two workflows in one folder in test_workflow.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_training import CPU, a_run, blobs, outputs

from pga.data.folder import Folder
from pga.data.prepare import prepare
from pga.data.prepared import load_images
from pga.fingerprints.steps import neighbours_code
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, read_record, write_record
from pga.runtime.locks import alone
from pga.sampling.generated import RunId, save_samples
from pga.training.loop import train


@contextmanager
def beside(act: Callable[[], None]) -> Iterator[int]:
    """`act` in a process of its own, which is killed at the end of the block if it still runs; yields its id."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_that_is_being_trained_is_refused_and_continued_by_whoever_comes_after(tmp_path: Path) -> None:
    long, scratch = a_run(steps=100_000), tmp_path / "scratch"
    with beside(lambda: train(long, blobs(), "data", "code", CPU, tmp_path / "out", scratch, every_s=0.05)):
        wait_until(lambda: bool(list(scratch.glob("*/state.safetensors"))))
        with pytest.raises(UserError, match="toy/lpga, seed 3, is being trained by another process"):
            train(long, blobs(), "data", "code", CPU, tmp_path / "out", scratch)
        train(a_run(seed=4), blobs(), "data", "code", CPU, tmp_path / "other", scratch)  # another run is nobody's business
    assert not (tmp_path / "out").exists()
    state = next(scratch.glob("*/state.safetensors"))  # the process was killed: its lock is free and its state whole
    _, record = load_tensors(state)
    assert 0 < record["step"] < 100_000
    train(a_run(seed=4), blobs(), "data", "code", CPU, tmp_path / "again", scratch)
    assert outputs(tmp_path / "again") == outputs(tmp_path / "other")


def test_a_data_set_that_is_being_prepared_is_refused(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for number in range(20):
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(images / f"{number:02}.png")
    row = Folder(kind="folder", path=images, size=8, test_fraction=0.25)
    out.mkdir()
    with alone(out / ".mine.lock"), pytest.raises(UserError, match=f"mine is being prepared in {out} by another process"):
        prepare("mine", row, tmp_path, out, {}, processes=1)
    assert [path.name for path in out.iterdir() if path.suffix not in (".lock", ".contents")] == []
    prepare("mine", row, tmp_path, out, {}, processes=1)
    assert load_images(out / "mine.npy").shape == (15, 8, 8, 3)


def test_what_a_killed_writer_left_is_removed_by_the_next_one_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    path, ready = tmp_path / "a[1].npy", tmp_path / "ready"

    def write() -> None:
        with atomic(path) as file:
            file.write(b"half")
            file.flush()
            ready.touch()
            time.sleep(60)

    with beside(write):
        wait_until(ready.exists)
        with atomic(path) as file:  # beside one that lives
            file.write(b"whole")
        assert len(list(tmp_path.glob(".*.part"))) == 1
    assert len(list(tmp_path.glob(".*.part"))) == 1  # it was killed
    with atomic(path.with_name("other")) as file:
        file.write(b"whole")
    assert len(list(tmp_path.glob(".*.part"))) == 1
    with atomic(path) as file:
        file.write(b"again")
    assert list(tmp_path.glob(".*.part")) == [] and path.read_bytes() == b"again"


def test_a_reader_sees_whole_files_while_they_are_written(tmp_path: Path) -> None:
    """As when samples are evaluated while the run is trained and sampled anew."""

    def write() -> None:
        for number in range(100_000):
            save_tensors(tmp_path / "model.safetensors", {"a": torch.full((20_000,), float(number))}, {"step": number})
            images = np.full((50, 8, 8, 1), number % 256, np.uint8)
            save_samples(tmp_path / "samples.npy", images, RunId("toy", "lpga", number, "0"), neighbours_code())
            write_record(tmp_path / "metrics.json", {"values": [number] * 500})

    seen: set[int] = set()
    with beside(write):
        wait_until((tmp_path / "metrics.json").exists)
        end = time.monotonic() + 1.5
        while time.monotonic() < end or len(seen) < 3:
            tensors, record = load_tensors(tmp_path / "model.safetensors")
            assert bool((tensors["a"] == record["step"]).all())
            seen.add(record["step"])
            assert len(np.unique(load_images(tmp_path / "samples.npy"))) == 1
            assert len(set(read_record(tmp_path / "metrics.json")["values"])) == 1
            assert time.monotonic() < end + 60
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")]
    load_tensors(tmp_path / "model.safetensors")  # whole after the kill as well
