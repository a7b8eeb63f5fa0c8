"""What can be watched while a run trains: JSON lines, and events for TensorBoard. Nothing of it reaches a result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Self, TextIO

import torch

from pga.data.pixels import truncate_to_uint8
from pga.networks.architectures import unit_range
from pga.runtime.files import atomic
from pga.runtime.seeds import generator
from pga.training.history import Row
from pga.training.trainer import Trainer

SHOWN = 16
"""Sample images at a snapshot, of the same codes every time."""


class Live:
    """`log.jsonl` with one line per row of the history, and TensorBoard's events where the extra `tensorboard` is installed.

    A run that resumes goes on in the same folder: what was written after its last checkpoint is dropped, since it comes again.
    """

    def __init__(self, folder: Path, trainer: Trainer):
        run, step = trainer.run, trainer.step
        self.trainer, self.folder = trainer, folder / f"{run.dataset}-{run.name}-seed{run.seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "log.jsonl"
        kept = [line for line in path.read_text().splitlines(keepends=True) if before(line, step)] if path.exists() else []
        with atomic(path, "w") as file:
            file.writelines(kept)
        self.lines: TextIO = path.open("a", buffering=1, encoding="utf-8")
        self.events: Any = None
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError:
            print("note: no events for TensorBoard, only log.jsonl; they come with: pip install 'pga[tensorboard]'", file=sys.stderr)
        else:
            self.events = SummaryWriter(str(self.folder), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.lines.close()
        if self.events is not None:
            self.events.close()

    def row(self, row: Row) -> None:
        """Write a row of the history."""
        self.lines.write(json.dumps(row) + "\n")
        if self.events is not None:
            for name, value in row.items():
                if name != "step" and value is not None:
                    self.events.add_scalar(name, value, row["step"])
            self.events.flush()

    def snapshot(self) -> None:
        """Write sample images of the present decoder, whose state stays as it is."""
        if self.events is None:
            return
        run, decoder, device = self.trainer.run, self.trainer.decoder, self.trainer.device
        codes = torch.randn(SHOWN, run.latent_dim, generator=generator(device, run.seed, "live"), device=device, dtype=self.trainer.dtype)
        decoder.eval()
        with torch.no_grad():
            x = decoder(codes)
        decoder.train()
        self.events.add_images("samples", truncate_to_uint8(x, unit_range(run.network)), self.trainer.step, dataformats="NHWC")
        self.events.flush()


def before(line: str, step: int) -> bool:
    """Whether a whole line of the log is of a step up to `step`."""
    try:
        return bool(json.loads(line)["step"] <= step)
    except (ValueError, KeyError, TypeError):
        return False  # the last line of a process that was killed
