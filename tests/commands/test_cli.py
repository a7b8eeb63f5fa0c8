"""The command line: help without torch, mistakes answered by name and without a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stored import write_prepared
from terminal import in_a_terminal

import pga
from pga.cli import VERBS, main, parser_for
from pga.commands import fetch
from pga.runtime.errors import UserError
from pga.training.loop import Stopped

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "sklearn", "pydantic", "yaml"}
"""What a person who asks for help should not wait for; torch alone takes seconds."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
ASK_ALL = """
import contextlib, io, json, sys
from pga.cli import VERBS, main

found = {}
for arguments in ([], *([verb] for verb in sorted(VERBS, key=("evaluate", "table").__contains__))):
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        main([*arguments, "--help"])
    found[" ".join(arguments)] = shown.getvalue(), [name for name in sys.modules if "." not in name]
print(json.dumps(found))
"""
"""Ask for all help in one process; the verbs last that explain what there is to choose from by importing it, a tenth of a second."""


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pga", *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)


def test_verbs_and_their_modules_are_the_same() -> None:
    assert {path.stem for path in (ROOT / "pga" / "commands").glob("*.py")} - {"__init__"} == set(VERBS)


def test_help_shows_an_example_explains_every_argument_and_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", ASK_ALL], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    helped = json.loads(done.stdout)
    for verb, (text, imported) in helped.items():
        assert HEAVY & set(imported) <= ({"numpy", "pydantic"} if verb in ("evaluate", "table") else set()), verb
        assert re.search(rf"^usage: pga {verb}", text) and re.search(r"^example:\n  pga \w+", text, re.MULTILINE)
        assert not [line for line in text.splitlines() if len(line) > 80 or line.endswith("-")]
        assert not verb or not [action.dest for action in parser_for(verb)._actions if not action.help]
    overview = helped[""][0]
    assert all(re.search(rf"^  {verb} +{re.escape(line)}$", overview, re.MULTILINE) for verb, line in VERBS.items())


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"pga {pga.__version__}\n"


@pytest.mark.parametrize(
    "line, named",
    [
        ("", "VERB"),
        ("frobnicate --help", "'frobnicate'"),
        ("train --params p.yaml --dataset digits --model lpga --out o", "--seed"),
        ("sample --ru run --out o", "--run"),  # an abbreviation would change its meaning when a flag is added
        ("table table9 --params p.yaml --metrics m.csv --out-dir o", "table9"),
        ("prepare", "dataset"),
    ],
)
def test_wrong_usage_is_named(line: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(line.split())
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "usage: pga" in said and named in said.splitlines()[-1]


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
        (EVALUATE + " --samples {0}/nosuch.npy --metrics sharpness", "nosuch.npy: no such file"),
        (EVALUATE + " --samples {0}/floats.npy --metrics sharpness", "floats.npy: found float32"),
        (CURVE + " --run {0}/s --reference {0}/r --weights {0}/nosuch", "s: no such file"),
        ("collect --params {0}/nosuch.yaml --out {0}/out", "nosuch.yaml"),
        ("table table1 --params {0}/nosuch.yaml --metrics {0}/m.csv --out-dir {0}/out", "nosuch.yaml"),
        ("table table1 --params params/quick.yaml --metrics {0}/nosuch.csv --out-dir {0}/out", "nosuch.csv"),
        (
            "table table1 --params params/quick.yaml --metrics {0}/text.txt --claims {0}/nosuch.yaml --out-dir {0}/out",
            "text.txt: not a table of metrics",
        ),
        ("figure figure2 --params {0}/nosuch.yaml --out-dir {0}/out", "nosuch.yaml"),
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


def test_a_mistake_is_one_line_without_a_traceback(place: Path) -> None:
    done = run_module("sample", "--run", str(place / "nosuch"), "--out", str(place / "out"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[1:] == [f"pga sample: error: {place / 'nosuch'}: no such file"]  # the first names the device


@pytest.mark.parametrize(
    "error, status, said",
    [
        (UserError("a file: what is wrong"), 1, "pga fetch: error: a file: what is wrong"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Stopped("stopped by SIGTERM"), 143, "stopped by SIGTERM"),
    ],
    ids=["mistake", "interrupted", "stopped by a scheduler"],
)
def test_exit_status_tells_what_happened(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: object, error: BaseException = error) -> None:
        raise error

    monkeypatch.setattr(fetch, "run", fail)
    assert main(["fetch", "mnist"]) == status
    assert said in capsys.readouterr().err
    monkeypatch.setattr(fetch, "run", lambda arguments: fail(arguments, ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):  # a mistake of the program's own is not hidden
        main(["fetch", "mnist"])


def test_params_prints_every_value_with_its_origin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    command = ["params", "--params", "params/quick.yaml", "--dataset", "digits"]
    assert main(command) == 0
    [row] = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("gamma")]
    assert row[1:6] == ["–", "0.015·paper", "–", "0.0·code", "0.015·inferred"]  # vae, lpga, vpga, lvpga, lpga_ablation
    assert main([*command, "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dataset,run,key,value,origin"
    assert "digits,lpga,gamma,0.015,paper" in lines and "digits,vae,c,0.05,inferred" in lines


def test_the_table_of_parameters_stands_in_a_terminal_in_parts() -> None:
    command = [sys.executable, "-m", "pga", "params", "--params", "params/quick.yaml"]
    lines = in_a_terminal(command, ROOT, ENVIRONMENT).splitlines()
    assert max(map(len, lines)) <= 80
    [first, *_] = [line.split() for line in lines if line.startswith("gamma")]
    assert first == ["gamma", "–", "0.015·paper", "–"]
    assert {word for line in lines for word in line.split()} >= {"vae_wide", "lpga_resnet", "true·inferred"}


def test_a_reader_who_has_seen_enough_causes_no_traceback() -> None:
    command = [sys.executable, "-m", "pga", "params", "--params", "params/paper.yaml", "--csv"]
    environment = ENVIRONMENT
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()  # as `| head` does, here before anything is written
        said = process.stderr.read()
    assert "Traceback" not in said and "Exception" not in said


def test_parameters_are_printed_where_python_takes_text_for_ascii() -> None:
    change = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "pga", "params", "--params", "params/quick.yaml"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **change}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stdout.isascii() and b"lpga" in done.stdout


def test_make_quick_names_its_target_before_options_that_take_lists() -> None:
    done = subprocess.run(["make", "-n", "quick", "ARGS=-n --forcerun figure"], cwd=ROOT, capture_output=True, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if "snakemake quick" in line]
    assert line.endswith("snakemake quick --cores 2 -n --forcerun figure")
