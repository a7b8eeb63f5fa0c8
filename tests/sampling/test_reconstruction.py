"""Reconstructions of test images: every image once, batch normalisation in full batches, the error that the paper's loss has."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stored import write_prepared
from test_training import CPU, a_run, blobs
from torch import Tensor, nn

from pga.cli import main
from pga.data.prepared import full_batches
from pga.fingerprints.steps import reconstruction_code, sampling_code, training_code
from pga.method.losses import reconstruction
from pga.runtime.errors import UserError
from pga.runtime.files import sha256
from pga.sampling.density import batch_for
from pga.sampling.reconstruction import reconstruct
from pga.sampling.sample import load_networks
from pga.training.loop import train

RUN = a_run(steps=40, batch_size=16, train_images=60)


class Centre(nn.Module):
    """Subtracts the batch's own mean, as batch normalisation does, and remembers the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return x - x.mean(dim=0)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40])
def test_every_image_counts_once_in_full_batches(n: int) -> None:
    found = [(index, count) for index, count in full_batches(n, 16)]
    assert np.concatenate([index[:count] for index, count in found]).tolist() == list(range(n))
    assert all(len(index) == 16 and index.min() >= 0 and index.max() < n for index, _ in found)


def test_the_error_is_the_mean_over_all_images_and_values() -> None:
    images = blobs(37)
    encoder = Centre()
    beside, error = reconstruct(encoder, nn.Identity(), images, RUN, CPU, shown=5)
    x = batch_for(RUN, images, CPU).double()
    expected = torch.zeros(())
    for start in (0, 16, 32):
        batch = x[np.arange(start, start + 16) % 37]
        expected = expected + batch.mean(dim=0).square().mean() * min(16, 37 - start)
    assert error == pytest.approx(float(expected) / 37, rel=1e-6)
    assert encoder.sizes == [16, 16, 16]
    assert beside.shape == (2, 5, *images.shape[1:]) and np.array_equal(beside[0], images[:5])


def test_images_in_the_unit_range_are_measured_on_the_same_scale() -> None:
    unit = replace(RUN, network="ghosh_32_grey")
    images = np.full((16, 32, 32, 1), 255, np.uint8)
    black = nn.Flatten(2)

    class Black(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros(len(x), 1, 32, 32)

    assert reconstruct(black, Black(), images, unit, CPU)[1] == pytest.approx(4.0)  # white is 1 and black -1


def test_no_images_are_refused_by_the_runs_name() -> None:
    with pytest.raises(UserError, match="seed 3: no images to reconstruct"):
        reconstruct(Centre(), nn.Identity(), blobs(0), RUN, CPU)


def test_the_command_writes_both_and_says_the_loss_of_the_paper(tmp_path: Path) -> None:
    np.save(tmp_path / "toy.npy", blobs(60))
    np.save(tmp_path / "toy-test.npy", blobs(80)[64:])
    write_prepared(tmp_path, "toy")
    train(RUN, np.load(tmp_path / "toy.npy"), sha256(tmp_path / "toy.npy"), training_code(RUN), CPU, tmp_path / "run", tmp_path / "scratch")
    for out in ("a", "b"):
        arguments = ["--run", str(tmp_path / "run"), "--data", str(tmp_path), "--out-dir", str(tmp_path / out), "--device", "cpu"]
        assert main(["reconstruct", *arguments]) == 0
    sampled = ["sample", "--run", str(tmp_path / "run"), "--data", str(tmp_path), "--n", "8", "--batch-size", "4", "--device", "cpu"]
    assert main([*sampled, "--out", str(tmp_path / "alone.npy")]) == 0
    assert main([*sampled, "--out", str(tmp_path / "beside.npy"), "--reconstructions", str(tmp_path / "c")]) == 0
    assert (tmp_path / "alone.npy").read_bytes() == (tmp_path / "beside.npy").read_bytes()
    for file in ("reconstructions.npy", "metrics.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / "reconstructions.npy").read_bytes() == (tmp_path / "c" / "reconstructions.npy").read_bytes()
    content, beside = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in "ac")
    assert (content["code"], beside["code"]) == (reconstruction_code(RUN), sampling_code(RUN))
    assert {**content, "code": "", "checksum": ""} == {**beside, "code": "", "checksum": ""}
    metric, per_pixel = content["metrics"]
    assert per_pixel["value"] == pytest.approx(metric["value"] * (255 / 2) ** 2) and per_pixel["metric"].endswith("_255")
    run, encoder, decoder = load_networks(tmp_path / "run" / "model.safetensors", CPU)
    x = batch_for(run, np.load(tmp_path / "toy-test.npy"), CPU)
    with torch.no_grad():
        assert metric["value"] == pytest.approx(float(reconstruction(decoder(encoder(x)), x)), rel=1e-5)
    assert (content["dataset"], content["model"], content["seed"]) == ("toy", RUN.name, RUN.seed)
    assert (metric["n"], metric["reference"]) == (16, "test")
