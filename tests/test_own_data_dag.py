"""A user's folder of images through the whole workflow, by the text of docs/own-data.md; only sizes are reduced."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from pga.features.inception import network
from pga.files import read_json

TARGETS = ["results/mycats/table1.csv", "results/mycats/figures/figure2.png"]
SMALLER = {
    "seeds: [0, 1, 2]": "seeds: [0]\ndevice: cpu",
    "extractor: inception": "extractor: inception\n  weights: other",
    "n: 5000, batch_size: 1000": "n: 2049, batch_size: 683",  # more than Inception's 2,048 features
    "width: [64,": "width: [4,",
    "latent_dim: [128,": "latent_dim: [8,",
    "batch_size: [64,": "batch_size: [16,",
    "learning_rate: [0.4,": "learning_rate: [0.05,",
    "steps: [100000,": "steps: [30,",
    "warmup_steps: [3000,": "warmup_steps: [20,",
    "[{title: VAE, model: vae}, {title: LPGA, model: lpga}]": "[{title: LPGA, model: lpga}]",
    "models: [lpga, vae]": "models: [lpga]",
}


@pytest.fixture(scope="module")
def cats(shared_project: Path) -> Path:
    """The project with a data set of one's own, as the page says."""
    folder = shared_project.parent / "cats"
    rng = np.random.default_rng(0)
    for number, digit in enumerate(load_digits().images[:60]):
        grey = np.kron(digit * 15.9, np.ones((9, 10)))[..., None]
        path = folder / ("tabby" if number % 2 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((grey * rng.uniform(0.5, 1, 3)).astype(np.uint8)).save(path)
    page = (shared_project / "docs" / "own-data.md").read_text()
    entry, scale = re.findall(r"```yaml\n(.*?)\n   ```", page, re.S)[:2]
    text = "\n".join(line.removeprefix("   ") for line in scale.splitlines())
    for old, new in SMALLER.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (shared_project / "params" / "mycats.yaml").write_text(text + "\n")
    datasets = shared_project / "params" / "datasets.yaml"
    datasets.write_text(datasets.read_text() + entry.removeprefix("   ").replace("/home/me/cats", str(folder)) + "\n")

    torch.manual_seed(0)
    (shared_project / "mirror" / "inception").mkdir(parents=True)
    torch.save(network().state_dict(), shared_project / "mirror/inception/pt_inception-2015-12-05-6726825d.pth")
    pinned = hashlib.sha256((shared_project / "mirror/inception/pt_inception-2015-12-05-6726825d.pth").read_bytes()).hexdigest()
    sources = shared_project / "params" / "sources.yaml"
    sources.write_text(sources.read_text().replace("value: 6726825d", f"value: {pinned}"))
    return shared_project


def snakemake(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(project), "PGA_MIRROR": str(project / "mirror")}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_a_folder_of_images_runs_up_to_its_samples_and_statistics_and_the_rest_is_planned(cats: Path) -> None:
    """Inception takes 0.2 s of a core per image and needs more samples than features, so that the last steps stay a plan here."""
    made = ["results/mycats/mycats/lpga/seed0/prior/samples.npy", "data/reference/mycats/inception-tf1-train.npz"]
    done = snakemake(cats, *made)
    assert done.returncode == 0, done.stderr[-4000:]
    about = read_json(cats / "data/processed/mycats.json")
    assert (about["n_train"], about["n_test"], about["shape"], about["skipped"]) == (54, 6, [64, 64, 3], [])
    assert np.load(cats / made[0]).shape == (2049, 64, 64, 3)
    with np.load(cats / made[1]) as statistics:
        assert statistics["sigma"].shape == (2048, 2048) and np.isfinite(statistics["sigma"]).all()
    assert "Nothing to be done" in snakemake(cats, *made).stderr
    assert planned(cats) == {"evaluate": 1, "collect_shown": 1, "table1": 1, "figure": 1}
    Image.new("RGB", (80, 72)).save(cats.parent / "cats" / "new.png")
    assert {"prepare", "train", "reference", "sample"} <= planned(cats).keys()


def planned(project: Path) -> dict[str, int]:
    """Rule → number of jobs that a dry run lists."""
    done = snakemake(project, "-n", *TARGETS)
    found = re.search(r"Job stats:\n.*?\n-+.*?\n(.*?)total", done.stdout + done.stderr, re.S)
    assert found, done.stderr
    return {line.split()[0]: int(line.split()[1]) for line in found[1].splitlines() if line.strip()}
