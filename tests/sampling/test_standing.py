"""Standing statistics of batch normalisation: what they are, and that images no longer depend on their batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import CPU, a_run
from torch import nn

from pga.cli import main
from pga.fingerprints.steps import training_code
from pga.networks.autoencoder import Decoder, batch_norm
from pga.networks.build import build
from pga.params.experiment import load_experiment
from pga.runtime.errors import UserError
from pga.sampling.standing_statistics import by_the_batch, standing
from pga.training.loop import train


def codes(seed: int = 0, offset: float = 0.0):
    generator = torch.Generator().manual_seed(seed)
    return lambda n: torch.randn(n, 4, generator=generator) + offset


def test_they_are_the_mean_and_variance_of_all_batches_together() -> None:
    decoder = Decoder([nn.Identity(), *batch_norm(nn.BatchNorm1d, 4, True)]).eval()
    fixed = standing(decoder, codes(offset=3.0), batches=5, batch_size=20)
    draw = codes(offset=3.0)
    z = torch.cat([draw(20) for _ in range(5)])
    [layer] = [layer for layer in fixed.modules() if isinstance(layer, nn.BatchNorm1d)]
    torch.testing.assert_close(layer.running_mean, z.mean(dim=0))
    torch.testing.assert_close(layer.running_var, z.var(dim=0, unbiased=False))
    torch.testing.assert_close(fixed(z), (z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + layer.eps).sqrt())


@pytest.mark.parametrize("network, layers", [("dense_8", 1), ("conv_32", 1), ("resnet_8", 2)])
def test_an_image_no_longer_depends_on_its_batch_and_the_decoder_is_left_alone(network: str, layers: int) -> None:
    _, decoder = build(network, 4, 4, use_bn=True, sigma_head=False, seed=0)
    decoder.eval()
    z = codes(1)(6)
    with torch.no_grad():
        before = decoder(z)
        assert not torch.allclose(decoder(z[:3]), before[:3], atol=1e-3)  # the batch's own statistics
        fixed = standing(decoder, codes(), batches=8, batch_size=50)
        assert torch.equal(decoder(z), before)
        torch.testing.assert_close(fixed(z[:3]), fixed(z)[:3])
        big = codes(2)(2000)
        torch.testing.assert_close(fixed(big), decoder(big), atol=0.1, rtol=0.1)  # a big batch has nearly these statistics
    assert len(by_the_batch(decoder)) >= layers and by_the_batch(fixed) == []


@pytest.mark.parametrize("network, use_bn", [("dense_8", False), ("ghosh_32_grey", True)])
def test_networks_without_batch_statistics_are_refused(network: str, use_bn: bool) -> None:
    _, decoder = build(network, 4, 4, use_bn=use_bn, sigma_head=False, seed=0)
    with pytest.raises(UserError, match="does not normalise by the batch in hand"):
        standing(decoder, codes(), 2, 4)


STANDING, SPACE = "  prior_standing: {n: 5000, batch_size: 1000, batch_norm: standing}\n", "  extractor: classifier\n"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("        samplings: [prior, prior_test, prior_standing]\n", "        samplings: [prior, nosuch]\n", "nosuch"),
        ("batch_norm: [true, inferred]\n        steps", "batch_norm: [false, inferred]\n        steps", "do not normalise by the batch"),
        (STANDING, STANDING.replace("batch_norm: standing", "batch_norm: standing, density: mixture"), "need density: normal"),
        (SPACE, f"{SPACE}  also: [inception-tf1]\n", "at least 8192 samples"),
        (SPACE, f"{SPACE}  also: [classifier]\n", "holds a feature space twice, or the headline's"),
        (SPACE, f"{SPACE}  foreign: {{digits/classifier-train: r.npz}}\n", "which need our own features"),
        (SPACE, f"{SPACE}  foreign: {{mnist/classifier-train: r.npz}}\n", "no data set and feature space"),
        ("      lpga:\n", "      real: {model: lpga, coefficients: {gamma: [1, code]}}\n      lpga:\n", "is taken by the real images"),
    ],
)
def test_what_would_fail_after_training_is_refused_before(old: str, new: str, message: str, root: Path, tmp_path: Path) -> None:
    text = (root / "params/quick.yaml").read_text()
    assert old in text
    (tmp_path / "quick.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        load_experiment(tmp_path / "quick.yaml")


def test_the_command_samples_with_them_and_says_no_where_it_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (130, 8, 8, 1), np.uint8)
    for use_bn in (True, False):
        run = a_run(batch_norm=use_bn, steps=3, batch_size=16, train_images=100)
        train(run, images, "data", training_code(run), CPU, tmp_path / str(use_bn), tmp_path / f"scratch{use_bn}")
    flags = ["--n", "30", "--batch-size", "30", "--batch-norm", "standing", "--standing-batches", "3", "--device", "cpu"]
    for name in ("a.npy", "b.npy"):
        assert main(["sample", "--run", str(tmp_path / "True"), "--out", str(tmp_path / name), *flags]) == 0
    assert main(["sample", "--run", str(tmp_path / "True"), "--out", str(tmp_path / "batch.npy"), *flags[:4], "--device", "cpu"]) == 0
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert not np.array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "batch.npy"))
    assert main(["sample", "--run", str(tmp_path / "False"), "--out", str(tmp_path / "c.npy"), *flags]) == 1
    assert "does not normalise by the batch in hand" in capsys.readouterr().err and not (tmp_path / "c.npy").exists()
