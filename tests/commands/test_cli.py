"""The command line: help without torch, mistakes answered by name and without a traceback."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stored import write_prepared
from terminal import in_a_terminal

import pga
from pga.cli import VERBS, main, parser_for
from pga.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "sklearn", "pydantic", "yaml"}
"""What a person who asks for help should not wait for; torch alone takes seconds."""


def run_module(*arguments: str, options: tuple[str, ...] = (), cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-m", "pga", *arguments]
    return subprocess.run(command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}, capture_output=True, text=True)


def test_every_verb_of_the_pipeline_is_there() -> None:
    assert {"fetch", "prepare", "train", "sample", "evaluate", "table", "figure"} <= set(VERBS)


def test_verbs_and_their_modules_are_the_same() -> None:
    assert {path.stem for path in (ROOT / "pga" / "commands").glob("*.py")} - {"__init__"} == set(VERBS)


@pytest.mark.parametrize("arguments", [("--help",), *((verb, "--help") for verb in VERBS)], ids=" ".join)
def test_help_shows_an_example_and_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    done = run_module(*arguments, options=("-X", "importtime"))
    imported = {name.strip().split(".")[0] for name in re.findall(r"^import time:.*\|([^|]*)$", done.stderr, re.MULTILINE)}
    assert "pga" in imported  # or nothing was recorded
    # metrics and tables explain themselves: the modules that say what there is are imported, a tenth of a second
    assert not imported & HEAVY - {"evaluate": {"numpy"}, "table": {"numpy", "pydantic"}}.get(arguments[0], set())
    assert done.returncode == 0
    assert re.search(rf"^usage: pga {'' if len(arguments) == 1 else arguments[0]}", done.stdout)
    assert re.search(r"^example:\n  pga \w+", done.stdout, re.MULTILINE)
    assert not [line for line in done.stdout.splitlines() if len(line) > 80 or line.endswith("-")]


def test_the_overview_lists_every_verb_with_what_it_does() -> None:
    text = run_module("--help").stdout
    for verb, line in VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(line)}$", text, re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_is_a_command_that_is_accepted(verb: str) -> None:
    example = importlib.import_module(f"pga.commands.{verb}").EXAMPLE
    program, named, *arguments = shlex.split(example)
    assert (program, named) == ("pga", verb)
    assert callable(parser_for(verb).parse_args(arguments).verb)


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_and_argument_is_explained(verb: str) -> None:
    unexplained = [action.dest for action in parser_for(verb)._actions if not action.help]
    assert not unexplained


def test_the_version_is_the_packages() -> None:
    done = run_module("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"pga {pga.__version__}")


@pytest.mark.parametrize("arguments", [(), ("frobnicate",), ("frobnicate", "--help"), ("--frobnicate",)], ids=" ".join)
def test_an_unknown_verb_or_none_is_wrong_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "usage: pga" in message and ("'frobnicate'" if "frobnicate" in arguments else "VERB") in message


@pytest.mark.parametrize(
    "line, named",
    [
        ("train --params p.yaml --dataset digits --model lpga --out o", "--seed"),
        ("train --params p.yaml --dataset digits --model lpga --out o --seed first", "first"),
        ("train --params p.yaml --dataset digits --model lpga --out o --seed 0 --sed 1", "--sed"),
        ("sample --ru run --out o", "--run"),  # an abbreviation would change its meaning when a flag is added
        ("sample --run run --out o --density uniform", "uniform"),
        ("reference digits --split all --extractor classifier --weights w --out o", "all"),
        ("table table9 --params p.yaml --metrics m.csv --out-dir o", "table9"),
        ("prepare", "dataset"),
        ("prepare digits mnist", "mnist"),
    ],
)
def test_wrong_arguments_are_named(line: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(line.split())
    assert stopped.value.code == 2
    assert re.search(rf"{re.escape(named)}\b", capsys.readouterr().err.splitlines()[-1])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder but for a prepared data set `toy` without labels; the current folder is the project's."""
    monkeypatch.chdir(ROOT)
    np.save(tmp_path / "toy.npy", np.zeros((20, 8, 8, 1), np.uint8))
    write_prepared(tmp_path, "toy")
    np.save(tmp_path / "floats.npy", np.zeros((20, 8, 8, 1), np.float32))
    (tmp_path / "text.txt").write_text("neither YAML: nor: anything\n")
    return tmp_path


TRAIN = "train --seed 0 --out {0}/out --scratch {0}/scratch --data {0}"
EVALUATE = "evaluate --dataset toy --model lpga --seed 0 --out {0}/out"
CURVE = "curve --extractor classifier --out {0}/out"


