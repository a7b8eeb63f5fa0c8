"""Figure 3: the total loss and the headline metric over training, with the spread over seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.over_training import LOSSES, metric_curve, total_loss
from pga.params.feature_spaces import TITLES

ONE_PANEL = 4.0
"""A figure no wider than this has one panel across, in inches."""
DECADES = 5
"""A scale is logarithmic where its positive values span more than this factor."""


def logarithmic(panel: Axes) -> None:
    """A logarithmic scale where all values are positive and far apart."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in panel.lines])
    values = values[~np.isnan(values)]
    if len(values) and values.min() > 0 and values.max() > DECADES * values.min():
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())


def over_seeds(series: list[pd.Series]) -> pd.DataFrame:
    """Series by step, one per seed → mean, lowest and highest value at each step; none where a seed has none."""
    table = pd.concat(series, axis=1).sort_index()
    return table.agg(["mean", "min", "max"], axis=1, skipna=False).set_axis(["mean", "low", "high"], axis=1)


def band(axes: Axes, series: list[pd.Series], line: canvas.Line, label: str, markers: bool = False, dash: object = None) -> None:
    """The mean over seeds as a line, from the lowest to the highest seed as a band around it."""
    spread = over_seeds(series)
    axes.fill_between(spread.index, spread.low, spread.high, color=line.colour, alpha=0.2, linewidth=0)
    axes.plot(
        spread.index, spread["mean"], color=line.colour, linestyle=line.dash if dash is None else dash, label=label,
        marker=line.marker if markers else None, markersize=3,
    )  # fmt: skip


def total_losses(sources: Sources, dataset: str, model: str) -> list[pd.Series]:
    """The encoder's loss plus the decoder's, by step, of each seed."""
    return [total_loss(history) for history in sources.histories(dataset, model, LOSSES)]


def distances(sources: Sources, dataset: str, model: str) -> list[pd.Series]:
    """The headline metric by step, of each seed."""
    return [metric_curve(curve, sources.experiment.evaluation.metric) for curve in sources.curves(dataset, model)]


def draw(sources: Sources) -> canvas.DrawnFigure:
    """For each data set the loss and the metric, side by side where there is room."""
    row = sources.row
    metric = TITLES[sources.experiment.evaluation.metric]
    across = 2 if row.width > ONE_PANEL else 1
    down = 2 * len(row.datasets) // across
    figure, axes = canvas.page((row.width, 2.1 * down), down, across, row.font)
    panels = [panel for beside in axes for panel in beside]
    for i, dataset in enumerate(row.datasets):
        for part, (read, markers) in enumerate([(total_losses, False), (distances, True)]):
            panel = panels[2 * i + part]
            missing = []
            for model, line in zip(row.models, canvas.LINES, strict=False):
                if series := read(sources, dataset, model):
                    band(panel, series, line, sources.model_title(model), markers)
                else:
                    missing += sources.lacks(dataset, model)
            if not panel.lines:
                canvas.empty(panel, missing)
                continue
            panel.set_title(f"{canvas.letter(2 * i + part)} {sources.dataset_title(dataset)}: {['total loss', metric][part]}", loc="left")
            panel.set_xlabel("step")
            panel.set_xlim(left=0)
            panel.xaxis.set_major_formatter(EngFormatter())
            panel.set_ylabel(["encoder's + decoder's loss", metric][part])
            logarithmic(panel)
            panel.legend(frameon=False)
    text = (
        f"{sources.lines().capitalize()}. {canvas.letter(0)} Total loss, which the paper "
        "does not define; assumed is the sum of the encoder's and the decoder's, each a mean over the steps since the last point; it jumps "
        f"where the warm-up ends and the other terms begin. {canvas.letter(1)} At every snapshot, {metric} of "
        f"{sources.experiment.samplings['prior'].n} samples. Scales are logarithmic where the values span more than a factor of {DECADES}."
    )
    return canvas.DrawnFigure(figure, sources.caption(text, measured=True))
