"""Samples beside the training images that are nearest to them, to see whether a model copies."""

from __future__ import annotations

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.params.feature_spaces import FEATURE_SPACES, PIXELS

PANEL = 2.6
"""Width of a panel in inches, at most."""
APART = 0.12
"""Room between panels, wider than the gap within them."""


def draw(sources: Sources) -> canvas.DrawnFigure:
    """A grid of panels, data sets down and models across; in each a row per sample, its neighbours after the wider gap."""
    row, experiment = sources.row, sources.experiment
    across, down = len(row.models), len(row.datasets)
    size = min(PANEL, row.width / across)
    figure, axes = canvas.page((row.width, (1.3 * size + 0.3) * down), down, across, row.font, APART)
    for i, dataset in enumerate(row.datasets):
        for j, model in enumerate(row.models):
            axes[i][j].set_title(f"{canvas.letter(i * across + j)} {sources.dataset_title(dataset)}, {sources.model_title(model)}")
            images = sources.images(dataset, model, ndim=5)
            if images is None:
                canvas.empty(axes[i][j], sources.lacks(dataset, model))
            else:
                canvas.show(axes[i][j], images, divided_after=(0,))
    text = (
        f"The first samples of {sources.first_seeds()}, not picked (left of the gap), each followed by its nearest training images, "
        f"nearest first, by Euclidean distance in {space(experiment.evaluation.extractor_label)}."
    )
    return canvas.DrawnFigure(figure, sources.caption(text))


def space(extractor: str) -> str:
    """A feature space in words."""
    return "pixels" if extractor == PIXELS else f"the features of {FEATURE_SPACES[extractor].words}"
