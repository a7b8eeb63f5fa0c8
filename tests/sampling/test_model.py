"""`pga.load`, `pga.fit` and metrics of arrays, as a notebook uses them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import pga
from pga.cli import main
from pga.data.prepared import Images
from pga.fingerprints.steps import training_code
from pga.params.experiment import load_experiment
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record
from pga.sampling.model import FILES, TrainedModel
from pga.sampling.reconstruction import reconstruct
from pga.sampling.sample import load_networks
from pga.training.loop import train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def images() -> Images:
    return (load_digits().images[:200] * 15).astype(np.uint8)  # (N, 8, 8)


@pytest.fixture(scope="module")
def model(images: Images) -> TrainedModel:
    return pga.fit(images, "lvpga", preset="digits", steps=60, warmup_steps=20, gamma=0.01, batch_norm=True, device="cpu")


def test_fit_trains_what_the_workflow_trains_to_the_byte(model: TrainedModel, images: Images, tmp_path: Path) -> None:
    code = read_record(model.folder / "run.json")["code"]
    train(model.run, images[..., None], "data", code, torch.device("cpu"), tmp_path / "out", tmp_path / "scratch")
    assert sha256(model.folder / "model.safetensors") == sha256(tmp_path / "out/model.safetensors")
    assert model.params["coefficients"] == {"alpha": 0.0075, "beta": 0, "vr": 0.02, "gamma": 0.01, "eta": 0.04}
    assert (model.run.steps, model.run.warmup_steps, model.run.network, model.run.batch_norm) == (60, 20, "dense_8", True)


def test_fit_leaves_torch_as_it_was_and_works_in_a_thread(images: Images) -> None:
    torch.set_num_threads(2)
    torch.set_deterministic_debug_mode(0)
    torch.backends.cudnn.allow_tf32 = True
    found: list[TrainedModel] = []
    thread = threading.Thread(target=lambda: found.append(pga.fit(images, "vae", preset="digits", epochs=1, device="cpu")))
    thread.start(), thread.join()
    assert found[0].run.epochs == 1 and found[0].run.steps is None
    assert torch.get_num_threads() == 2 and torch.get_deterministic_debug_mode() == 0 and torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)


def test_a_saved_model_is_loaded_and_sampled_from_with_the_same_bytes(model: TrainedModel, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "mine")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    for path in (folder, folder / "model.safetensors", str(folder)):
        loaded = pga.load(path, device="cpu")
        assert loaded.run == model.run and np.array_equal(loaded.sample(5), model.sample(5))
    assert main(["sample", "--run", str(folder), "--out", str(tmp_path / "samples.npy"), "--n", "7", "--device", "cpu"]) == 0
    assert np.array_equal(np.load(tmp_path / "samples.npy"), loaded.sample(7))
    assert not np.array_equal(loaded.sample(7, seed=1), loaded.sample(7))
    assert loaded.metrics == {}
    write_record(folder / "prior/metrics.json", {"metrics": {"classifier": 3.5}})
    assert loaded.metrics["prior"]["metrics"] == {"classifier": 3.5}
    again = loaded.save(tmp_path / "again")
    assert all(sha256(again / name) == sha256(folder / name) for name in FILES)


def test_encoding_decoding_and_interpolating(model: TrainedModel, images: Images) -> None:
    codes = model.encode(images)
    assert codes.shape == (200, model.run.latent_dim) and codes.requires_grad is False
    assert model.decode(codes[:3]).shape == (3, 8, 8, 1) and model.decode(codes.numpy()[:3]).dtype == np.uint8
    expected, _ = reconstruct(model.encoder, model.decoder, images[..., None], model.run, torch.device("cpu"), shown=200)
    assert np.array_equal(model.reconstruct(images), expected[1])
    line = model.interpolate(images[:2], images[2:4], points=5)
    assert line.shape == (2, 5, 8, 8, 1)
    assert np.array_equal(line[:, 0], model.decode(model.encode(images[:2])))
    for density in ("gaussian", "mixture"):
        assert model.sample(4, density=density, images=images).shape == (4, 8, 8, 1)
    assert not np.array_equal(model.sample(4, batch_norm="standing"), model.sample(4))


def test_a_model_in_float64_is_used_in_float64(images: Images, tmp_path: Path) -> None:
    made = pga.fit(images, "vae", preset="digits", steps=3, precision="float64", device="cpu")
    loaded = pga.load(made.save(tmp_path / "mine"), device="cpu")
    assert loaded.encode(images[:3]).dtype == torch.float64
    assert loaded.reconstruct(images[:3]).shape == (3, 8, 8, 1) and np.array_equal(loaded.sample(3), made.sample(3))
    assert all(tensor.dtype == torch.float64 for tensor in loaded.decoder.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "conv_mine"}, "this version of the program has no network or model 'conv_mine'"),
        ({"width": 8}, "the encoder's weights are of other layers"),
    ],
)
def test_a_model_of_another_version_is_named(changes: dict[str, object], message: str, model: TrainedModel, tmp_path: Path) -> None:
    tensors, record = load_tensors(model.save(tmp_path / "mine") / "model.safetensors")
    save_tensors(tmp_path / "mine/model.safetensors", tensors, {**record, "run": {**record["run"], **changes}})
    with pytest.raises(UserError, match=message):
        load_networks(tmp_path / "mine/model.safetensors", torch.device("cpu"))


def test_what_is_not_accepted_is_named(model: TrainedModel, images: Images, tmp_path: Path) -> None:
    for call, message in (
        (lambda: pga.fit(images, "lpga", preset="cats"), "preset 'cats': accepted are digits, mnist"),
        (lambda: pga.fit(images, "gan", preset="digits"), "model 'gan': preset digits has vae, lpga"),
        (lambda: pga.fit(images, preset="digits", rate=1), "rate: accepted are alpha, beta, gamma, network"),
        (lambda: pga.fit(images, preset="digits", learning_rate=-1), "learning_rate.* greater than 0"),
        (lambda: pga.fit(images, preset="mnist", steps=1, warmup_steps=0), "network conv_mnist makes images of .*images has"),
        (lambda: pga.fit(images, preset="digits", seed=-1), "seed -1: accepted are 0 to"),
        (lambda: pga.fit(images, preset="digits", dataset="../cats"), "dataset '../cats': accepted is a name of lower case"),
        (lambda: pga.fit(images, preset="digits", steps=9, warmup_steps=1, snapshots=10), "snapshots: found 10, but the run has 9 steps"),
        (lambda: pga.fit(images / 255, preset="digits"), "found float64 of shape .*images are uint8"),
        (lambda: model.encode(np.zeros((2, 9, 9, 1), np.uint8)), r"\(9, 9, 1\); the run's are \(8, 8, 1\)"),
        (lambda: model.decode(torch.zeros(2, 3)), r"\(2, 3\); accepted is \(N, 8\)"),
        (lambda: model.sample(2, density="mixture"), "needs the training images"),
        (lambda: model.sample(2, density="flat"), "accepted are normal, gaussian, mixture"),
        (lambda: pga.load(tmp_path), "model.safetensors"),
    ):
        with pytest.raises(UserError, match=message):
            call()


def test_presets_are_the_rows_of_the_experiments(images: Images) -> None:
    from pga.params.library import PRESETS, run_of_preset

    for preset, experiment in PRESETS.items():
        scale = load_experiment(ROOT / f"params/{experiment}.yaml")
        for model in ("lpga", "vpga", "lvpga", "vae"):
            run = scale.run(preset, model, 0)
            assert run_of_preset(model, preset, 0, preset, {"snapshots": run.snapshots}) == run
            assert training_code(run)


def test_metrics_of_arrays() -> None:
    rng = np.random.default_rng(0)
    a, shift = rng.standard_normal((500, 3)), np.array([1.0, -2.0, 0.5])
    assert pga.frechet_distance(a, a + shift) == pytest.approx(shift @ shift)
    assert pga.frechet_distance(a, 2 * a) == pytest.approx(np.trace(np.cov(a.T)) + np.square(a.mean(0)).sum())
    assert pga.kid(a, a[::-1].copy(), subset_size=50).value < 0.1 < pga.kid(a, a + 3 * shift, subset_size=50).value
    near, far = pga.precision_recall(a, a), pga.precision_recall(a + 100, a)
    assert (near.precision, near.recall, far.precision, far.recall) == (1, 1, 0, 0)


def test_importing_pga_is_quick_and_needs_nothing() -> None:
    code = (
        "import sys, pga; "
        "heavy = {'torch', 'numpy', 'pydantic', 'yaml', 'scipy'} & set(sys.modules); assert not heavy, heavy; "
        "assert {'PGA', 'fit', 'load'} <= set(dir(pga)); pga.PGA; assert 'torch' in sys.modules\n"
        "for name in pga.__all__: assert getattr(pga, name).__doc__, name\n"
        "try: pga.nothing\n"
        "except AttributeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.stdout == "module 'pga' has no attribute 'nothing'\n", done.stderr
