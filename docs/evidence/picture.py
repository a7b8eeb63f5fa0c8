"""Draw the README's picture, docs/evidence/samples.webp: the first samples of LPGA, VPGA and the VAE, seed 0, on each data set.

    python docs/evidence/picture.py

It reads the results below the current folder.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pga.artifacts.figures import canvas
from pga.artifacts.figures.sheet import grid

DATASETS = {"MNIST": "results/cpu/mnist", "CIFAR-10": "results/cpu/cifar10", "Faces": "results/cpu_faces/celeba5k"}
MODELS = {"LPGA": "lpga", "VPGA": "vpga", "VAE": "vae"}
WIDTH = 2025
"""In pixels."""


def main() -> None:
    """Draw it from the results in the current folder."""
    figure, axes = canvas.page((6.75, 3.9), len(DATASETS), len(MODELS))
    for beside, (dataset, folder) in zip(axes, DATASETS.items(), strict=True):
        for panel, (model, run) in zip(beside, MODELS.items(), strict=True):
            canvas.show(panel, grid(np.load(f"{folder}/{run}/seed0/prior/samples.npy", mmap_mode="r"), 4, 8))
            panel.set_title(f"{dataset}, {model}")
    canvas.finish(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=figure.dpi)
    image = Image.open(drawn).convert("RGB")
    image.thumbnail((WIDTH, WIDTH))
    image.save(Path(__file__).with_name("samples.webp"), quality=90)


if __name__ == "__main__":
    main()
