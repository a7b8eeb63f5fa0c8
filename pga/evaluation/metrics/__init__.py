"""Metrics as pure functions of features."""

METRICS = ("kid", "manifold", "infinity", "neighbours")
"""What can be asked for beside the Fréchet distance; `pga.evaluation.protocol.EXTRA` has the functions."""
