"""Copy what has finished of an experiment into docs/evidence.

Of each run its record, metrics, curve and first 64 samples; every table and the report, which has the figures. Weights and arrays stay
where they are.

    python docs/evidence/keep.py results/cpu results/cpu_faces
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pga.artifacts.figures.sheet import grid, tile

HERE = Path(__file__).parent
TEXTS = ("run.json", "curve.csv", "*/metrics.json")
ARTIFACTS = ("*.md", "report.html", "claims.csv", "costs.csv", "evaluation.csv", "table1.csv")
FIGURES = "figures/figure[34].png"
"""Those that README.md shows."""
QUALITY = 80
"""Of images, which would be several times as large as PNG."""


def keep(results: Path) -> int:
    """Copy what is there; returns the number of runs that have finished."""
    finished = sorted(path.parent for path in results.glob("*/*/seed*/run.json"))
    for run in finished:
        place = HERE / results.name / run.relative_to(results)
        for path in (path for pattern in TEXTS for path in run.glob(pattern)):
            (place / path.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / path.relative_to(run))
        for samples in run.glob("*/samples.npy"):
            kept = place / samples.parent.name / "samples.webp"
            kept.parent.mkdir(exist_ok=True)  # there are no metrics of them yet
            Image.fromarray(tile(grid(np.load(samples, mmap_mode="r"))).squeeze()).save(kept, quality=QUALITY)
    for path in (path for pattern in ARTIFACTS for path in results.glob(pattern)):
        (HERE / results.name / path.relative_to(results)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, HERE / results.name / path.relative_to(results))
    for path in results.glob(FIGURES):
        (HERE / results.name).mkdir(exist_ok=True)
        Image.open(path).convert("RGB").save(HERE / results.name / f"{path.stem}.webp", quality=QUALITY)
    return len(finished)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        print(f"{folder}: {keep(Path(folder))} runs have finished")
