"""A user's folder of images through the whole workflow, by the text of docs/own-data.md; only sizes are reduced."""

from __future__ import annotations

import http.server
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import RangeHandler
from dag import pga, snakemake
from PIL import Image
from sklearn.datasets import load_digits

from pga.evaluation.features.inception import network
from pga.runtime.files import read_json, sha256

TARGETS = [f"results/mycats/{file}" for file in ("table1.csv", "evaluation.csv", "claims.csv", "figures/figure2.png")]
WEIGHTS = "inception/pt_inception-2015-12-05-6726825d.pth"
SMALLER = {
    "seeds: [0, 1, 2]": "seeds: [0]\ndevice: cpu\nsamplings: {prior: {n: 8, batch_size: 4}}",
    "extractor: inception": "extractor: inception, also: [inception-pytorch_fid], weights: other, few_samples: true",
    "steps: 100000": "steps: 30, warmup_steps: 20, width: 4, latent_dim: 8, batch_size: 16, learning_rate: 0.05",
    "models: [lpga, vae]": "models: [lpga]",
    "      vae: {warmup_steps: 0, coefficients: {c: 0.011}}\n": "",
    "figures:\n": "table1:\n  columns: [{dataset: mycats, title: Cats}]\n"
    "  rows: [{title: LPGA, model: lpga}, {title: Test images, model: real}]\nfigures:\n",
}


@pytest.fixture(scope="module")
def cats(shared_project: Path) -> Path:
    """The project with a data set of one's own, as the page says."""
    folder = shared_project.parent / "cats"
    rng = np.random.default_rng(0)
    for number, digit in enumerate(load_digits().images[:30]):
        grey = np.kron(digit * 15.9, np.ones((9, 10)))[..., None]
        path = folder / ("tabby" if number % 2 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((grey * rng.uniform(0.5, 1, 3)).astype(np.uint8)).save(path)
    page = (shared_project / "docs" / "own-data.md").read_text()
    entry, experiment = re.findall(r"```yaml\n(.*?)\n   ```", page, re.S)[:2]
    text = "\n".join(line.removeprefix("   ") for line in experiment.splitlines())
    for old, new in SMALLER.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (shared_project / "params" / "mycats.yaml").write_text(text + "\n")
    datasets = shared_project / "params" / "datasets.yaml"
    datasets.write_text(datasets.read_text() + entry.removeprefix("   ").replace("/home/me/cats", str(folder)) + "\n")

    weights = shared_project / "mirror" / WEIGHTS
    weights.parent.mkdir(parents=True)
    torch.manual_seed(0)
    random = network()
    for module in random.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(random.state_dict(), weights)
    sources = shared_project / "params" / "sources.yaml"
    sources.write_text(sources.read_text().replace("value: 6726825d", f"value: {sha256(weights)}"))
    return shared_project


@pytest.fixture(scope="module")
def mirror(cats: Path) -> Iterator[str]:
    """The address of a real server that has random weights in the place of Inception's."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=str(cats / "mirror"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def made(cats: Path, mirror: str) -> Path:
    """Every step done, from the download of Inception's weights on. Few images, as each takes 0.2 s of a core."""
    snakemake(cats, *TARGETS, PGA_MIRROR=mirror)
    return cats


@pytest.mark.slow
def test_a_folder_of_images_becomes_tables_that_name_their_features(made: Path) -> None:
    about = read_json(made / "data/processed/mycats.json")
    assert (about["n_train"], about["n_test"], about["shape"], about["skipped"]) == (27, 3, [64, 64, 3], [])
    assert np.load(made / "results/mycats/mycats/lpga/seed0/prior/samples.npy").shape == (8, 64, 64, 3)
    found = read_json(made / "results/mycats/mycats/lpga/seed0/prior/metrics.json")
    weights = sha256(made / "data/raw" / WEIGHTS)
    assert [(e["name"], e["digest"]) for e in found["extractors"]] == [("inception-tf1", weights), ("inception-pytorch_fid", weights)]

    table = pd.read_csv(made / "results/mycats/table1.csv")
    assert list(zip(table.model, table.metric, strict=True)) == [("LPGA", "inception_fd"), ("Test images", "inception_fd")]
    assert table["mean"][0] == found["metrics"][0]["value"] and np.isfinite(table["mean"]).all()
    assert table["mean"][1] < table["mean"][0]  # thirty steps do not make a perfect generator
    caption = (made / "results/mycats/table1.md").read_text().split("\n\n")[-1]
    assert "other Inception features (not FID)" in caption and "Fewer samples or real images than feature dimensions" in caption
    with Image.open(made / "results/mycats/figures/figure2.png") as figure:
        assert "Fewer samples or real images than feature dimensions" in figure.info["Description"]
    everything = pd.read_csv(made / "results/mycats/evaluation.csv")
    lpga = everything[(everything.model == "lpga") & (everything["sampling"] == "prior")].set_index("extractor")
    assert lpga.metric.to_dict() == {"inception-tf1": "inception_fd", "inception-pytorch_fid": "inception_fd_pytorch_fid"}
    assert lpga["mean"]["inception-tf1"] != lpga["mean"]["inception-pytorch_fid"]
    claims = pd.read_csv(made / "results/mycats/claims.csv")
    assert set(claims.verdict) <= {"not comparable", "not run"} and claims.ours.isna().all()

    real = pga(made, "provenance", "results/mycats/mycats/real/seed0/prior/metrics.json")
    assert real.returncode == 0, real.stdout
    assert real.stdout.count("of 27 train images") == 2 and "samples: data/processed/mycats-test.npy" in real.stdout


@pytest.mark.slow
def test_what_is_made_is_left_and_a_new_image_makes_all_anew(made: Path) -> None:
    os.utime(made.parent / "cats" / "0.png")
    assert "Nothing to be done" in snakemake(made, *TARGETS).stderr
    Image.new("RGB", (80, 72)).save(made.parent / "cats" / "new.png")
    planned = snakemake(made, "-n", *TARGETS).stdout
    assert {"prepare", "train", "reference", "sample", "evaluate"} <= set(re.findall(r"^(\w+) +\d+$", planned, re.M))


@pytest.mark.slow
def test_other_weights_do_not_pass_for_fids(made: Path) -> None:
    experiment = made / "params" / "official.yaml"
    experiment.write_text((made / "params/mycats.yaml").read_text().replace("weights: other", "weights: official"))
    refused = pga(made, "collect", "--params", str(experiment), "--out", "metrics.csv")
    assert refused.returncode == 1 and not (made / "metrics.csv").exists()
    assert "metrics.json: holds inception_fd, inception_fd_pytorch_fid, the experiment's metric is fid" in refused.stderr
