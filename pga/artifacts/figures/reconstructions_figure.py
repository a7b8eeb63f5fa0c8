"""Test images beside each model's reconstructions: the first ones, never picked."""

from __future__ import annotations

import numpy as np

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.figures.sheet import tile
from pga.runtime.errors import UserError

SHOWN = 16
"""Images across."""
LABEL = 1.2
"""Width of what stands before a row, in inches."""


def draw(sources: Sources) -> canvas.Drawn:
    """A block per data set: a row of test images, below it a row of each model's reconstructions of them."""
    row = sources.row
    lines = len(row.models) + 1
    size = (canvas.PAGE - LABEL) / SHOWN
    figure, axes = canvas.page(canvas.PAGE, len(row.datasets) * (size * lines + 0.35), len(row.datasets), 1)
    for [panel], dataset in zip(axes, row.datasets, strict=True):
        found = {model: images for model in row.models if (images := sources.images(dataset, model, ndim=5)) is not None}
        panel.set_title(sources.dataset_title(dataset), loc="left")
        if not found:
            canvas.empty(panel, sources.lacks(dataset))
            continue
        originals = next(iter(found.values()))[0][:SHOWN]
        for model, images in found.items():
            if not np.array_equal(images[0][:SHOWN], originals):
                raise UserError(f"{sources.folder}/{dataset}/{model}: its reconstructions are of other test images than its neighbours'")
        rows = [originals, *(found[model][1][:SHOWN] if model in found else np.full_like(originals, 228) for model in row.models)]
        canvas.show(panel, tile(np.stack(rows)))
        height = originals.shape[1] + 1
        labels = ["test image", *(label(sources, dataset, model) for model in row.models)]
        for k, text in enumerate(labels):
            panel.text(-0.01, (k + 0.5) * height, text, ha="right", va="center", fontsize=7, transform=panel.get_yaxis_transform())
    text = (
        f"The first {SHOWN} test images and their reconstructions by {sources.first_seeds()}, not picked. Numbers: mean squared error over "
        f"all test images on the scale from −1 to 1, mean ± standard error over {sources.seeds()}."
    )
    return canvas.Drawn(figure, sources.caption(text))


def label(sources: Sources, dataset: str, model: str) -> str:
    """A model's name and its error."""
    return f"{sources.model_title(model)}\n{sources.cell(dataset, model, 'reconstruction_error').text(4)}"
