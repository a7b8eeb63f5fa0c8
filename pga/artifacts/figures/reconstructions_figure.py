"""Test images beside each model's reconstructions: the first ones, never picked."""

from __future__ import annotations

import numpy as np

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.runtime.errors import UserError

SIZE = 0.34
"""Least width of an image, in inches."""
LABEL = 1.2
"""Width of what stands before a row, in inches."""


def draw(sources: Sources) -> canvas.DrawnFigure:
    """A block per data set: a row of test images, below it a row of each model's reconstructions of them."""
    row = sources.row
    lines = len(row.models) + 1
    shown = int((row.width - LABEL) / SIZE)
    size = (row.width - LABEL) / shown
    figure, axes = canvas.page((row.width, len(row.datasets) * (size * lines + 0.35)), len(row.datasets), 1, row.font)
    for k, ([panel], dataset) in enumerate(zip(axes, row.datasets, strict=True)):
        found = {model: images for model in row.models if (images := sources.images(dataset, model, ndim=5)) is not None}
        panel.set_title(f"{canvas.letter(k)} {sources.dataset_title(dataset)}", loc="left")
        if not found:
            canvas.empty(panel, sources.lacks(dataset))
            continue
        originals = next(iter(found.values()))[0][:shown]
        for model, images in found.items():
            if not np.array_equal(images[0][:shown], originals):
                raise UserError(f"{sources.folder}/{dataset}/{model}: its reconstructions are of other test images than its neighbours'")
        rows = [originals, *(found[model][1][:shown] if model in found else np.full_like(originals, 228) for model in row.models)]
        canvas.show(panel, np.stack(rows))
        labels = ["test image", *(label(sources, dataset, model) for model in row.models)]
        panel.set_yticks([1 - (line + 0.5) / lines for line in range(lines)], labels)
        panel.tick_params(length=0)
    text = (
        f"The first {shown} test images and their reconstructions by {sources.first_seeds()}, not picked. MSE: mean squared error over "
        f"all test images on the scale from −1 to 1, {sources.means()}."
    )
    return canvas.DrawnFigure(figure, sources.caption(text))


def label(sources: Sources, dataset: str, model: str) -> str:
    """A model's name and its error."""
    return f"{sources.model_title(model)}\nMSE {sources.cell(dataset, model, 'reconstruction_error').text(4)}"
