"""Locks: who holds one, and file systems that have none (the kernel's own answers, by a filter of system calls)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from child import forked, refuse, skip_without_filters
from PIL import Image
from test_fetch import CONTENT, a_source
from test_training import CPU, a_run, blobs, outputs

from pga.data.fetch import fetch
from pga.data.folder import Folder
from pga.data.prepare import prepare
from pga.data.prepared import load_images
from pga.runtime.gpu_locks import claim
from pga.runtime.locks import Busy, acquire, alone
from pga.training.loop import train

NO_LOCKS = {"NFS": errno.ENOLCK, "a cluster's": errno.EOPNOTSUPP, "Lustre": errno.ENOSYS}


def test_one_holds_a_lock_and_the_next_has_it_when_its_file_is_removed_too(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with alone(path) as locked:
        assert locked
        with pytest.raises(Busy, match=str(path)):
            acquire(path)
        path.unlink()
    with alone(path), pytest.raises(Busy):
        acquire(path)
    os.close(acquire(path)[0])


def test_a_lock_that_cannot_be_opened_is_an_error_and_no_file_system_without_locks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), alone(tmp_path / "nosuch" / "lock"):
        pass


@pytest.mark.parametrize("error", NO_LOCKS.values(), ids=NO_LOCKS)
def test_without_locks_all_work_is_done_with_a_warning_and_a_killed_training_continues(error: int, tmp_path: Path) -> None:
    skip_without_filters()
    images = tmp_path / "images"
    images.mkdir()
    for number in range(8):
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(images / f"{number:02}.png")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "file.bin").write_bytes(CONTENT)
    source = a_source("http://127.0.0.1:9/", mirror=["file.bin"])
    run, scratch = a_run(steps=40), tmp_path / "scratch"
    train(run, blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "other")

    def part_of_a_training() -> None:  # on one node, which dies
        refuse("flock", error)
        from pga.training.trainer import Trainer

        advance = Trainer.advance
        Trainer.advance = lambda self: os._exit(9) if self.step == 20 else advance(self)
        train(run, blobs(), "data", "code", CPU, tmp_path / "out", scratch, every_s=0.0)

    def everything() -> None:
        refuse("flock", error)
        train(run, blobs(), "data", "code", CPU, tmp_path / "out", scratch)
        fetch("toy", source, "file.bin", tmp_path / "raw", str(tmp_path / "mirror"))
        prepare("mine", Folder(kind="folder", path=images, size=8, test_fraction=0.25), tmp_path, tmp_path / "data", {}, processes=1)
        assert claim(["a"], folder=tmp_path / "gpus") == 0

    assert forked(part_of_a_training)[0] == 9
    assert list(scratch.glob("*/state.safetensors"))
    status, said = forked(everything)
    assert status == 0, said
    assert said.count(f"its file system has no locks ({os.strerror(error)})") == 4
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
    assert '"resumed_at_steps": [\n    20\n  ]' in (tmp_path / "out" / "run.json").read_text()
    assert (tmp_path / "raw/toy/file.bin").read_bytes() == CONTENT
    assert load_images(tmp_path / "data/mine.npy").shape == (6, 8, 8, 3)
    assert not list(tmp_path.rglob("*.part*"))
