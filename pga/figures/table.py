"""The table of figures: kind → the function that draws it. What each is drawn from stands in `pga.params.shown.NEEDS`."""

from __future__ import annotations

from collections.abc import Callable

from pga.figures import diagram, interpolations, neighbours, panels, reconstructions, terms, training
from pga.figures.canvas import Drawn
from pga.figures.sources import Sources

FIGURES: dict[str, Callable[[Sources], Drawn]] = {
    "routing": diagram.draw,
    "panels": panels.draw,
    "training": training.draw,
    "terms": terms.draw,
    "interpolations": interpolations.draw,
    "reconstructions": reconstructions.draw,
    "neighbours": neighbours.draw,
}
