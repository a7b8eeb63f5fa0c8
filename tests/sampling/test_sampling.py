"""Sampling from a real, tiny training run: seeds, sizes, and codes from the law that was asked for."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stored import write_prepared
from test_training import CPU, a_run, blobs
from torch import Tensor, nn

from pga.cli import main
from pga.data.pixels import truncate_to_uint8
from pga.fingerprints.steps import training_code
from pga.networks.autoencoder import Decoder, Encoder
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.files import sha256
from pga.sampling import density
from pga.sampling.sample import load_networks, load_snapshots, sample
from pga.training.loop import train
from pga.training.trainer import Trainer

DENSITIES = ("normal", "gaussian", "mixture")
RUN = a_run(steps=60, batch_size=16, train_images=100, snapshots=1)


def prepare(folder: Path, images: np.ndarray) -> None:
    """`images` as the prepared data set `toy`."""
    np.save(folder / "toy.npy", images)
    write_prepared(folder, "toy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run in `run`, and the data set that it was trained on."""
    folder = tmp_path_factory.mktemp("sampling")
    prepare(folder, blobs(120))
    train(RUN, np.load(folder / "toy.npy"), sha256(folder / "toy.npy"), training_code(RUN), CPU, folder / "run", folder / "scratch")
    return folder


@pytest.fixture
def networks(folder: Path) -> tuple[Run, Encoder, Decoder]:
    return load_networks(folder / "run" / "model.safetensors", CPU)


def command(folder: Path, out: Path, *more: str, run: str = "run") -> int:
    return main(["sample", "--run", str(folder / run), "--data", str(folder), "--out", str(out), "--device", "cpu", *more])


class Seen(nn.Module):
    """A decoder that keeps the codes that it is given and makes an image of each."""

    def __init__(self, value: float = 0.0):
        super().__init__()
        self.codes: list[Tensor] = []
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, z: Tensor) -> Tensor:
        self.codes.append(z)
        return self.value.expand(len(z), 1, 8, 8)


@pytest.mark.parametrize("law", DENSITIES)
def test_the_same_command_gives_the_same_bytes_whatever_was_drawn_before(law: str, folder: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("one.npy", "two.npy")):
        torch.manual_seed(number)
        np.random.seed(number)
        assert command(folder, tmp_path / name, "--n", "50", "--batch-size", "20", "--density", law) == 0
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()


def test_sampling_does_not_move_the_random_numbers_of_others(networks: tuple[Run, Encoder, Decoder]) -> None:
    run, _, decoder = networks
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sample(decoder, run, 20, 10, CPU)
    density.fitted("mixture", np.random.default_rng(0).normal(size=(50, 4)), run, CPU, torch.float32)(10)
    assert torch.equal(torch.rand(3), expected)


def test_other_seeds_and_other_laws_give_other_samples(networks: tuple[Run, Encoder, Decoder], folder: Path, tmp_path: Path) -> None:
    run, _, decoder = networks
    assert not np.array_equal(sample(decoder, run, 20, 20, CPU), sample(decoder, replace(run, seed=run.seed + 1), 20, 20, CPU))
    found = []
    for law in DENSITIES:
        assert command(folder, tmp_path / f"{law}.npy", "--n", "20", "--batch-size", "20", "--density", law) == 0
        found.append((tmp_path / f"{law}.npy").read_bytes())
    assert len(set(found)) == 3


def test_pictures_show_the_same_images_as_the_array(folder: Path, tmp_path: Path) -> None:
    for out in ("samples.npy", "sheet.png", "each"):
        assert command(folder, tmp_path / out, "--n", "5", "--batch-size", "16") == 0
    images = np.load(tmp_path / "samples.npy")[..., 0]
    assert [path.name for path in sorted((tmp_path / "each").iterdir())] == [f"{number:05d}.png" for number in range(5)]
    assert all(np.array_equal(np.asarray(Image.open(tmp_path / f"each/{number:05d}.png")), images[number]) for number in range(5))
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))  # two rows of three, white lines between and a white place at the end
    assert sheet.shape == (17, 26) and np.array_equal(sheet[9:, 9:17], images[4]) and (sheet[9:, 18:] == 255).all()


