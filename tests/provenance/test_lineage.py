"""`pga provenance`: from every kind of file back to the sources, and what does not agree is named."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from artifacts import record, write_records
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin
from test_tables import CLAIMS, SCALE, metrics

from pga.artifacts.figures import canvas
from pga.artifacts.report.report_runs import facts
from pga.cli import main
from pga.params.experiment import load_experiment
from pga.provenance.metadata import about, text
from pga.provenance.read import CLOSE, OPEN, read_about
from pga.provenance.records import Place, checked
from pga.provenance.seal import KEY, sealed
from pga.runtime.checkpoint import save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import read_json, read_record, sha256, write_beside, write_record
from pga.sampling.generated import maker, save_made

PLACES = [Place("digits", "lpga", 0), Place("digits", "vpga", 0)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """Runs of the tiny experiment on prepared digits; the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(SCALE)
    Path("claims.yaml").write_text(CLAIMS)
    shutil.copytree(root / "params", "params")
    assert main(["prepare", "digits"]) == 0
    write_records(load_experiment("tiny.yaml"))
    for place in PLACES:
        write_record(Path("results/tiny", str(place), "run.json"), of(place))
    return tmp_path


def of(place: Place, **changes: object) -> dict:
    data = read_json("data/processed/digits.json")["sha256"]["train"]
    return record(load_experiment("tiny.yaml"), place, **{"data_sha256": data, **changes})


def draw(caption: str = "Samples (of “digits”) \\ 5 % (more)") -> dict:
    """figure2.png and .pdf of the two runs; returns what they say of themselves."""
    said = about("figure2", load_experiment("tiny.yaml"), {str(place): of(place) for place in PLACES}, caption, {"seeds": [0]})
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    canvas.save(figure, Path("out"), "figure2", said)
    return said


def printed(capsys: pytest.CaptureFixture[str], path: str, status: int = 0) -> str:
    capsys.readouterr()
    assert main(["provenance", path]) == status
    return capsys.readouterr().out


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_what_a_figure_says_of_itself_is_read_back_whole(ending: str, folder: Path) -> None:
    said = draw()
    assert read_about(Path(f"out/figure2.{ending}")) == said


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_a_figure_leads_to_its_runs_their_data_and_its_source(ending: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    shown = printed(capsys, f"out/figure2.{ending}")
    for place in PLACES:
        assert f"run {place}: parameters {of(place)['digest'][:12]}, commit 0123456789abcdef" in shown
        assert f"results/tiny/{place}/run.json: 300 steps in 10.0 s" in shown
    assert f"data digits: SHA-256 {sha256('data/processed/digits.npy')}" in shown and "comes with scikit-learn" in shown
    assert "1,437 training and 360 test images of 8×8×1" in shown


def test_a_figure_tells_its_runs_without_the_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    shutil.rmtree("results")
    shutil.rmtree("data")
    shown = printed(capsys, "out/figure2.png")
    assert "commit 0123456789abcdef" in shown and "results/tiny/digits/lpga/seed0/run.json: not here" in shown
    assert "`pga prepare digits` makes it" in shown


@pytest.mark.parametrize("ending", ["png", "pdf", "html"])
def test_no_byte_of_a_figure_or_report_can_change_unseen(ending: str, folder: Path) -> None:
    said = draw()
    path = Path("out/figure2").with_suffix(f".{ending}")
    if ending == "html":
        path.write_bytes(sealed(f"<p>2.25</p>{OPEN}{text(said)}{CLOSE}<p>end</p>".encode()))
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 400)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with contextlib.suppress(UserError):
            assert read_about(path) is None
    for other in (content + b"\n", content[:-1], content.replace(KEY.encode(), b"another_name_ok")):
        path.write_bytes(other)
        with contextlib.suppress(UserError):
            assert read_about(path) is None
    path.write_bytes(content)
    assert read_about(path) == said


