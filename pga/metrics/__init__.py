"""Metrics as pure functions of features."""

METRICS = ("kid", "manifold", "infinity", "neighbours")
"""What can be asked for beside the Fréchet distance; `pga.evaluation.EXTRA` has the functions."""
