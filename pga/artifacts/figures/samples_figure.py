"""Panels of samples (Figures 2 and 4 to 6): the first samples of the first seed, never picked."""

from __future__ import annotations

import math

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.figures.sheet import grid
from pga.artifacts.tables.intervals import mean_and_error
from pga.params.feature_spaces import TITLES
from pga.params.titles import short_metric_title

ROWS, COLUMNS = 8, 8
PANEL = 2.6
"""Width of a panel in inches, at most."""
NARROWEST = 1.6
"""In inches: above narrower panels their titles would touch."""
SHORT = 4
"""Letters of a metric's name that has room on a line with its value, at most."""


def draw(sources: Sources) -> canvas.DrawnFigure:
    """A grid of panels, data sets down and models across, in as many lines of equal length as they need."""
    row, experiment = sources.row, sources.experiment
    lines = math.ceil(len(row.models) / int(row.width / NARROWEST))
    across, down = math.ceil(len(row.models) / lines), lines * len(row.datasets)
    size = min(PANEL, row.width / across)
    metric = short_metric_title(experiment.evaluation.metric)
    beside = " " if len(metric) <= SHORT else "\n"
    title = 0.4 + 0.15 * (bool(row.against) + (beside == "\n"))
    figure, places = canvas.page((row.width, (size + title) * down), down, across, row.font)
    differences: list[str] = []
    axes = [[panel for line in places[lines * i : lines * (i + 1)] for panel in line] for i in range(len(row.datasets))]
    for i, dataset in enumerate(row.datasets):
        for panel in axes[i][len(row.models) :]:
            panel.set_axis_off()
        for j, model in enumerate(row.models):
            cell = sources.cell(dataset, model)
            samples = sources.images(dataset, model)
            if samples is None:
                canvas.empty(axes[i][j], sources.lacks(dataset, model))
                axes[i][j].set_box_aspect(1)
            else:
                canvas.show(axes[i][j], grid(samples, ROWS, COLUMNS))
            seeds = f" (n = {cell.n})" if cell.n else ""
            number = f"\n{metric}{beside}{cell.text()}{seeds}" if experiment.datasets[dataset].measured else ""
            letter = canvas.letter(i * len(row.models) + j)
            shown = f"{sources.dataset_title(dataset)}, {sources.model_title(model)}"
            if number and (difference := paired_difference(sources, dataset, model)):
                differences.append(f"{shown}: {difference}")
                number += f"\nΔ {difference}"
            axes[i][j].set_title(f"{letter} {shown}{number}")
    several = any(len(experiment.seeds_of(*run)) > 1 for run in row.runs())
    text = (
        f"The first {ROWS * COLUMNS} samples of {sources.first_seeds()}, not picked. Numbers: {TITLES[experiment.evaluation.metric]} of "
        f"{experiment.samplings[row.sampling].n} samples, {'mean ± standard error over n of' if several else 'of'} {sources.seeds()}."
    )
    if row.against:
        text += f" Δ: difference from {sources.model_title(row.against)} of runs with one seed, mean ± standard error over these pairs"
        text += f" ({'; '.join(differences)})." if differences else "."
    return canvas.DrawnFigure(figure, sources.caption(text, measured=True))


def paired_difference(sources: Sources, dataset: str, model: str) -> str:
    """How far the run is from the one that it is compared with, seed by seed; empty if it is with none."""
    against = sources.row.against
    if against is None or model == against:
        return ""
    other = dict(sources.cell(dataset, against).values)
    mean, error = mean_and_error([value - other[seed] for seed, value in sources.cell(dataset, model).values if seed in other])
    if mean is None:
        return "missing"
    return f"{mean:+.2f}".replace("-", "−") + (f" ± {error:.2f}" if error is not None else "")
