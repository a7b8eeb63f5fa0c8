"""What a run does after each epoch's validation loss: keep the best weights, halve the learning rate."""

from __future__ import annotations

import math
from typing import Any


class Plateau:
    """The best validation loss so far, and how long it has not improved.

    The learning rate's schedule asks for an improvement of more than `lr_min_delta`, as Keras's does; the selection for any.

    Attributes:
        best_loss, best_epoch: the lowest loss and the step after which it was found.
        plateau_loss, waited: the schedule's lowest loss and the epochs since.
    """

    def __init__(self, patience: int | None, min_delta: float):
        self.patience, self.min_delta = patience, min_delta
        self.best_loss, self.best_epoch = math.inf, 0
        self.plateau_loss, self.waited = math.inf, 0

    def update(self, loss: float, step: int) -> tuple[bool, bool]:
        """Count an epoch. Returns whether its loss is the best, and whether the learning rate is to be halved."""
        is_best = loss < self.best_loss
        if is_best:
            self.best_loss, self.best_epoch = loss, step
        self.waited += 1
        if loss < self.plateau_loss - self.min_delta:
            self.plateau_loss, self.waited = loss, 0
        halve = self.patience is not None and self.waited >= self.patience
        if halve:
            self.waited = 0
        return is_best, halve

    def state(self) -> dict[str, float | None]:
        """For a checkpoint."""
        losses = {"best_loss": self.best_loss, "plateau_loss": self.plateau_loss}
        finite = {name: None if math.isinf(loss) else loss for name, loss in losses.items()}  # JSON has no infinity
        return {"best_epoch": self.best_epoch, "waited": self.waited, **finite}

    def restore(self, record: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.best_epoch, self.waited = record["best_epoch"], record["waited"]
        self.best_loss, self.plateau_loss = (math.inf if record[name] is None else record[name] for name in ("best_loss", "plateau_loss"))
