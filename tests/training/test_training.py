"""Training: the same bytes after kills, stops with a cause when it diverges, history that says what happened."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pga.method.terms import MODELS, Term, coefficients
from pga.params.run import Run
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import read_record
from pga.sampling.sample import load_snapshots, sample
from pga.training.loop import train
from pga.training.plateau import Plateau
from pga.training.trainer import Diverged, Trainer

CPU = torch.device("cpu")


def a_run(model: str = "lpga", **changes: object) -> Run:
    values = dict.fromkeys(coefficients(model), 0.01) | ({"rec": 1.0} if "rec" in coefficients(model) else {})
    settings: dict[str, object] = dict(
        dataset="toy", name=model, model=model, seed=3, network="dense_8", width=16, latent_dim=4, batch_norm=True, batch_size=16,
        learning_rate=0.05, momentum=0.9, warmup_steps=10, steps=60, coefficients=values, snapshots=3,
        constant_sigma=0.7 if model == "cvvae" else None,
    )  # fmt: skip
    return Run(**{**settings, **changes})  # type: ignore[arg-type]


def blobs(n: int = 100) -> np.ndarray:
    """Images with something to learn: one bright square each, its place drawn."""
    rng = np.random.default_rng(0)
    images = np.zeros((n, 8, 8, 1), np.uint8)
    for image, (row, column) in zip(images, rng.integers(0, 5, (n, 2)), strict=True):
        image[row : row + 3, column : column + 3] = 255
    return images


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("model.safetensors", "snapshots.safetensors")}


@pytest.mark.parametrize("model", MODELS)
def test_interrupted_anywhere_ends_with_the_same_bytes(model: str, tmp_path: Path) -> None:
    run = a_run(model)
    train(run, blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "scratch")
    steady = Trainer(run, blobs(), CPU)
    while steady.step < run.steps:  # saved and restored at every 7th step, the noise and the momentum included
        steady.advance()
        if steady.step % 7 == 0:
            save_tensors(tmp_path / "state", *steady.state())
            steady = Trainer(run, blobs(), CPU)
            steady.restore(*load_tensors(tmp_path / "state"))
    whole, _ = load_tensors(tmp_path / "whole" / "model.safetensors")
    assert all(torch.equal(tensor, whole[name]) for name, tensor in steady.tensors().items())
    with open(tmp_path / "whole" / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["encoder_loss"]) for row in rows] == [row["encoder_loss"] for row in steady.history]


def test_a_row_of_the_history_is_the_mean_over_steps_with_the_same_terms() -> None:
    """The warm-up ends within what would be one row."""
    trainer, seen = Trainer(a_run(steps=800, warmup_steps=6), blobs(), CPU), []
    update = trainer.update
    trainer.update = lambda *arguments: seen.append(loss := update(*arguments)) or loss  # type: ignore[method-assign]
    while trainer.step < 20:
        trainer.advance()
    assert [row["step"] for row in trainer.history] == [4, 6, 8, 12, 16, 20]
    first = 0
    for row in trainer.history:
        terms = [{name: float(value) for name, value in loss.terms.items()} for loss in seen[first : row["step"]]]
        assert len({tuple(values) for values in terms}) == 1 and ("nll_phi" in terms[0]) == (first >= 6)
        for name in terms[0]:
            assert row[name] == pytest.approx(np.mean([values[name] for values in terms]), rel=1e-12)
        first = row["step"]


@pytest.mark.parametrize("selection", ["last", "best_validation"])
def test_schedule_and_selection_survive_interruptions(selection: str, tmp_path: Path) -> None:
    run = a_run(
        "rae_l2", network="ghosh_32_grey", width=2, optimiser="adam", learning_rate=0.01, steps=40, batch_size=8, train_images=40,
        validation_images=20, lr_patience=1, selection=selection, spectral_norm=True,
    )  # fmt: skip
    images = np.pad(blobs(), ((0, 0), (12, 12), (12, 12), (0, 0)))
    whole = Trainer(run, images, CPU)
    rates, losses = set(), []
    while whole.step < run.steps:
        whole.advance()
        rates.add(whole.optimiser.lr)
        losses.append(whole.plateau.best_loss)
    assert len(rates) > 1 and all(rate in [0.01 * 0.5**k for k in range(20)] for rate in rates)
    assert losses[-1] < losses[4] and losses == sorted(losses, reverse=True)
    parts = Trainer(run, images, CPU)
    while parts.step < run.steps:
        parts.advance()
        if parts.step % 3 == 0:
            save_tensors(tmp_path / "state", *parts.state())
            parts = Trainer(run, images, CPU)
            parts.restore(*load_tensors(tmp_path / "state"))
    expected = whole.result()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in parts.result().items())
    assert (whole.plateau.best_epoch < run.steps and selection == "best_validation") == any(
        not torch.equal(tensor, whole.tensors()[name]) for name, tensor in expected.items()
    )


def test_the_rate_is_halved_by_keras_rule_and_the_selection_is_by_the_lowest_loss() -> None:
    """ReduceLROnPlateau(factor 0.5, patience 2, min_delta 0.1) by hand: too small an improvement counts as none, the count starts anew
    after each halving; the best weights are those of the lowest loss, however small its lead."""
    plateau = Plateau(patience=2, min_delta=0.1)
    rate, rates, best = 1.0, [], []
    for step, loss in enumerate([1.0, 0.5, 0.45, 0.41, 0.39, 0.38, 0.20, 0.15], 1):
        _, halve = plateau.update(loss, step)
        rate *= 0.5 if halve else 1.0
        rates.append(rate)
        best.append(plateau.best_epoch)
    #               1.0  0.5  .45  .41: two epochs within 0.1 of 0.5   .39 improves  .38  .20 improves  .15
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert best == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_encoders_input_noise_is_clipped_at_one_standard_deviation_and_the_image_is_not() -> None:
    """Ghosh et al. clip the noise that they add for WAE on CelebA, not the sum."""
    trainer = Trainer(
        a_run("wae", network="ghosh_32_grey", width=2, input_noise=0.01), np.pad(blobs(), ((0, 0), (12, 12), (12, 12), (0, 0))), CPU
    )
    x = trainer.batch()
    noise = trainer.model.corrupted(x, trainer.noise) - x
    assert noise.abs().max().item() == pytest.approx(0.01, rel=1e-4)
    clipped = (noise.abs() > 0.00999).double().mean().item()
    assert clipped == pytest.approx(0.3173, abs=0.02)  # P(|ξ| > 1)
    assert (x + noise).min() < 0
    assert Trainer(a_run(), blobs(), CPU).model.corrupted(x, trainer.noise) is None


def test_validation_images_are_not_trained_on() -> None:
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1).repeat(8, 1).repeat(8, 2)
    trainer = Trainer(a_run(train_images=60, validation_images=30), images, CPU)
    assert sorted(trainer.images[:, 0, 0, 0].tolist()) == list(range(60))
    assert sorted(trainer.validation[:, 0, 0, 0].tolist()) == list(range(60, 90))
    with pytest.raises(UserError, match="toy has 100 images; train_images 80 and validation_images 30 need more"):
        Trainer(a_run(train_images=80, validation_images=30), images, CPU)


@pytest.mark.parametrize("model, changes", [("vae", {}), ("wae", {"network": "ghosh_32_grey", "width": 2}), ("lpga", {})])
def test_a_remainder_of_one_validation_image_is_filled_up_to_a_batch(model: str, changes: dict[str, object], tmp_path: Path) -> None:
    run = a_run(model, selection="best_validation", validation_images=17, train_images=32, warmup_steps=0, steps=6, **changes)
    images = blobs(60) if not changes else np.pad(blobs(60), ((0, 0), (12, 12), (12, 12), (0, 0)))
    trainer = Trainer(run, images, CPU)
    while trainer.step < run.steps:
        trainer.advance()
    assert 0 < trainer.plateau.best_loss < np.inf and trainer.plateau.best_epoch > 0
    seen = []
    trainer.scaled = lambda images: seen.append(len(images)) or Trainer.scaled(trainer, images)
    trainer.validate()
    assert seen == [16, 16]
    with pytest.raises(UserError, match="batches of 1 image"):
        Trainer(a_run(model, validation_images=1, **changes), images, CPU)


def test_a_validation_loss_that_is_not_finite_stops_the_run_by_name_and_in_the_warm_up_does_not_count() -> None:
    run = a_run(lr_patience=1, selection="best_validation", train_images=40, validation_images=16)
    trainer = Trainer(run, blobs(), CPU)
    trainer.model.terms["lr_h"] = Term(loss=lambda: torch.tensor(float("nan")), meaning="broken")
    trainer.step = 5
    trainer.validate()
    assert trainer.optimiser.lr == run.learning_rate and not trainer.best
    trainer.step = 20
    with pytest.raises(Diverged, match=r"stopped at step 20: term lr_h \(broken\) is nan on the validation images"):
        trainer.validate()


def test_kill_9_of_the_command_then_the_same_command(tmp_path: Path) -> None:
    script = (
        "import sys, torch; from pathlib import Path; sys.path.insert(0, 'tests/training'); from test_training import *\n"
        "run = a_run('vpga', steps=600)\n"
        "train(run, blobs(), 'data', 'code', CPU, Path(sys.argv[1]), Path(sys.argv[2]), every_s=0.02)\n"
    )

    command = [sys.executable, "-c", script, str(tmp_path / "killed"), str(tmp_path / "scratch2")]
    train(a_run("vpga", steps=600), blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "scratch1")
    kills = 0
    while not (tmp_path / "killed" / "run.json").exists():
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        if kills < 2:
            folder = tmp_path / "scratch2"
            states = set(folder.glob("*/state.safetensors"))
            before = {path: path.stat().st_mtime_ns for path in states}
            while process.poll() is None:  # until a checkpoint of this very process is there
                if any(before.get(path) != path.stat().st_mtime_ns for path in folder.glob("*/state.safetensors")):
                    process.kill()
                    kills += 1
                    break
                time.sleep(0.005)
        process.wait()
    assert kills == 2
    assert read_record(tmp_path / "killed/run.json")["start_up_and_write_s"] > 0
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")
    histories = [
        [line.rsplit(",", 1)[0] for line in (tmp_path / name / "history.csv").read_text().splitlines()] for name in ("killed", "whole")
    ]
    assert histories[0] == histories[1]  # but for the last column, images per second
    assert not list((tmp_path / "scratch2").iterdir())  # nothing is left behind


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_schedulers_signal_saves_and_says_so(name: str, tmp_path: Path) -> None:
    run = a_run(steps=200)
    original = Trainer.advance

    def advance(self: Trainer) -> None:
        original(self)
        if self.step == 50:
            os.kill(os.getpid(), signal.Signals[name])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", advance)
        with pytest.raises(UserError, match=f"{name} after step 5[0-9] of 200") as stopped:
            train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    assert stopped.value.exit_status == 143
    assert not (tmp_path / "out").exists()
    train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    assert json.loads((tmp_path / "out/run.json").read_text())["resumed_at_steps"] == [50]
    train(run, blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "scratch2")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_a_checkpoint_of_other_parameters_data_or_code_is_not_resumed(tmp_path: Path) -> None:
    from pga.training.loop import checkpoint_folder

    same = checkpoint_folder(tmp_path, a_run(), "data", "code", CPU)
    assert same == checkpoint_folder(tmp_path, a_run(), "data", "code", CPU)
    others = [
        (a_run(learning_rate=0.06), "data", "code"),
        (a_run(), "other", "code"),
        (a_run(), "data", "other"),
        (a_run(seed=4), "data", "code"),
    ]
    assert same not in {checkpoint_folder(tmp_path, *other, CPU) for other in others}


@pytest.mark.parametrize("model", ["lpga", "vae"])
def test_divergence_stops_with_step_term_and_advice(model: str, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"toy/.*seed 3, stopped at step \d+: .*learning_rate"):
        train(a_run(model, learning_rate=1e4), blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    assert not (tmp_path / "out").exists()


def test_another_attempt_at_a_run_that_diverges_says_the_same_after_the_steps_since_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a scheduler's retries cost: attempts cannot be told apart, and none starts from step 0."""
    steps: list[int] = []
    advance = Trainer.advance
    monkeypatch.setattr(Trainer, "advance", lambda trainer: (steps.append(trainer.step), advance(trainer)))
    said = []
    for _ in range(3):
        with pytest.raises(Diverged) as stopped:
            train(a_run(epsilon=1e-42), blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch", every_s=0.0)
        said.append(str(stopped.value))
    assert said[0] == said[1] == said[2]
    last = max(steps)
    assert last > 3 and steps == [*range(last + 1), last, last]


def test_a_bad_state_never_replaces_a_good_checkpoint() -> None:
    trainer = Trainer(a_run(), blobs(), CPU)
    with torch.no_grad():
        next(trainer.decoder.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(Diverged, match=r"decoder\..* is not finite"):
        trainer.state()


def test_training_reduces_the_reconstruction_error_and_records_every_term(tmp_path: Path) -> None:
    train(a_run(steps=400), blobs(), "data", "code", CPU, tmp_path, tmp_path / "scratch")
    with open(tmp_path / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert set(MODELS["lpga"]) | {"step", "encoder_loss", "decoder_loss", "images_per_s"} == set(rows[0])
    assert float(rows[-1]["r"]) < 0.3 * float(rows[0]["r"])


def test_each_epoch_shows_every_image_once() -> None:
    images = np.arange(64, dtype=np.uint8).reshape(64, 1, 1, 1).repeat(8, 1).repeat(8, 2)
    trainer = Trainer(a_run(), images, CPU)
    seen: list[int] = []
    for trainer.step in range(8):
        seen += ((trainer.batch()[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
    assert sorted(seen[:64]) == list(range(64)) == sorted(seen[64:])
    assert seen[:64] != seen[64:]


def test_a_long_training_on_a_cpu_is_warned_of_with_hours_and_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pga.training.loop.MEASURED_S", 0.0)
    monkeypatch.setattr("pga.runtime.progress.LINE_EVERY_S", 0.0)
    advance = Trainer.advance

    def three_steps(self: Trainer) -> None:
        if self.step == 3:
            raise Diverged("enough")
        advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", three_steps)
        with pytest.raises(Diverged, match="enough"):
            train(a_run(steps=10**9), blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    said = capsys.readouterr().err
    assert re.search(r"^warning: on this CPU the 999,999,999 steps left of toy/lpga seed 3 take \d+ hours \(\d+\.\d days\)", said, re.M)
    assert said.count("warning:") == 1
    assert len(re.findall(r"^toy/lpga seed 3: \d/1000000000 step  .+ step/s  \d+ d \d+ h left", said, re.M)) == 3
    train(a_run(), blobs(), "data", "code", CPU, tmp_path / "short", tmp_path / "scratch")
    assert "warning:" not in capsys.readouterr().err


def test_a_longer_run_in_the_place_of_a_finished_one_says_why_it_does_not_continue_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in (a_run(), a_run(), a_run(learning_rate=0.01)):
        train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
        assert "note:" not in capsys.readouterr().err
    train(a_run(learning_rate=0.01, steps=90), blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    assert f"note: {tmp_path}/out holds this run with steps 60. With steps 90 it begins at step 0: " in capsys.readouterr().err
    train(a_run(learning_rate=0.01, steps=90), blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "scratch")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_snapshots_are_the_decoder_of_their_step(tmp_path: Path) -> None:
    run = a_run()
    train(run, blobs(), "data", "code", CPU, tmp_path, tmp_path / "scratch")
    _, snapshots = load_snapshots(tmp_path / "snapshots.safetensors", CPU)
    assert [step for step, _ in snapshots] == [20, 40, 60]
    trainer = Trainer(run, blobs(), CPU)
    while trainer.step < 40:
        trainer.advance()
    expected = sample(trainer.decoder, run, 30, 16, CPU)
    assert np.array_equal(sample(snapshots[1][1], run, 30, 16, CPU), expected)


def test_a_network_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match=r"dense_8 makes images of .*\(1, 8, 8\); toy has \(1, 9, 9\)"):
        Trainer(a_run(), np.zeros((20, 9, 9, 1), np.uint8), CPU)


def test_batch_larger_than_the_data_takes_all_of_it() -> None:
    trainer = Trainer(a_run(batch_size=500), blobs(30), CPU)
    assert len(trainer.batch()) == 30
    trainer.advance()
