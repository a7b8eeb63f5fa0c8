"""Inception's features against pytorch-fid's own code, with random weights under the same names: the real ones are not needed for it."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from pytorch_fid import fid_score
from pytorch_fid.inception import InceptionV3
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from pga.cli import main
from pga.evaluation.features.extractor import stream
from pga.evaluation.features.inception import SIZE, InceptionFeatures, network, resize_as_tf1
from pga.evaluation.protocol import Space, evaluate
from pga.metrics.moments import statistics
from pga.runtime.errors import UserError


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Random weights of FID's Inception, fetched from a real server like the real ones, and their SHA-256."""
    served = tmp_path_factory.mktemp("served")
    torch.manual_seed(0)
    model = network()
    for module in model.modules():  # torchvision's own initialisation is slow and was skipped: let every layer keep its input's scale
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    torch.save(model.state_dict(), served / "weights.pth")
    pinned = hashlib.sha256((served / "weights.pth").read_bytes()).hexdigest()
    quiet: Any = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *arguments: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/weights.pth"
        row = {"urls": [url], "mirror": [], "max_size": 200_000_000, "checksum": {"algorithm": "sha256", "value": pinned}}
        source = {"description": "random", "licence": "none", "citation": "none", "files": {"weights.pth": row}}
        raw = tmp_path_factory.mktemp("raw")
        (raw / "sources.yaml").write_text(yaml.safe_dump({"sources": {"inception": source}}))
        assert main(["fetch", "inception", "--sources", str(raw / "sources.yaml"), "--out", str(raw)]) == 0
        yield raw / "inception" / "weights.pth", pinned
        server.shutdown()


@pytest.fixture(scope="module")
def theirs(weights: tuple[Path, str]) -> InceptionV3:
    """pytorch-fid's network with the same weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytorch_fid.inception.load_state_dict_from_url", lambda *_, **__: torch.load(weights[0], weights_only=True))
        return InceptionV3([3]).eval()


def images(seed: int, channels: int = 3, size: int = 32, n: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, channels), np.uint8)


def test_features_are_those_of_pytorch_fid_on_the_same_files(weights: tuple[Path, str], theirs: InceptionV3, tmp_path: Path) -> None:
    pixels = images(1, n=5)
    files = [str(tmp_path / f"{number}.png") for number in range(5)]
    for image, file in zip(pixels, files, strict=True):
        Image.fromarray(image).save(file)
    expected = fid_score.get_activations(files, theirs, batch_size=4, dims=2048, device="cpu", num_workers=0)
    extractor = InceptionFeatures(*weights, "pytorch_fid", "cpu")
    found = np.concatenate(list(stream(extractor, pixels, batch_size=3)))
    assert extractor.label == "inception-pytorch_fid" and found.shape == (5, 2048) and found.dtype == np.float32
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()
    assert np.std(expected, axis=0).max() > 0.01 * np.abs(expected).max()  # the network tells the images apart


def test_tf1s_features_are_those_of_torch_fidelitys_network_whatever_the_batch(weights: tuple[Path, str]) -> None:
    model = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights[0]))
    pixels = images(7, size=28, n=3)
    expected = model(torch.from_numpy(pixels.transpose(0, 3, 1, 2)))[0].numpy()
    extractor = InceptionFeatures(*weights, "tf1", "cpu")
    whole, single = extractor(pixels), np.concatenate([extractor(pixels[i : i + 1]) for i in range(3)])
    assert extractor.label == "inception-tf1"
    assert np.abs(whole - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(whole - single).max() <= 1e-6 * np.abs(whole).max()


@pytest.mark.parametrize("size", [28, 64])
def test_tf1s_resize_is_the_direct_formula(size: int) -> None:
    x = torch.from_numpy(images(3, size=size, n=1)).permute(0, 3, 1, 2).float()
    found = resize_as_tf1(x)[0] * 128 + 128
    y = np.minimum(np.arange(SIZE, dtype=np.float32) * np.float32(size / SIZE), size - 1).astype(np.float64)
    low = np.floor(y).astype(int)
    high, t = np.minimum(low + 1, size - 1), y - low
    image = x[0].double().numpy()
    rows = image[:, low] * (1 - t)[None, :, None] + image[:, high] * t[None, :, None]
    expected = rows[:, :, low] * (1 - t) + rows[:, :, high] * t
    assert np.abs(found.numpy() - expected).max() <= 1e-4  # of 0…255: 4e-7 of the range


def test_grey_images_are_repeated_to_three_channels(weights: tuple[Path, str]) -> None:
    extractor, grey = InceptionFeatures(*weights, "tf1", "cpu"), images(4, channels=1, size=28, n=1)
    assert np.array_equal(extractor(grey), extractor(np.repeat(grey, 3, axis=-1)))


def test_only_the_official_weights_give_a_distance_called_fid(weights: tuple[Path, str]) -> None:
    class Small(InceptionFeatures):
        dim = 4

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            return pixels[:, 0, :4, 0].astype(np.float32)

    extractor = Small(*weights, "tf1", "cpu")
    reference = statistics([extractor(images(1, n=9))])
    for digest, name in ((extractor.digest, "inception_fd"), ("6726825d" + 56 * "0", "fid")):
        extractor.digest = digest
        assert [metric.metric for metric in evaluate(images(2, n=9), [Space(extractor, reference)])] == [name]


def test_other_weights_than_the_pinned_are_refused(weights: tuple[Path, str]) -> None:
    with pytest.raises(UserError, match="the one that is pinned begins with 6726825d"):
        InceptionFeatures(weights[0], "6726825d", "tf1", "cpu")
    with pytest.raises(UserError, match="pinned"):
        InceptionFeatures(weights[0], "", "tf1", "cpu")  # an empty pin would fit every file
