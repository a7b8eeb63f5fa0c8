"""A run that is passed on: the folder, its card, and the way over the Hub's protocol on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from artifacts import measured
from hub_server import hub
from PIL import Image
from stored import metrics_content

import pga
from pga.artifacts import export
from pga.cli import main
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record

ROOT = Path(__file__).parents[2]
METRIC = measured("classifier_fd", 10.90377, n=5000)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), np.uint8)
    folder = tmp_path_factory.mktemp("trained") / "run"
    pga.fit(images, "vae", preset="digits", steps=3, dataset="mnist", device="cpu").save(folder)
    write_record(folder / "prior/metrics.json", metrics_content("mnist", "vae", 0, "prior", METRIC))
    return folder


def test_an_exported_folder_has_the_runs_bytes_and_a_card_that_says_what_it_is(run: Path, tmp_path: Path) -> None:
    assert main(["export", str(run), "--to", str(tmp_path / "mine")]) == 0
    folder = tmp_path / "mine"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"model.safetensors", "run.json", "config.json", "README.md", "samples.png", "prior/metrics.json"}
    assert sha256(folder / "model.safetensors") == sha256(run / "model.safetensors")
    assert np.array_equal(pga.load(folder, device="cpu").sample(4), pga.load(run, device="cpu").sample(4))
    assert pga.load(folder).metrics["prior"]["metrics"] == [METRIC]
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    [index] = yaml.safe_load(front)["model-index"][0]["results"]
    [metric] = index["metrics"]
    assert metric == {"type": "classifier_fd", "name": "classifier_fd (prior, 5000 images against train)", "value": 10.90377}
    record = read_record(run / "run.json")
    assert record["data_sha256"] in text and "Licence: CC BY-SA 3.0" in text and "FID" not in metric["name"]
    assert Image.open(folder / "samples.png").size == (71, 71)
    example = re.search(r"```python\n(.*?)```", text, re.S)[1].replace("FOLDER", str(folder))
    names_in: dict[str, object] = {}
    exec(example, names_in)
    assert names_in["images"].shape == (16, 8, 8, 1)
    assert main(["export", str(run), "--to", str(folder), "--licence", "mine"]) == 0
    assert "Licence: mine." in (folder / "README.md").read_text()


def test_what_cannot_be_exported_is_refused_by_name(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["--to", str(run)], "the run's own folder"),
        (["--to", str(tmp_path / "x"), "--push", "user/name"], "user/name: accepted is hf://user/name"),
    ):
        assert main(["export", str(run), *arguments]) == 1 and message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    with pytest.raises(UserError, match="accepted is hf://user/name"):
        pga.load("hf://only-a-user")


def test_a_model_is_pushed_and_loaded_over_the_hubs_protocol(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with hub() as (address, files):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HF_ENDPOINT": address,
            "HF_TOKEN": "hf_test",
            "HF_HOME": str(tmp_path / "hf"),
        }
        code = (
            "import sys, pga; from pga.cli import main\n"
            "assert main(sys.argv[1:]) == 0\n"
            "model = pga.load('hf://user/digits', device='cpu'); print(model.sample(2).sum(), sorted(model.metrics))\n"
            "try: pga.load('hf://user/nothing')\n"
            "except Exception as error: print(type(error).__name__, str(error)[:18])"
        )
        command = [sys.executable, "-c", code, "export", str(run), "--to", str(tmp_path / "out"), "--push", "hf://user/digits"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        pushed = files["user/digits"]
        assert pushed.keys() == {"model.safetensors", "run.json", "config.json", "README.md", "samples.png", "prior/metrics.json"}
        assert pushed["model.safetensors"] == (run / "model.safetensors").read_bytes()
    expected = f"{pga.load(run, device='cpu').sample(2).sum()} ['prior']\nUserError hf://user/nothing:\n"
    assert done.stdout.endswith(expected), done.stdout
    done = subprocess.run(command, env=environment, capture_output=True, text=True)  # the server is gone
    assert "pga export: error: hf://user/digits: " in done.stderr and "AssertionError" in done.stderr.splitlines()[-1]


def test_the_licence_of_images_of_ones_own_is_not_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    with open(tmp_path / "params/datasets.yaml", "a", encoding="utf-8") as file:
        file.write("\n  mycats: {kind: folder, path: /cats, size: 64}\n")
    monkeypatch.setattr(export, "EXPERIMENTS", tmp_path / "params")
    found = {name: export.data_licence(name) for name in ("mycats", "nothing", "digits", "mnist")}
    assert found["mycats"] == found["nothing"] == "not stated; add it before you pass the model on"
    assert "scikit-learn" in found["digits"] and "scikit-learn" not in found["mnist"]
