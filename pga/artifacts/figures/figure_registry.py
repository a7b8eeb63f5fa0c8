"""The table of figures: kind → the function that draws it. What each is drawn from stands in `pga.params.artifacts.NEEDS`."""

from __future__ import annotations

from collections.abc import Callable

from pga.artifacts.figures import (
    diagram,
    interpolations_figure,
    neighbours_figure,
    reconstructions_figure,
    samples_figure,
    terms_figure,
    training_figure,
)
from pga.artifacts.figures.canvas import DrawnFigure
from pga.artifacts.figures.figure_inputs import Sources
from pga.runtime.registry import Registry

FIGURES: Registry[str, Callable[[Sources], DrawnFigure]] = {
    "routing": diagram.draw,
    "panels": samples_figure.draw,
    "training": training_figure.draw,
    "terms": terms_figure.draw,
    "interpolations": interpolations_figure.draw,
    "reconstructions": reconstructions_figure.draw,
    "neighbours": neighbours_figure.draw,
}
