"""docs/extending.md: everything on the page, added to a copy of the project as it is printed, in an experiment that runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dag import snakemake, write_only
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:python|yaml)\n# (\S+?)(?:, (at the top|in \w+))?\n(.*?)```", PAGE, re.S)


def add(project: Path, file: str, place: str, text: str) -> None:
    """Put a block of the page where its first line says."""
    path = project / file
    before = path.read_text(encoding="utf-8") if place else ""
    assert path.exists() == bool(place), f"{file}: new files are whole, rows go into files that there are"
    if place.startswith("in "):
        [opening] = re.findall(rf"^{place[3:]}:.*\n", before, re.M)
        text = before.replace(opening, opening + text)
    elif place:
        first = "from __future__ import annotations\n\n"
        text = before.replace(first, first + text)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def extended(shared_project: Path) -> Path:
    """A project in which the page has been followed."""
    for file, place, text in BLOCKS:
        add(shared_project, file, place, text)
    mine = (shared_project / "params/mine.yaml").read_text(encoding="utf-8")
    write_only(shared_project, "mine", mine, "paper")
    snakemake(shared_project, *re.findall(r"^snakemake --cores 2 (\w+)$", PAGE, re.M))
    return shared_project


def test_each_addition_is_one_file_or_two() -> None:
    for section in PAGE.split("\n## ")[1:]:
        files = {file for file, place, text in BLOCKS if text in section}
        assert len(files) <= 2 + ("params/datasets.yaml" in files), section.splitlines()[0]


@pytest.mark.slow
def test_what_was_added_is_measured_shown_and_trained(extended: Path) -> None:
    results = extended / "results/mine"
    images = np.load(extended / "data/processed/squares.npy")
    assert images.shape == (400, 8, 8, 1) and set(images.sum(axis=(1, 2, 3))) == {9 * 255}
    evaluation = pd.read_csv(results / "evaluation.csv")
    contrast = evaluation[(evaluation.metric == "contrast") & (evaluation["sampling"] == "prior")].set_index("model")["mean"]
    samples = [np.load(results / f"squares/lpga/seed{seed}/prior/samples.npy") for seed in (0, 1)]
    assert contrast["lpga"] == pytest.approx(np.mean([array.reshape(300, -1).std(axis=1).mean() for array in samples]))
    spread = pd.read_csv(results / "spread.csv")
    assert list(spread.model) == ["lpga", "lpga_between"] and (spread["min"] < spread["max"]).all()
    with Image.open(results / "figures/pixels.png") as figure:
        assert figure.info["Description"] == "Values of the samples' pixels, seed 0."
    history = pd.read_csv(results / "squares/lpga_between/seed0/history.csv")
    assert history["lr_between"].iloc[-1] > 0 and np.isfinite(history["lr_between"]).all()
    page = (results / "report.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in page for name in ("spread", "pixels", "squares-lpga_between-seed1"))
    assert "contrast" in (results / "evaluation.md").read_text(encoding="utf-8").lower()