@pytest.mark.parametrize("n, batch_size", [(1, 2), (16, 16), (17, 16)])
def test_n_images_from_full_batches(n: int, batch_size: int, folder: Path, tmp_path: Path) -> None:
    assert command(folder, tmp_path / "samples.npy", "--n", str(n), "--batch-size", str(batch_size)) == 0
    images = np.load(tmp_path / "samples.npy", allow_pickle=False)
    assert images.dtype == np.uint8 and images.shape == (n, 8, 8, 1)
    decoder = Seen()
    assert sample(decoder, RUN, n, batch_size, CPU).shape == (n, 8, 8, 1)
    assert [len(codes) for codes in decoder.codes] == [batch_size] * -(-n // batch_size)


def test_images_are_the_decoders_of_codes_drawn_batch_by_batch(networks: tuple[Run, Encoder, Decoder]) -> None:
    run, _, decoder = networks
    draw = density.prior(run, CPU, torch.float32)
    with torch.inference_mode():
        expected = np.concatenate([truncate_to_uint8(decoder(draw(16))) for _ in range(3)])[:40]
    found = sample(decoder, run, 40, 16, CPU)
    assert np.array_equal(found, expected)
    assert len(np.unique(found.reshape(40, -1), axis=0)) == 40  # no batch repeats another
    # the batch's own statistics normalise: its size matters
    assert run.batch_norm and not np.array_equal(sample(decoder, run, 40, 20, CPU), expected)


def test_networks_read_from_disk_are_the_trained_ones(networks: tuple[Run, Encoder, Decoder]) -> None:
    run, encoder, decoder = networks
    trainer = Trainer(RUN, blobs(120), CPU)
    while trainer.step < RUN.steps:
        trainer.advance()
    assert run == RUN
    for ours, theirs in ((encoder, trainer.encoder), (decoder, trainer.decoder)):
        found, expected = ours.state_dict(), theirs.state_dict()
        assert list(found) == list(expected) and all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_values_are_truncated_to_grey_levels() -> None:
    values = torch.tensor([0.0, 0.999 / 255, 1.001 / 255, 0.5, 1.0]).reshape(1, 1, 1, 5)
    assert truncate_to_uint8(values, unit=True).ravel().tolist() == [0, 0, 1, 127, 255]
    assert truncate_to_uint8(2 * values - 1).ravel().tolist() == [0, 0, 1, 127, 255]


def test_channels_come_last() -> None:
    x = torch.stack([torch.full((4, 5), -1.0), torch.zeros(4, 5), torch.ones(4, 5)])[None]
    images = truncate_to_uint8(x)
    assert images.shape == (1, 4, 5, 3)
    assert (images == np.array([0, 127, 255], np.uint8)).all()


def test_a_decoder_that_makes_nan_is_refused() -> None:
    with pytest.raises(UserError, match="toy/lpga, seed 3: the decoder makes non-finite images"):
        sample(Seen(float("nan")), RUN, 5, 5, CPU)


def moments(draw: density.Draw, n: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    codes = np.concatenate([draw(n // 4).numpy() for _ in range(4)]).astype(np.float64)
    return codes.mean(axis=0), np.cov(codes, rowvar=False)


def test_the_prior_is_standard_normal_and_the_law_by_default() -> None:
    mean, covariance = moments(density.prior(RUN, CPU, torch.float32))
    np.testing.assert_allclose(mean, np.zeros(4), atol=5 / np.sqrt(40_000))
    np.testing.assert_allclose(covariance, np.eye(4), atol=5 * np.sqrt(2 / 40_000))
    decoder = Seen()
    sample(decoder, RUN, 50, 25, CPU)
    draw = density.prior(RUN, CPU, torch.float32)
    assert torch.equal(torch.stack(decoder.codes), torch.stack([draw(25), draw(25)]))


def test_the_gaussian_has_the_mean_and_covariance_of_the_codes() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)) + np.array([3.0, 0.0, -50.0, 0.1])
    mean, covariance = moments(density.fitted("gaussian", codes, RUN, CPU, torch.float64))
    deviations = codes.std(axis=0)
    np.testing.assert_allclose(mean / deviations, codes.mean(axis=0) / deviations, atol=5 / np.sqrt(40_000))
    scale = np.outer(deviations, deviations)
    np.testing.assert_allclose(covariance / scale, np.cov(codes.T, bias=True) / scale, atol=5 * np.sqrt(2 / 40_000))
    assert np.abs(covariance / scale - np.eye(4)).max() > 0.3  # so that variances alone would not do


def test_the_mixture_has_the_ten_components_of_the_codes() -> None:
    rng = np.random.default_rng(1)
    centres = 60 * np.stack(
        [np.cos(np.arange(10) * 0.2 * np.pi), np.sin(np.arange(10) * 0.2 * np.pi), np.arange(10) % 3, np.arange(10) % 4], 1
    )
    sizes = np.array([100, 200, 300, 400, 500, 100, 200, 300, 400, 500])
    shapes = rng.normal(size=(10, 4, 4))
    codes = np.concatenate([rng.normal(size=(n, 4)) @ shape.T + centre for n, shape, centre in zip(sizes, shapes, centres, strict=True)])
    drawn = density.fitted("mixture", codes, RUN, CPU, torch.float64)(60_000).numpy()
    nearest = np.linalg.norm(drawn[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_allclose(np.bincount(nearest, minlength=10) / 60_000, sizes / sizes.sum(), atol=0.01)
    own = np.repeat(np.arange(10), sizes)
    for k in range(10):
        part, ours = codes[own == k], drawn[nearest == k]
        assert np.linalg.norm(ours.mean(axis=0) - part.mean(axis=0)) < 0.1 * np.linalg.norm(part.std(axis=0))
        expected = np.cov(part.T, bias=True)
        assert np.linalg.norm(np.cov(ours.T) - expected) < 0.1 * np.linalg.norm(expected)


def test_codes_are_those_of_the_training_images_in_whole_batches(networks: tuple[Run, Encoder, Decoder], folder: Path) -> None:
    run, encoder, _ = networks
    images = np.load(folder / "toy.npy")
    found = density.encode(encoder, images, run, CPU)
    x = torch.from_numpy(images[:96]).permute(0, 3, 1, 2).float() / 127.5 - 1  # 100 training images hold six batches of 16
    with torch.inference_mode():
        expected = torch.cat([encoder(batch) for batch in x.split(16)]).numpy()
    assert np.array_equal(found, expected)
    changed = images.copy()
    changed[100:] = 0  # not trained on
    assert np.array_equal(density.encode(encoder, changed, run, CPU), found)
    changed[0] = 255
    assert not np.array_equal(density.encode(encoder, changed, run, CPU), found)


def test_codes_that_are_not_finite_are_refused_by_the_runs_name(networks: tuple[Run, Encoder, Decoder], folder: Path) -> None:
    run, encoder, _ = networks
    broken = copy.deepcopy(encoder)
    with torch.no_grad():
        broken.mean.bias.fill_(torch.inf)
    with pytest.raises(UserError, match=f"{run.dataset}/{run.name}, seed {run.seed}: its codes of training images are not all finite"):
        density.encode(broken, np.load(folder / "toy.npy"), run, CPU)


@pytest.mark.parametrize("network, low", [("dense_8", -1.0), ("ghosh_32_grey", 0.0)])
def test_images_reach_the_encoder_in_the_range_of_its_network(network: str, low: float) -> None:
    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    assert density.batch_for(replace(RUN, network=network), images, CPU).flatten().tolist() == [low, 1.0]
    x = density.batch_for(replace(RUN, precision="float64"), images, CPU)
    assert x.dtype == torch.float64 and x.shape == (2, 1, 1, 1)


def test_a_fitted_law_is_fitted_to_the_codes_of_the_run(networks: tuple[Run, Encoder, Decoder], folder: Path, tmp_path: Path) -> None:
    run, encoder, decoder = networks
    codes = density.encode(encoder, np.load(folder / "toy.npy"), run, CPU)
    draw = density.fitted("gaussian", codes, run, CPU, torch.float32)
    expected = sample(decoder, run, 30, 30, CPU, draw)
    assert command(folder, tmp_path / "samples.npy", "--n", "30", "--batch-size", "30", "--density", "gaussian") == 0
    assert np.array_equal(np.load(tmp_path / "samples.npy"), expected)


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *more: str, run: str = "run") -> str:
    """The message with which the command refuses; nothing is written."""
    out = folder / "refused.npy"
    assert command(folder, out, "--n", "10", "--batch-size", "10", *more, run=run) == 1
    assert not out.exists()
    return capsys.readouterr().err


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A folder beside the trained run's, to change things in."""
    prepare(tmp_path, blobs(120))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_bytes((folder / "run" / "model.safetensors").read_bytes())
    return tmp_path


def test_a_fitted_law_without_the_training_data_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "toy.npy").unlink()
    assert "toy.npy: no such file" in refused(copied, capsys, "--density", "gaussian")
    assert command(copied, copied / "samples.npy", "--n", "10") == 0  # the prior needs no data


@pytest.mark.parametrize("law, changes, message", [
    ("gaussian", {"batch_size": 500}, "toy/lpga: 100 training images make no whole batch of 500"),
    ("mixture", {"batch_size": 8, "train_images": 9}, "toy/lpga: 8 codes are too few to fit 10 Gaussians"),
])  # fmt: skip
def test_too_few_codes_for_a_fitted_law_are_refused(
    law: str, changes: dict[str, int], message: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = replace(RUN, steps=2, **changes)
    train(run, blobs(120), "data", training_code(run), CPU, copied / "few", copied / "scratch")
    capsys.readouterr()
    assert message in refused(copied, capsys, "--density", law, run="few")


@pytest.mark.parametrize("more", [["--n", "0"], ["--n", "-3"], ["--batch-size", "1"], ["--batch-size", "0"]], ids=" ".join)
def test_numbers_that_make_no_batch_are_refused(more: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(folder, capsys, *more)
    assert " ".join(more) in message and "at least" in message


def test_snapshots_in_place_of_a_model_are_refused_and_the_reverse(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "snapshots.safetensors: snapshots of a run, which" in refused(folder, capsys, run="run/snapshots.safetensors")
    with pytest.raises(UserError, match="model.safetensors: not snapshots of a run"):
        load_snapshots(folder / "run" / "model.safetensors", CPU)