@pytest.mark.parametrize(
    "line, named",
    [
        ("fetch nosuch", r"params/sources.yaml: no source 'nosuch'; there are mnist"),
        ("fetch mnist --file nosuch --out {0}/out", "nosuch"),
        ("fetch mnist --sources {0}/nosuch.yaml", "nosuch.yaml"),
        ("prepare nosuch", "params/datasets.yaml: no data set 'nosuch'; there are digits"),
        ("prepare digits --datasets {0}/nosuch.yaml", "nosuch.yaml"),
        ("prepare mnist --raw {0} --out {0}/out", "train-images-idx3-ubyte.gz: no such file"),
        ("params --params {0}/nosuch.yaml", "nosuch.yaml"),
        ("params --params {0}/text.txt", "text.txt"),
        ("params --params {0}", "{0}"),
        ("params --params params/quick.yaml --dataset nosuch", "no data set 'nosuch'; there are digits"),
        (TRAIN + " --params {0}/nosuch.yaml --dataset digits --model lpga", "nosuch.yaml"),
        (TRAIN + " --params params/quick.yaml --dataset nosuch --model lpga", "no data set 'nosuch' in this experiment; there are digits"),
        (TRAIN + " --params params/quick.yaml --dataset digits --model nosuch", "no run 'nosuch' on digits; there are vae, lpga"),
        (TRAIN + " --params params/quick.yaml --dataset digits --model lpga", r"digits.npy: no such file; `pga prepare digits` makes it"),
        (TRAIN.replace("--seed 0", "--seed -1") + " --params p --dataset d --model m", "--seed -1: accepted are 0 to 2147483647"),
        (EVALUATE.replace("seed 0", "seed -1") + " --samples s --extractor classifier --weights w --reference r", "--seed -1: accepted"),
        ("figure figur2 --params params/quick.yaml --out-dir {0}/out", "no figure 'figur2'; there are figure1, figure2"),
        ("sample --run {0}/nosuch --out {0}/out.jpg", r"--out {0}/out.jpg: accepted are a .npy file, a .png file, or a folder"),
        (TRAIN + " --params params/quick.yaml --dataset digits --model lpga --expect abc", "parameters of digits/lpga changed"),
        ("sample --run {0}/nosuch --out {0}/out", "nosuch: no such file"),
        ("sample --run {0} --out {0}/out", "model.safetensors: no such file"),
        ("sample --run {0}/text.txt --out {0}/out", "text.txt: not a file of this program's"),
        ("sample --run {0}/nosuch --out {0}/out --device tpu", "tpu"),
        ("classifier toy --data {0} --out {0}/out", "toy-labels.npz"),
        ("classifier nosuch --data {0} --out {0}/out", "nosuch"),
        ("reference toy --data {0} --extractor classifier --weights {0}/nosuch --out {0}/out", "nosuch: no such file"),
        ("reference toy --data {0} --extractor inception-tf1 --weights {0}/nosuch --out {0}/out", "nosuch: no such file"),
        ("reference toy --data {0} --extractor inception-tf1 --weights {0}/text.txt --out {0}/out", "text.txt: its SHA-256"),
        ("reference nosuch --data {0} --extractor classifier --weights {0}/w --out {0}/out", "nosuch.npy: no such file"),
        ("reference toy --split test --data {0} --extractor classifier --weights {0}/w --out {0}/out", "toy-test.npy: no such file"),
        (EVALUATE + " --samples {0}/s --reference {0}/r --extractor classifier --weights {0}/nosuch", "nosuch: no such file"),
        (CURVE + " --run {0}/s --reference {0}/r --weights {0}/nosuch", "s: no such file"),
        ("collect --params {0}/nosuch.yaml --out {0}/out", "nosuch.yaml"),
        ("table table1 --params {0}/nosuch.yaml --metrics {0}/m.csv --out-dir {0}/out", "nosuch.yaml"),
        ("table table1 --params params/quick.yaml --metrics {0}/nosuch.csv --out-dir {0}/out", "nosuch.csv"),
        (
            "table table1 --params params/quick.yaml --metrics {0}/text.txt --claims {0}/nosuch.yaml --out-dir {0}/out",
            "text.txt: not a table of metrics",
        ),
        ("figure figure2 --params {0}/nosuch.yaml --out-dir {0}/out", "nosuch.yaml"),
        ("figure nosuch --params params/quick.yaml --out-dir {0}/out", "no figure 'nosuch'; there are figure1, figure2"),
        ("figure figure2 --params params/smoke.yaml --out-dir {0}/out", "missing under results/smoke: mnist/lpga/seed0/prior/samples.npy"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(line: str, named: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = line.format(place).split()
    assert main(arguments) == 1  # an exception here would be a traceback there
    message = capsys.readouterr().err
    assert f"pga {arguments[0]}: error: " in message
    assert named.format(place) in message
    assert not (place / "out").exists()


@pytest.mark.parametrize("samples, named", [("nosuch.npy", "nosuch.npy: no such file"), ("floats.npy", "floats.npy: found float32")])
def test_samples_that_are_absent_or_no_images_are_named(
    samples: str, named: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pga.evaluation import of_files

    class Extractor:
        label, dim, digest, accuracy = "classifier", 2, "abc", None

    monkeypatch.setattr(of_files, "load_extractor", lambda *_: Extractor())
    np.savez(place / "r.npz", mu=np.zeros(2), sigma=np.eye(2))
    line = EVALUATE + f" --samples {{0}}/{samples} --reference {{0}}/r.npz --foreign classifier --extractor classifier --weights {{0}}/w"
    assert main(line.format(place).split()) == 1
    assert named in capsys.readouterr().err


def test_a_mistake_is_one_line_without_a_traceback(place: Path) -> None:
    done = run_module("sample", "--run", str(place / "nosuch"), "--out", str(place / "out"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[1:] == [f"pga sample: error: {place / 'nosuch'}: no such file"]  # the first names the device


@pytest.mark.parametrize(
    "error, status, said",
    [(UserError("a file: what is wrong"), 1, "pga fetch: error: a file: what is wrong"), (KeyboardInterrupt(), 130, "interrupted")],
    ids=["mistake", "interrupted"],
)
def test_exit_status_tells_what_happened(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pga.commands import fetch

    def fail(arguments: object) -> None:
        raise error

    monkeypatch.setattr(fetch, "run", fail)
    assert main(["fetch", "mnist"]) == status
    assert said in capsys.readouterr().err


def test_a_stop_by_a_scheduler_has_a_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from pga.commands import fetch
    from pga.training.loop import Stopped

    def stop(arguments: object) -> None:
        raise Stopped("stopped by SIGTERM")

    monkeypatch.setattr(fetch, "run", stop)
    assert main(["fetch", "mnist"]) == 143


def test_a_mistake_of_the_programs_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    from pga.commands import fetch

    def fail(arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fetch, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["fetch", "mnist"])


@pytest.mark.parametrize("flags", [[], ["--csv"]], ids=["table", "csv"])
def test_params_prints_every_value_with_its_origin(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["params", "--params", "params/quick.yaml", "--dataset", "digits", *flags]) == 0
    text = capsys.readouterr().out
    if flags:
        lines = text.splitlines()
        assert lines[0] == "dataset,run,key,value,origin"
        assert "digits,lpga,gamma,0.015,paper" in lines and "digits,vae,c,0.05,inferred" in lines
    else:
        [row] = [line.split() for line in text.splitlines() if line.startswith("gamma")]
        assert row[1:6] == ["–", "0.015·paper", "–", "0.0·code", "0.015·inferred"]  # vae, lpga, vpga, lvpga, lpga_ablation


def test_the_table_of_parameters_stands_in_a_terminal_in_parts() -> None:
    command = [sys.executable, "-m", "pga", "params", "--params", "params/quick.yaml"]
    lines = in_a_terminal(command, ROOT, {**os.environ, "PYTHONPATH": str(ROOT)}).splitlines()
    assert max(map(len, lines)) <= 80
    [first, *_] = [line.split() for line in lines if line.startswith("gamma")]
    assert first == ["gamma", "–", "0.015·paper", "–"]
    assert {word for line in lines for word in line.split()} >= {"vae_wide", "lpga_resnet", "true·inferred"}


def test_a_reader_who_has_seen_enough_causes_no_traceback() -> None:
    command = [sys.executable, "-m", "pga", "params", "--params", "params/paper.yaml", "--csv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()  # as `| head` does, here before anything is written
        said = process.stderr.read()
    assert "Traceback" not in said and "Exception" not in said


@pytest.mark.parametrize("change", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_parameters_are_printed_where_python_takes_text_for_ascii(change: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pga", "params", "--params", "params/quick.yaml"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **change}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stdout.isascii() and b"lpga" in done.stdout


@pytest.mark.parametrize("options", ["-n --forcerun figure", "-n --until train", "--resources gpu=1", "--quiet"])
def test_make_quick_names_its_target_before_options_that_take_lists(options: str) -> None:
    done = subprocess.run(["make", "-n", "quick", f"ARGS={options}"], cwd=ROOT, capture_output=True, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if "snakemake quick" in line]
    assert line.endswith(f"snakemake quick --cores 2 {options}")