def test_a_figure_that_was_painted_over_is_refused_though_it_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    with Image.open("out/figure2.png") as image:
        words = PngImagePlugin.PngInfo()
        for key in ("Comment", "Software"):
            words.add_text(key, image.info[key])
        image.putpixel((5, 5), (255, 0, 0, 255))
        image.save("painted.png", pnginfo=words)
        image.crop((0, 0, 9, 9)).save("cropped.png")
        older = PngImagePlugin.PngInfo()
        older.add_text("Comment", image.info["Comment"].replace(KEY, "another"))
        image.save("older.png", pnginfo=older)
    assert main(["provenance", "painted.png"]) == 1
    assert "painted.png: changed since it was made: its content does not match the checksum in it; make it again" in capsys.readouterr().err
    assert main(["provenance", "older.png"]) == 1 and "older.png: made by another version" in capsys.readouterr().err
    assert main(["provenance", "cropped.png"]) == 1 and "its origin is not recorded" in capsys.readouterr().err


def test_what_was_made_of_other_runs_than_there_are_now_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    write_record(Path("results/tiny", str(PLACES[1]), "run.json"), of(PLACES[1], code="another", wall_s=99.0))
    shown = printed(capsys, "out/figure2.png", status=1)
    [problem] = [line for line in shown.splitlines() if "PROBLEM" in line]
    assert str(PLACES[1]) in problem and "(code differ)" in problem


ACCEPT = ["accept", "--params", "tiny.yaml", "--because"]


def test_an_accepted_run_says_so_until_the_code_is_another_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, experiment = Path("results/tiny", str(PLACES[0]), "run.json"), load_experiment("tiny.yaml")
    write_record(path, of(PLACES[0], code="train:of an earlier version"))
    with pytest.raises(UserError, match="made by other code.*`pga accept`"):
        checked(path, experiment, PLACES[0])
    untouched = read_record(Path("results/tiny", str(PLACES[1]), "run.json"))
    assert main([*ACCEPT, "a log line more", str(path.parent), str(path)]) == 0
    assert f"{path}: accepted" in capsys.readouterr().out
    record = checked(path, experiment, PLACES[0])
    assert record == of(PLACES[0], code="train:of an earlier version", accepted=record["accepted"])
    assert "accepted as of the code of commit" in printed(capsys, str(path)) and "a log line more" in printed(capsys, str(path))
    assert main([*ACCEPT, "once more", str(path.parent)]) == 0 and "nothing to accept" in capsys.readouterr().out
    assert read_record(path) == record and read_record(Path("results/tiny", str(PLACES[1]), "run.json")) == untouched
    write_record(path, {**record, "accepted": [{**record["accepted"][0], "code": "train:of a later version"}]})
    with pytest.raises(UserError, match="made by other code"):
        checked(path, experiment, PLACES[0])
    write_record(path, record)
    shown = about("figure2", experiment, {str(PLACES[0]): record}, "A figure.")
    assert shown["runs"][str(PLACES[0])]["accepted"] == record["accepted"]
    assert ("Accepted as of the code of commit", "a log line more") in [(key[:33], value) for key, value in facts(record)]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"digest": "0" * 64}, "trained with other parameters than the experiment's"),
        ({"data_sha256": "0" * 64}, "trained on data with SHA-256 000000000000"),
        ({"files": {"model.safetensors": "0" * 64}}, "model.safetensors: no such file"),
    ],
)
def test_a_run_of_other_parameters_data_or_bytes_is_not_accepted(
    changes: dict[str, object], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path("results/tiny", str(place), "run.json") for place in PLACES]
    for path, place, own in zip(files, PLACES, ({}, changes), strict=True):
        write_record(path, of(place, code="train:of an earlier version", **own))
    before = [path.read_bytes() for path in files]
    assert main([*ACCEPT, "it is the same", *(str(path.parent) for path in files)]) == 1
    assert said in capsys.readouterr().err and [path.read_bytes() for path in files] == before


