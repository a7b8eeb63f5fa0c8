"""The rows of a run's history: means of its terms between two rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from pga.method.terms import network_losses

LOGS = 200
"""Rows of a run's history, at least, where it has as many steps; fewer than twice as many."""

Row = dict[str, float | None]


class History:
    """Sums of the terms on the device, and a row of means every few steps.

    Attributes:
        rows: step, each term, both networks' losses.
        sums: of each term since the last row, in float64.
        summed: how many steps they are of.
    """

    def __init__(self, weights: Mapping[str, float], total_steps: int, device: torch.device):
        self.weights, self.total_steps = weights, total_steps
        self.every = max(1, total_steps // LOGS)
        self.rows: list[Row] = []
        self.sums = {term: torch.zeros((), dtype=torch.float64, device=device) for term in weights}
        self.summed = 0

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add one step's values, on the device."""
        for term, value in terms.items():
            self.sums[term] += value.detach()

    def due(self, step: int) -> bool:
        """Whether a row ends with the given step."""
        return step % self.every == 0 or step == self.total_steps

    def close(self, active_terms: Iterable[str], value: Callable[[str], float]) -> tuple[Row, dict[str, float]]:
        """The next row and the means in it; the sums begin anew.

        A row has the mean since the last row of each active term, and of each other one `value` of the last batch, None if not finite.
        """
        active_terms = tuple(active_terms)
        means = {term: float(self.sums[term]) / self.summed for term in active_terms}
        row: Row = {}
        for term in self.weights:
            if term in means:
                row[term] = means[term]
            else:
                found = value(term)
                row[term] = found if math.isfinite(found) else None
            self.sums[term].zero_()
        self.summed = 0
        return row, means

    def append(self, step: int, row: Row, means: Mapping[str, float]) -> None:
        """Keep a row with both networks' losses."""
        encoder_loss, decoder_loss = network_losses(means, self.weights)
        self.rows.append({"step": step, **row, "encoder_loss": encoder_loss, "decoder_loss": decoder_loss})
