"""Panels of samples (Figures 2 and 4 to 6): the first samples of the first seed, never picked."""

from __future__ import annotations

import json
import math
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pga.dataset import Images, load_images
from pga.figures import canvas
from pga.files import read_json
from pga.params.scale import Scale
from pga.params.shown import Panels
from pga.tables.summary import TITLES, summarise

ROWS, COLUMNS = 8, 8


def grid(images: Images, rows: int = ROWS, columns: int = COLUMNS, gap: int = 1) -> Images:
    """The first rows × columns images as one, white lines of `gap` pixels between; (H, W, C) uint8."""
    n, height, width, channels = images.shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for k in range(min(n, rows * columns)):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = images[k]
    return sheet


PANEL = 1.75
"""Width of a panel in inches."""


def draw(scale: Scale, panels: Panels, metrics: pd.DataFrame) -> tuple[Figure, str]:
    """A grid of panels, data sets down and models across, and what the file's metadata says of it."""
    canvas.style()
    across, down = len(panels.models), len(panels.datasets)
    figure = Figure(figsize=(PANEL * across, (PANEL + 0.4) * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    seed = scale.seeds[0]
    titles = {(row.model, row.sampling): row.title for row in scale.table1.rows}
    columns = {column.dataset: column.title for column in scale.table1.columns}
    runs = {}
    largest = 1
    for i, dataset in enumerate(panels.datasets):
        for j, model in enumerate(panels.models):
            folder = Path(scale.results, dataset, model, f"seed{seed}")
            sheet = grid(load_images(folder / panels.sampling / "samples.npy"))
            largest = max(largest, *sheet.shape[:2])
            colour = {"cmap": "gray", "vmin": 0, "vmax": 255} if sheet.shape[-1] == 1 else {}
            axes[i, j].imshow(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet, interpolation="nearest", **colour)
            axes[i, j].set_axis_off()
            cell = summarise(metrics, dataset, model, panels.sampling, scale.evaluation.metric, scale.seeds)
            title = titles.get((model, panels.sampling), model.upper())
            axes[i, j].set_title(f"{columns.get(dataset, dataset)}, {title}\n{cell.text()} (n = {cell.n})")
            runs[f"{dataset}/{model}/seed{seed}"] = {key: read_json(folder / "run.json")[key] for key in ("digest", "git", "data_sha256")}
    caption = (
        f"The first {ROWS * COLUMNS} samples of seed {seed}, not picked. "
        f"Numbers: {TITLES[scale.evaluation.metric]}, mean ± standard error over seeds."
    )
    figure.supxlabel(textwrap.fill(caption, int(20 * PANEL * across)), fontsize=7)
    figure.set_dpi(300 * math.ceil(1.2 * largest / (0.9 * 300 * PANEL)))  # every pixel of a sheet has at least one dot
    return figure, json.dumps({"scale": scale.description, "runs": runs}, sort_keys=True)
