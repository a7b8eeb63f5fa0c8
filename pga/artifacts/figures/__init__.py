"""Figures of the paper, from results on disk: same inputs, same bytes."""
