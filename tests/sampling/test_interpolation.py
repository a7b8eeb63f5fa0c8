"""Interpolations: the test images at the ends, the decoder's images of a straight line of codes between, pairs from the seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stored import write_prepared
from test_training import CPU, a_run

from pga.cli import main
from pga.params.run import Run
from pga.params.sampling import Interpolation
from pga.runtime.checkpoint import save_tensors
from pga.runtime.errors import UserError
from pga.sampling.density import batch_for
from pga.sampling.interpolation import interpolate
from pga.training.weights import build_run

RUN = a_run(network="conv_8", batch_norm=True, width=4, latent_dim=5)
IMAGES = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 1), np.uint8)
LINE = Interpolation(pairs=3, points=4, batch_size=20)


def lines(run: Run = RUN, line: Interpolation = LINE, images: np.ndarray = IMAGES) -> np.ndarray:
    return interpolate(*build_run(run, 0), run, images, line, CPU)


def where(image: np.ndarray) -> int:
    """Which of the test images this is."""
    [found] = np.flatnonzero((image == IMAGES).all(axis=(1, 2, 3)))
    return int(found)


def test_ends_are_distinct_test_images_and_the_points_lie_on_the_line_between_their_codes() -> None:
    # With every line in the batch, all ends are known, and a literal version can follow: one code and one point at a time.
    found = lines(line=Interpolation(pairs=20, points=4, batch_size=20))
    assert found.shape == (20, 6, 8, 8, 1) and found.dtype == np.uint8
    starts, ends = ([where(line[end]) for line in found] for end in (0, -1))
    assert len({*starts, *ends}) == 40
    encoder, decoder = build_run(RUN, 0)
    with torch.no_grad():
        codes = encoder(batch_for(RUN, IMAGES[[*starts, *ends]], CPU)).numpy()
        for k, t in enumerate((0, 1 / 3, 2 / 3, 1)):
            z = np.stack([[(1 - t) * a + t * b for a, b in zip(codes[i], codes[20 + i], strict=True)] for i in range(20)])
            x = decoder(torch.from_numpy(z.astype(np.float32))).numpy().transpose(0, 2, 3, 1)
            pixels = np.floor((x.astype(np.float64) + 1) / 2 * 255)
            difference = np.abs(pixels - found[:, 1 + k])
            assert difference.max() <= 1 and (difference > 0).mean() < 0.01  # a value just below a whole number may be truncated either way
    assert len(np.unique(found[:, 1:-1], axis=1)) > 1


def test_keeping_fewer_lines_changes_none_of_them() -> None:
    more = lines(line=LINE.model_copy(update={"pairs": 20}))
    assert np.array_equal(lines(), more[:3])


def test_pairs_are_the_same_for_every_model_and_others_for_another_seed() -> None:
    ends = lines()[:, [0, -1]]
    assert np.array_equal(lines(replace(RUN, name="other", latent_dim=3, width=8))[:, [0, -1]], ends)
    assert not np.array_equal(lines(replace(RUN, seed=1))[:, [0, -1]], ends)


def test_batch_normalisation_sees_all_lines_of_the_batch() -> None:
    # The same pairs in a smaller batch are decoded by other statistics: what the released code fixes at 50.
    assert not np.array_equal(lines(line=Interpolation(pairs=3, points=4, batch_size=10))[:, 1:-1], lines()[:, 1:-1])


def test_too_few_test_images_are_refused_by_number() -> None:
    with pytest.raises(UserError, match=r"toy: 39 test images are fewer than 2 × 20.*interpolation\.batch_size"):
        lines(images=IMAGES[:39])


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with an (untrained) model in `run`, and `toy` with a test split."""
    networks = dict(zip(("encoder", "decoder"), build_run(RUN, 0), strict=True))
    tensors = {f"{name}.{key}": value for name, network in networks.items() for key, value in network.state_dict().items()}
    save_tensors(tmp_path / "run" / "model.safetensors", tensors, {"run": RUN.asdict(), "step": 0})
    np.save(tmp_path / "toy-test.npy", IMAGES)
    write_prepared(tmp_path, "toy")
    return tmp_path


def command(folder: Path, *more: str) -> int:
    arguments = ["--run", str(folder / "run"), "--data", str(folder), "--device", "cpu", "--out", str(folder / "out.npy")]
    return main(["interpolate", *arguments, *more])


def test_the_command_writes_what_the_function_returns(trained: Path) -> None:
    assert command(trained, "--pairs", "3", "--points", "4", "--batch-size", "20") == 0
    assert np.array_equal(np.load(trained / "out.npy"), lines())


IMPOSSIBLE = {"pairs: found 0": ["--pairs", "0"], "points: found 1": ["--points", "1"], "60 are more than batch_size 50": ["--pairs", "60"]}


@pytest.mark.parametrize("message, flags", IMPOSSIBLE.items(), ids=IMPOSSIBLE)
def test_impossible_numbers_are_refused(message: str, flags: list[str], trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(trained, *flags) == 1
    assert message in capsys.readouterr().err
    assert not (trained / "out.npy").exists()
