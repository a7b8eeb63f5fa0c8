"""Every term of every model over training, with the spread over seeds."""

from __future__ import annotations

import math
import textwrap

from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.figures.training_figure import band
from pga.artifacts.over_training import by_step
from pga.method.terms import MODELS, ONE, TERMS

WIDEST = 2.25
"""Of a panel in inches: three across a page, one in a column."""
HEIGHT = 1.75
"""Of a panel in inches."""
OFF = (0, (1, 3))
"""Dash of a term that is measured but has no weight in the loss."""


def draw(sources: Sources) -> canvas.DrawnFigure:
    """A panel per data set and term, a line per model that has the term."""
    row = sources.row
    panels = [(dataset, term) for dataset in row.datasets for term in terms_of(sources, dataset)]
    across = int(row.width / WIDEST)
    down = math.ceil(len(panels) / across)
    figure, axes = canvas.page((row.width, HEIGHT * down + 0.3), down, across, row.font)
    flat = [panel for line in axes for panel in line]
    for k, (panel, (dataset, term)) in enumerate(zip(flat, panels, strict=False)):
        missing = []
        for model, line in zip(row.models, canvas.LINES, strict=False):
            if term not in MODELS[sources.experiment.params(dataset, model).model]:
                continue
            if histories := sources.histories(dataset, model, ("step", term)):
                dash = None if weight(sources, dataset, model, term) else OFF
                band(panel, [by_step(history, term) for history in histories], line, sources.model_title(model), dash=dash)
            else:
                missing += sources.lacks(dataset, model)
        if not panel.lines:
            canvas.empty(panel, missing)
        else:
            panel.set_xlim(left=0)
            panel.xaxis.set_major_formatter(EngFormatter())
            panel.set_xlabel("step")
        before = f"{canvas.letter(k)} " + (f"{sources.dataset_title(dataset)}: " if len(row.datasets) > 1 else "")
        meaning = textwrap.fill(TERMS[term].meaning, 40)
        panel.set_title(f"{before}${TERMS[term].symbol}$, {TERMS[term].source}\n{meaning}", loc="left", fontsize=7)
    for panel in flat[len(panels) :]:
        panel.set_axis_off()
    handles = [
        Line2D([], [], color=line.colour, linestyle=line.dash, label=sources.model_title(model))
        for model, line in zip(row.models, canvas.LINES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False)
    text = (
        f"Each term as it enters the loss, before its weight (means over batch and elements): {sources.lines()}. Dotted: measured, with "
        "weight 0 in this model's loss."
    )
    return canvas.DrawnFigure(figure, sources.caption(text))


def terms_of(sources: Sources, dataset: str) -> list[str]:
    """The terms of the figure's models, in the order of the table of terms."""
    used = {term for model in sources.row.models for term in MODELS[sources.experiment.params(dataset, model).model]}
    return [term for term in TERMS if term in used]


def weight(sources: Sources, dataset: str, model: str, term: str) -> float:
    """Weight of a term in a run's loss."""
    run = sources.experiment.params(dataset, model)
    name = MODELS[run.model][term]
    return 1.0 if name == ONE else run.coefficients[name][0]
