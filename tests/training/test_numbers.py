"""Numbers at the edge: training on them stops with a clear cause or gives a right result, for every model."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from stored import write_prepared
from test_training import CPU, blobs
from test_training import a_run as longer_run

from pga.cli import main
from pga.method.losses import root_mean_square, scaled_latent_error
from pga.method.terms import MODELS
from pga.params.run import Run
from pga.params.sampling import Interpolation
from pga.runtime.checkpoint import load_tensors
from pga.runtime.errors import UserError
from pga.sampling.density import encode, fitted
from pga.sampling.interpolation import interpolate
from pga.sampling.reconstruction import reconstruct
from pga.sampling.sample import load_networks, sample
from pga.training.loop import train
from pga.training.trainer import Diverged, Trainer


def a_run(model: str, **changes: object) -> Run:
    return longer_run(model, **{"steps": 30, "warmup_steps": 10, **changes})


CONSTANT = np.full((60, 8, 8, 1), 200, np.uint8)


def trained(run: Run, images: np.ndarray, folder: Path) -> list[dict[str, str]]:
    """Train to the end; returns the history after seeing that all that was written is finite."""
    train(run, images, "data", "code", CPU, folder / "out", folder / "scratch", every_s=1.0)
    tensors, _ = load_tensors(folder / "out" / "model.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    with open(folder / "out" / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert all(math.isfinite(float(value)) for row in rows for value in row.values() if value)
    return rows


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_constant_images_are_learned_or_the_cause_is_named(model: str, batch_norm: bool, tmp_path: Path) -> None:
    run = a_run(model, batch_norm=batch_norm, learning_rate=0.02, steps=60)
    try:
        rows = trained(run, CONSTANT, tmp_path)
    except Diverged as error:
        stopped = str(error)
    else:
        stopped = ""
    if model == "vpga" and batch_norm:  # all codes are equal, their mean square s² falls to zero, and L_vr is divided by it
        assert "divided by the codes' mean square, which is near zero when all images of a batch are alike" in stopped
        return
    assert not stopped
    if model != "vpga":  # which without batch normalisation is thrown about by gradients divided by a small s, and stays finite
        [error] = {"r", "elbo_r", "cv_r"} & set(rows[0])
        assert float(rows[-1][error]) < 0.5 * (200 / 127.5 - 1) ** 2  # of an image in the middle of the range
    _, _, decoder = load_networks(tmp_path / "out" / "model.safetensors", CPU)
    assert np.isfinite(sample(decoder, run, 10, 10, CPU)).all()


def test_the_error_in_latent_space_is_infinite_where_all_codes_are_zero_and_training_stops_there() -> None:
    z = torch.zeros(4, 3)
    value = scaled_latent_error(torch.ones(4, 3), z, root_mean_square(z))
    assert not torch.isfinite(value) or value > 1e6
    trainer = Trainer(a_run("vpga"), blobs(), CPU)
    with pytest.raises(Diverged, match="divided by the codes' mean square"):
        trainer.check({"vr": float(value)})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("images, batch_size", [(1, 16), (100, 1)], ids=["one image", "batches of one"])
def test_one_image_at_a_time_is_refused_by_batch_normalisation_and_learned_without(
    images: int, batch_size: int, model: str, tmp_path: Path
) -> None:
    settings = dict(batch_size=batch_size, learning_rate=0.01)
    with pytest.raises(UserError, match=rf"batches of 1 image \(batch_size {batch_size}\); batch normalisation needs at least 2"):
        trained(a_run(model, **settings), blobs(images), tmp_path)
    assert not (tmp_path / "out").exists()
    run = a_run(model, batch_norm=False, **settings)
    if model == "wae":  # pairs of codes are compared
        with pytest.raises(UserError, match="the discrepancy of codes needs at least 2"):
            trained(run, blobs(images), tmp_path)
        return
    rows = trained(run, blobs(images), tmp_path)
    [error] = {"r", "elbo_r", "cv_r"} & set(rows[0])
    assert float(rows[-1][error]) < float(rows[0][error])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "changes",
    [{"latent_dim": 1, "learning_rate": 0.02}, {"batch_size": 500}, {"learning_rate": 1e-42}],
    ids=["one latent dimension", "batch of all", "denormal rate"],
)
def test_small_and_large_settings_train(changes: dict[str, float], model: str, tmp_path: Path) -> None:
    run = a_run(model, **changes)
    rows = trained(run, blobs(30), tmp_path)
    if run.learning_rate < 1e-40:  # nothing moves, and nothing breaks
        weights, _ = load_tensors(tmp_path / "out" / "model.safetensors")
        trainer = Trainer(run, blobs(30), CPU)
        start = trainer.tensors()
        moved = {f"{part}.{name}" for part in ("encoder", "decoder") for name, _ in getattr(trainer, part).named_parameters()}
        assert moved
        assert all(torch.allclose(weights[name], tensor, rtol=0, atol=1e-38) for name, tensor in start.items() if name in moved)
    assert len(rows) == run.steps


@pytest.mark.parametrize("model", ["lpga", "vae"])
def test_one_latent_dimension_serves_every_law_lines_and_reconstructions(model: str, tmp_path: Path) -> None:
    run = a_run(model, latent_dim=1, batch_norm=True)
    trained(run, blobs(), tmp_path)
    _, encoder, decoder = load_networks(tmp_path / "out" / "model.safetensors", CPU)
    codes = encode(encoder, blobs(), run, CPU).astype(np.float64)
    assert codes.shape == (96, 1)  # whole batches of 16
    for law in ("gaussian", "mixture"):
        drawn = fitted(law, codes, run, CPU, torch.float64)(20_000).numpy()
        assert drawn.shape == (20_000, 1)
        assert drawn.mean() == pytest.approx(codes.mean(), abs=5 * float(codes.std()) / 20_000**0.5)
        assert drawn.std() == pytest.approx(codes.std(), rel=0.05)
        assert sample(decoder, run, 20, 10, CPU, fitted(law, codes, run, CPU, torch.float32)).shape == (20, 8, 8, 1)
    line = Interpolation(pairs=2, points=3, batch_size=4)
    assert interpolate(encoder, decoder, run, blobs(20), line, CPU).shape == (2, 5, 8, 8, 1)
    beside, error = reconstruct(encoder, decoder, blobs(1), run, CPU)  # one image fills a batch of 16
    assert beside.shape == (2, 1, 8, 8, 1) and 0 < error < 4


def test_a_perturbation_too_small_for_the_arithmetic_is_named(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"stopped at step 11: term nll_theta .* is (nan|-?inf), .*logarithm of a change of h"):
        trained(a_run("lpga", epsilon=1e-42), blobs(), tmp_path)


def test_a_value_that_is_only_looked_at_and_not_finite_is_absent_from_the_history(tmp_path: Path) -> None:
    rows = trained(a_run("lpga", epsilon=1e-42, warmup_steps=100), blobs(), tmp_path)  # the term is never switched on
    assert all(row["nll_theta"] == "" and float(row["r"]) > 0 for row in rows)


@pytest.mark.parametrize("factor", [100, 1e6])
@pytest.mark.parametrize("model", MODELS)
def test_a_rate_far_too_high_ends_finite_or_names_the_cause(factor: float, model: str, tmp_path: Path) -> None:
    run = a_run(model, learning_rate=0.05 * factor)
    try:
        trained(run, blobs(), tmp_path)
    except Diverged as error:
        stopped = str(error)
        assert not (tmp_path / "out").exists()
    else:
        return  # whatever it learned, all that it wrote is finite
    assert "stopped at step" in stopped and f"learning_rate (now {0.05 * factor:g})" in stopped


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e-42], ids=["NaN", "infinity", "denormal"])
def test_data_that_are_no_bytes_are_refused(value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = blobs(30).astype(np.float32)
    images[3, 2, 1, 0] = value
    np.save(tmp_path / "digits.npy", images)
    write_prepared(tmp_path, "digits")
    run = ["--params", "params/quick.yaml", "--dataset", "digits", "--model", "lpga", "--seed", "0", "--data", str(tmp_path)]
    assert main(["train", *run, "--out", str(tmp_path / "out")]) == 1
    assert "digits.npy: found float32 of shape (30, 8, 8, 1); images are uint8" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