def test_accepting_needs_a_reason_and_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ACCEPT, " ", "results"]) == 1 and "--because: found no text" in capsys.readouterr().err
    assert main([*ACCEPT, "it is the same", "results/nosuch"]) == 1 and "results/nosuch: holds no run.json" in capsys.readouterr().err


def write_table() -> None:
    metrics().to_csv("metrics.csv", index=False)
    arguments = ["--params", "tiny.yaml", "--metrics", "metrics.csv", "--claims", "claims.yaml", "--out-dir", "out", "--data", "elsewhere"]
    write_records(load_experiment("tiny.yaml"))
    assert main(["table", "table1", *arguments]) == 0


@pytest.mark.parametrize("ending", ["csv", "md", "tex", "json"])
def test_a_table_leads_to_its_runs(ending: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table()
    shown = printed(capsys, f"out/table1.{ending}", status=1)  # its runs are of other digits than are prepared here
    assert shown.count("\n  run ") == 7 * 3
    assert "PROBLEM: data/processed/digits.json: by now of other images" in shown


def test_a_table_that_was_edited_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table()
    path = Path("out/table1.csv")
    path.write_text(path.read_text().replace("2.25", "1.25"))
    assert main(["provenance", str(path)]) == 1
    assert "table1.csv: changed since it was made" in capsys.readouterr().err


def run_folder() -> Path:
    return Path("results/tiny", str(PLACES[0]))


def test_the_files_of_a_run_lead_to_its_parameters_and_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = load_experiment("tiny.yaml").run(*PLACES[0])
    save_tensors(run_folder() / "model.safetensors", {"a": torch.ones(2)}, {"run": run.asdict(), "step": 1})
    save_made(run_folder() / "prior/samples.npy", np.zeros((2, 8, 8, 1), np.uint8), maker(run))
    inputs = {"samples": sha256(run_folder() / "prior/samples.npy"), "reference classifier": "0" * 64}
    write_record(run_folder() / "prior/metrics.json", {"inputs": inputs, "extractors": [{"name": "classifier", "digest": "d" * 64}]})
    for file in ("run.json", "model.safetensors", "prior/samples.npy", "prior/metrics.json"):
        shown = printed(capsys, str(run_folder() / file))
        assert '"gamma": 0.015' in shown and "learning_rate 0.1" in shown and "comes with scikit-learn" in shown
    assert "samples: results/tiny/digits/lpga/seed0/prior/samples.npy" in shown and "features: classifier" in shown
    curve = run_folder() / "curve.csv"
    curve.write_text("step,metric,value,n\n10,classifier_fd,2.5,200\n")
    snapshots = run_folder() / "snapshots.safetensors"
    save_tensors(snapshots, {"a": torch.ones(2)}, {"run": run.asdict()})
    write_beside([curve], {**maker(run), "inputs": {"snapshots": sha256(snapshots)}})
    for file in (curve, curve.with_suffix(".json")):
        assert f"snapshots: {snapshots}, SHA-256 {sha256(snapshots)[:12]}…" in printed(capsys, str(file))
    curve.write_text(curve.read_text().replace("2.5", "1.5"))
    assert main(["provenance", str(curve)]) == 1
    assert f"{curve}: changed since it was made" in capsys.readouterr().err


def test_metrics_of_other_samples_and_a_model_of_another_run_are_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = load_experiment("tiny.yaml").run(*PLACES[1])
    save_tensors(run_folder() / "model.safetensors", {"a": torch.ones(2)}, {"run": other.asdict(), "step": 1})
    assert "PROBLEM: its own record is of another run" in printed(capsys, str(run_folder() / "model.safetensors"), status=1)
    samples, history = run_folder() / "prior/samples.npy", run_folder() / "history.csv"
    save_made(samples, np.zeros((2, 8, 8, 1), np.uint8), maker(other))
    assert "PROBLEM: it says of itself: {'dataset': 'digits', 'digest'" in printed(capsys, str(samples), status=1)
    write_record(run_folder() / "run.json", of(PLACES[0], files={"history.csv": "0" * 64}))
    history.write_text("step")
    assert "PROBLEM: changed since the run wrote it: run.json says 000000000000…" in printed(capsys, str(history), status=1)
    write_record(run_folder() / "prior/metrics.json", {"inputs": {"samples": "0" * 64}})
    assert "PROBLEM: samples: none of" in printed(capsys, str(run_folder() / "prior/metrics.json"), status=1)


def of_real(split: str, **changes: object) -> Path:
    """Metrics of real images and the statistics that they name, as the workflow lays them down."""
    statistics = Path(f"data/reference/digits/classifier-{split}.npz")
    statistics.parent.mkdir(parents=True)
    images = {name: f"data/processed/digits{'' if name == 'train' else '-test'}.npy" for name in ("train", "test")}
    about = {"dataset": "digits", "split": split, "data_sha256": sha256(images[split]), "extractor": {"name": "classifier"}, "n": 5}
    np.savez(statistics, mu=np.zeros(2), sigma=np.eye(2), about=np.array(json.dumps({**about, **changes})))
    path = Path("results/tiny/digits/real/seed0/prior/metrics.json")
    other = images["test" if split == "train" else "train"]
    content = {
        "dataset": "digits", "model": "real", "seed": 0, "sampling": "prior", "n": 5,
        "inputs": {"samples": sha256(other), "reference classifier": sha256(statistics)},
        "extractors": [{"name": "classifier", "digest": "d" * 64}],
        "metrics": [{"metric": "classifier_fd", "extractor": "classifier", "reference": split}],
    }  # fmt: skip
    write_record(path, content)
    return path


@pytest.mark.parametrize("split, other", [("train", "digits-test.npy"), ("test", "digits.npy")])
def test_metrics_of_real_images_lead_to_both_splits_and_their_source(
    split: str, other: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, str(of_real(split)))
    assert "5 real images of digits in the samples' place, drawn from seed 0" in shown
    assert f"samples: data/processed/{other}, SHA-256 {sha256(f'data/processed/{other}')[:12]}" in shown
    assert f"reference classifier: data/reference/digits/classifier-{split}.npz" in shown and f"of 5 {split} images" in shown
    assert "features: classifier" in shown and "comes with scikit-learn" in shown
    np.save(f"data/processed/{other}", np.zeros((2, 8, 8, 1), np.uint8))
    assert "PROBLEM: samples: none of" in printed(capsys, "results/tiny/digits/real/seed0/prior/metrics.json", status=1)


def test_a_reference_of_other_images_than_there_are_now_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = of_real("train", data_sha256="0" * 64)
    assert "PROBLEM: data/reference/digits/classifier-train.npz: of 5 train images, SHA-256 000000000000…, but data/" in printed(
        capsys, str(path), status=1
    )


def test_another_tools_reference_is_said_to_be_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = of_real("train")
    content = read_record(path)
    content["inputs"]["reference classifier"] = "f" * 64
    content["metrics"][0]["reference"] = "foreign"
    write_record(path, content)
    assert "reference classifier: SHA-256 ffffffffffff…, another tool's" in printed(capsys, str(path))


def idx(*shape: int) -> bytes:
    return gzip.compress(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(int(np.prod(shape))))


def test_prepared_data_lead_to_downloads_with_licence_and_address(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = Path("data/raw/mnist")
    raw.mkdir(parents=True)
    for split, n in (("train", 4), ("t10k", 3)):
        (raw / f"{split}-images-idx3-ubyte.gz").write_bytes(idx(n, 28, 28))
        (raw / f"{split}-labels-idx1-ubyte.gz").write_bytes(idx(n))
    write_record(
        "data/processed/mnist.json",
        {
            "dataset": "mnist", "parameters": {"kind": "idx", "source": "mnist", "pad": 0}, "shape": [28, 28, 1], "n_train": 4, "n_test": 3,
            "sha256": {"train": "a" * 64, "test": "b" * 64}, "sources": {path.name: sha256(path) for path in sorted(raw.iterdir())},
        },
    )  # fmt: skip
    shown = printed(capsys, "data/processed/mnist.json")
    assert shown.count("source mnist/") == 4 and "Licence: CC BY-SA 3.0" in shown
    assert "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz" in shown
    assert "md5 of its content 6bbc9ace898e44ae57da46a324031adb" in shown
    shown = printed(capsys, "data/raw/mnist/train-labels-idx1-ubyte.gz")
    assert sha256(raw / "train-labels-idx1-ubyte.gz") in shown and "Licence" in shown


@pytest.mark.parametrize("file", ["digits.npy", "digits-test.npy", "digits-labels.npz", "digits.json"])
def test_every_file_of_a_prepared_data_set_is_known(file: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "comes with scikit-learn" in printed(capsys, f"data/processed/{file}")


ALTERED = {
    "a digit": lambda text: text.replace('"n_train": 1437', '"n_train": 1438'),
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "{}",
    "of another kind": lambda text: '{"sha256": 3}',
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_prepared_data_say_of_themselves_is_refused_by_every_reader_when_it_was_altered(
    what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("data/processed/digits.json")
    draw()
    path.write_text(ALTERED[what](path.read_text()))
    run = str(run_folder() / "run.json")
    metrics().to_csv("metrics.csv", index=False)
    table = ["table", "table1", "--params", "tiny.yaml", "--metrics", "metrics.csv", "--claims", "claims.yaml", "--out-dir", "out"]
    train = ["train", "--params", "tiny.yaml", "--dataset", "digits", "--model", "lpga", "--seed", "0", "--out", "run"]
    for arguments in (["provenance", str(path)], ["provenance", run], ["provenance", "out/figure2.png"], table, train):
        assert main(arguments) == 1
        assert f"error: {path}: " in capsys.readouterr().err, arguments


def test_a_changed_array_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("data/processed/digits-test.npy", np.zeros((2, 8, 8, 1), np.uint8))
    assert "PROBLEM: data/processed/digits-test.npy: its SHA-256" in printed(capsys, "data/processed/digits-test.npy", status=1)


def test_statistics_of_real_images_lead_to_their_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {"dataset": "digits", "split": "train", "data_sha256": sha256("data/processed/digits.npy"), "extractor": {"name": "classifier"}}
    Path("data/reference/digits").mkdir(parents=True)
    np.savez("data/reference/digits/classifier-train.npz", mu=np.zeros(2), sigma=np.eye(2), about=np.array(json.dumps(said)))
    assert "comes with scikit-learn" in printed(capsys, "data/reference/digits/classifier-train.npz")


@pytest.mark.parametrize(
    "file, said",
    [
        ("nosuch.png", "no such file"),
        ("results", "a folder"),
        ("tiny.yaml", "its origin is not recorded"),
        ("claims.csv", "its origin is not recorded"),
        ("other.png", "its origin is not recorded"),
        ("broken.png", "not a complete PNG"),
        ("other.pdf", "its origin is not recorded"),
        ("other.html", "its origin is not recorded"),
    ],
)
def test_a_file_that_it_does_not_know_is_named(file: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (2, 2)).save("other.png")
    Path("broken.png").write_bytes(Path("other.png").read_bytes()[:40])
    Path("other.pdf").write_bytes(b"%PDF-1.4\n/Keywords (hello)\n%%EOF")
    Path("other.html").write_text("<p>hello")
    Path("claims.csv").write_text("a,b\n")
    assert main(["provenance", file]) == 1
    message = capsys.readouterr().err
    assert f"pga provenance: error: {file}: {said}" in message and message.count("\n") == 1
