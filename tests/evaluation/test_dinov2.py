"""DINOv2's features with random weights of the same architecture, fetched over loopback; the distance is never called FID."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RangeHandler
from PIL import Image
from safetensors.torch import load_file, save_file

from pga.cli import main
from pga.evaluation.features.dinov2 import DEVIATION, MEAN, Dinov2Features, network
from pga.evaluation.protocol import Space, evaluate
from pga.metrics.moments import statistics
from pga.params.feature_spaces import FEATURE_SPACES
from pga.runtime.errors import UserError
from pga.runtime.files import sha256

pytest.importorskip("timm")


def images(n: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 20, 20, channels), np.uint8)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A mirror with random weights of the small network, and its address."""
    folder = tmp_path_factory.mktemp("mirror")
    (folder / "dinov2_vits14").mkdir()
    torch.manual_seed(0)
    save_file(network("vits14").state_dict(), folder / "dinov2_vits14/model.safetensors")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder / "dinov2_vits14/model.safetensors", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_only_the_weights_that_are_pinned_are_fetched(
    served: tuple[Path, str], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, address = served
    monkeypatch.setenv("PGA_MIRROR", address)
    table = (root / "params/sources.yaml").read_text().replace("https://huggingface.co/", f"{address}/nowhere/")
    before, after = table.split("  dinov2_vits14:")
    fetch = ["fetch", "dinov2_vits14", "--out", str(tmp_path / "raw"), "--sources", str(tmp_path / "sources.yaml")]
    for own, status, named in (
        (after, 1, f"sha256 of its file is {sha256(weights)}"),  # timm's are pinned, and these are none
        (re.sub("(?<=sha256, value: )[0-9a-f]{64}", sha256(weights), after, count=1), 0, ""),
    ):
        (tmp_path / "sources.yaml").write_text(f"{before}  dinov2_vits14:{own}")
        assert main(fetch) == status
        assert named in capsys.readouterr().err
        assert (tmp_path / "raw/dinov2_vits14/model.safetensors").exists() == (status == 0)
    assert sha256(tmp_path / "raw/dinov2_vits14/model.safetensors") == sha256(weights)


def test_its_distance_and_metrics_have_names_of_their_own(served: tuple[Path, str]) -> None:
    extractor = Dinov2Features(served[0], "vits14", "cpu")
    assert (extractor.dim, extractor.digest) == (FEATURE_SPACES["dinov2-vits14"].dim, sha256(served[0]))
    real = extractor(images(3))
    space = Space(extractor, statistics([real]), real)
    found = evaluate(images(3, seed=1, channels=1), [space], ("kid",), few_samples=True)  # grey becomes three channels
    assert [(part.metric, part.extractor) for part in found] == [
        ("fd_dinov2_vits14", "dinov2-vits14"),
        ("dinov2_vits14_kid", "dinov2-vits14"),
    ]
    assert found[0].value is not None and found[0].value > 0
    titles = [space.distance.title for label, space in FEATURE_SPACES.items() if label.startswith("dinov2")]
    assert titles and all("FID" not in title and title.startswith("FD-DINOv2") for title in titles)


def test_its_features_are_the_networks_class_token_of_images_as_pillow_resizes_them(served: tuple[Path, str]) -> None:
    pixels = images(2)
    model = network("vits14").eval()
    model.load_state_dict(load_file(served[0]))
    resized = np.stack([np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC)) for image in pixels])
    x = (torch.from_numpy(resized).permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    with torch.inference_mode():
        expected = model.forward_features(x)[:, 0].numpy()
    found = Dinov2Features(served[0], "vits14", "cpu")(pixels)
    assert found.shape == (2, 384) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_other_weights_are_refused_by_name(served: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(served[0].read_bytes()[:1000])
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    for name in ("cut", "other"):
        with pytest.raises(UserError, match=f"{name}.safetensors: not the weights of vit_small_patch14_dinov2"):
            Dinov2Features(tmp_path / f"{name}.safetensors", "vits14", "cpu")
    with pytest.raises(UserError, match="no such file; `pga fetch dinov2_vits14` brings it"):
        Dinov2Features(tmp_path / "dinov2_vits14/model.safetensors", "vits14", "cpu")


def test_an_experiment_may_take_it_as_its_headline(root: Path, tmp_path: Path) -> None:
    from pga.params.experiment import load_experiment

    text = (root / "params/quick.yaml").read_text().replace("extractor: classifier\n", "extractor: dinov2-vits14\n")
    text = text.replace("infinity, ", "").replace("results/quick", "results/dino")
    (tmp_path / "dino.yaml").write_text(text)
    scale = load_experiment(tmp_path / "dino.yaml")
    assert scale.evaluation.metric == "fd_dinov2_vits14" and scale.evaluation.labels(labelled=False) == ["dinov2-vits14"]
    assert json.dumps(scale.measures())  # what tables say of it
