"""Figure 7: interpolations between pairs of test images, which the first seed chooses."""

from __future__ import annotations

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources


def draw(sources: Sources) -> canvas.DrawnFigure:
    """A block of lines per data set and model: an image, the points from its code to the other's, the other image."""
    row, experiment = sources.row, sources.experiment
    runs = row.runs()
    points, pairs = experiment.interpolation.points, experiment.interpolation.pairs
    height = min(row.width / (points + 2.5) * pairs + 0.25, canvas.TALLEST / len(runs))
    figure, axes = canvas.page((row.width, height * len(runs)), len(runs), 1, row.font)
    for k, ([panel], (dataset, model)) in enumerate(zip(axes, runs, strict=True)):
        images = sources.images(dataset, model, ndim=5)
        if images is None:
            canvas.empty(panel, sources.lacks(dataset, model))
        else:
            canvas.show(panel, images, divided_after=(0, images.shape[1] - 2))
        panel.set_title(f"{canvas.letter(k)} {sources.dataset_title(dataset)}, {sources.model_title(model)}", loc="left")
    text = (
        f"Pairs of test images (outer columns) drawn by {sources.first_seeds()}, not picked, the same for every model. Between them the "
        f"decoder at {points} points on the line from one image's code to the other's, both codes (the reconstructions) included."
    )
    return canvas.DrawnFigure(figure, sources.caption(text))
