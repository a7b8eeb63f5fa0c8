"""What became of a run over training, by step: its losses (history.csv) and metrics of its snapshots (curve.csv)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pga.artifacts.collect import read_table
from pga.params.run import Run
from pga.provenance.records import verified_curve
from pga.training.run_record import RunRecord

LOSSES = ("step", "encoder_loss", "decoder_loss")


def read_history(folder: Path, record: RunRecord, columns: Sequence[str]) -> pd.DataFrame | None:
    """The losses of a run in `folder`, of which `record` is; None where there are none.

    Raises:
        UserError: they are not those that the run wrote, or lack one of the columns.
    """
    path = folder / "history.csv"
    return read_table(record.verify_own(path), columns) if path.exists() else None


def read_curve(folder: Path, run: Run, record: RunRecord) -> pd.DataFrame | None:
    """The metrics over the snapshots of `run` in `folder`, of which `record` is; None where there are none; raises as `verified_curve`."""
    path = folder / "curve.csv"
    return read_table(verified_curve(path, run, record), ("step", "metric", "value")) if path.exists() else None


def by_step(table: pd.DataFrame, column: str) -> pd.Series:
    """A column by the step that stands beside it."""
    return pd.Series(table[column].to_numpy(), index=table["step"].to_numpy())


def total_loss(history: pd.DataFrame) -> pd.Series:
    """The encoder's loss plus the decoder's by step, of a history with the columns `LOSSES`: what Figure 3a takes for the total loss."""
    return by_step(history, "encoder_loss") + by_step(history, "decoder_loss")


def metric_curve(curve: pd.DataFrame, metric: str) -> pd.Series:
    """One metric by step."""
    return by_step(curve[curve["metric"] == metric], "value")
