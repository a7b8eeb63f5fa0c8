"""The workflow on the real DAG: what a change reruns and what it does not, kills, and plans of the paper's experiment."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from dag import finished_rules, jobs, snakemake, trainings, write_only
from experiments import TINY
from kills import OFFLINE, campaign, running, start, write_checkpoints_all_the_time
from PIL import Image

TARGETS = ["results/tiny/table1.csv", "results/tiny/figures/figure2.png"]
LPGA = "results/tiny/digits/lpga/seed0/model.safetensors"
SECRET = "never-to-be-told"
Edit = Callable[[str, str, str], None]


def plan(project: Path, *targets: str) -> str:
    """What a dry run says."""
    done = snakemake(project, "-n", *(targets or TARGETS))
    return done.stdout + done.stderr


LISTENER = """
import os, sys

def listen(event, arguments):
    asked = event in ("socket.getaddrinfo", "socket.gethostbyname") or (
        event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple)
    )
    if asked:
        say(f"network {event} {arguments!r}")

def say(text):
    with open(os.path.join(os.path.dirname(__file__), "heard"), "a") as file:
        file.write(text + "\\n")

say("started")
sys.addaudithook(listen)
"""
"""A sitecustomize.py that writes down every process which Python starts in, and all of their calls for a network, answered or not."""


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the listener."""
    folder = tmp_path_factory.mktemp("listener")
    (folder / "sitecustomize.py").write_text(LISTENER)
    return folder


@pytest.fixture(scope="module")
def finished(shared_project: Path, listener: Path) -> Path:
    """A project in which the tiny experiment is complete; whether it asked for a network has been listened to."""
    project = shared_project
    write_only(project, "tiny", TINY)
    modules = os.pathsep.join([str(listener), str(project)])
    done = snakemake(project, "--verbose", *TARGETS, modules=modules, AWS_SECRET_ACCESS_KEY=SECRET)
    (project / "said").write_text(done.stdout + done.stderr)
    return project


@pytest.fixture(scope="module", autouse=True)
def undisturbed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished experiment's results and data alone, before any test adds to them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name in ("results", "data"):
        shutil.copytree(finished / name, folder / name)
    return folder


@pytest.fixture
def edited(finished: Path) -> Iterator[Edit]:
    """`edit(file, old, new)` on the finished project; everything is put back afterwards."""
    before: dict[Path, tuple[bytes, os.stat_result]] = {}

    def edit(file: str, old: str, new: str) -> None:
        path = finished / file
        before.setdefault(path, (path.read_bytes(), path.stat()))
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    yield edit
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_workflow_looks_for_a_job_when_one_ended_and_at_no_other_time(finished: Path) -> None:
    """Snakemake's own default adds a timer for each job that ended, a thread that has it look through all ready ones once a second."""
    said = (finished / "said").read_text()
    assert 0 < said.count("Ready jobs: ") <= jobs(said).total() + 1


CHANGES = {
    "comments, layout, an origin, what concerns others": (
        [
            ("pga/method/losses.py", "    return (x_hat - x)", "    # the mean\n    return (x_hat - x)"),
            ("pga/method/losses.py", "return 0.5 * z.square().mean()", "return (\n        0.5 * z.square().mean()\n    )"),
            ("params/tiny.yaml", "gamma: [0.015, paper]", "gamma: [0.015, code]"),
            ("params/sources.yaml", "value: 6726825d", "value: 0726825d"),
        ],
        [],
    ),
    "a parameter of one model": ([("params/tiny.yaml", "gamma: [0.015,", "gamma: [0.02,")], ["lpga"]),
    "a loss of one model": ([("pga/method/losses.py", "log_var - 1.0).mean()", "log_var - 1.5).mean()")], ["vae"]),
    "the step": ([("pga/data/pixels.py", "/ 127.5 - 1.0", "/ 128.0 - 1.0")], ["lpga", "vae"]),
    "one more seed": ([("params/tiny.yaml", "seeds: [0]", "seeds: [0, 1]")], ["lpga1", "vae1"]),
    "a figure's note": ([("params/tiny.yaml", "figure2: {", "figure2: {note: Look closely., ")], []),
}
"""What is edited → what is trained again. What changes nothing changes nothing together; tests/fingerprints has the rest of the code."""
RULES = {
    "one more seed": {"train": 2, "sample": 2, "evaluate": 2, "collect_shown": 1, "table1": 1, "figure": 1},
    "a figure's note": {"figure": 1},
}
"""What is edited → all jobs that are planned for it."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_retrains_exactly_what_it_affects(change: str, finished: Path, edited: Edit) -> None:
    edits, models = CHANGES[change]
    for edit in edits:
        edited(*edit)
    said = plan(finished)
    assert trainings(said) == models
    assert change not in RULES or jobs(said) == RULES[change]


def test_pixels_are_measured_beside_features_and_alone_without_labels_or_weights(finished: Path) -> None:
    found = json.loads((finished / "results/tiny/digits/lpga/seed0/prior/metrics.json").read_text())
    assert [metric["metric"] for metric in found["metrics"]] == ["classifier_fd", "swd", "sharpness"]
    alone = TINY.replace("{extractor: classifier, metrics: [swd, sharpness]}", "{extractor: pixels}").replace("tiny", "pixels")
    (finished / "params/pixels.yaml").write_text(alone)
    try:
        snakemake(finished, "results/pixels/digits/lpga/seed0/prior/metrics.json", "results/pixels/digits/lpga/seed0/curve.csv")
        [metric] = json.loads((finished / "results/pixels/digits/lpga/seed0/prior/metrics.json").read_text())["metrics"]
        assert (metric["metric"], metric["reference"], metric["reference_n"]) == ("swd", "train", 1437) and metric["value"] > 0
        assert "swd" in (finished / "results/pixels/digits/lpga/seed0/curve.csv").read_text()
        assert not set(jobs(plan(finished, "results/pixels/table1.csv", "results/pixels/report.html"))) & {"classifier", "reference"}
    finally:
        (finished / "params/pixels.yaml").unlink()


def test_new_data_retrains_everything_and_a_touched_file_nothing(finished: Path) -> None:
    path = finished / "data/processed/digits.npy"
    content, stat = path.read_bytes(), path.stat()
    os.utime(path)
    assert trainings(plan(finished)) == []
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert trainings(plan(finished)) == ["lpga", "vae"]
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


PREPARED = [f"data/processed/digits{kind}" for kind in (".npy", "-test.npy", "-labels.npz", ".json")]


def times(project: Path) -> dict[str, int]:
    return {file: (project / file).stat().st_mtime_ns for file in PREPARED}


def test_preparing_the_same_bytes_makes_nothing_else_again_and_a_failed_preparation_leaves_good_data(finished: Path, edited: Edit) -> None:
    """Were the plan kept, every training would follow: Snakemake makes it before the bytes are known."""
    code, (*arrays, _) = "pga/data/digits.py", PREPARED  # the record names the new recipe
    before = [times(finished)[file] for file in arrays]
    edited(code, "bunch.images * 255 / 16", "255 / 16 * bunch.images")
    said = snakemake(finished, *TARGETS).stderr
    assert finished_rules(said) == {"prepare_labelled"} and re.findall(r"\d+ of \d+ steps", said)[-1] == "1 of 1 steps"
    assert [times(finished)[file] for file in arrays] == before
    good = {file: (finished / file).read_bytes() for file in PREPARED}
    edited(code, "bunch = load_digits()", "bunch = load_digits().missing")
    failed = snakemake(finished, PREPARED[0], check=False)
    assert failed.returncode == 1 and "Error in rule prepare_labelled" in failed.stderr
    assert {file: (finished / file).read_bytes() for file in PREPARED} == good
    edited(code, "load_digits().missing", "load_digits()")
    edited(code, "255 / 16 * bunch.images", "bunch.images * 255 / 16")
    assert finished_rules(snakemake(finished, *TARGETS).stderr) == {"prepare_labelled"}  # tried again


def test_prepared_data_that_are_gone_come_back_and_retrain_nothing(finished: Path, edited: Edit) -> None:
    before, removed = times(finished), finished / PREPARED[0]
    content = removed.read_bytes()
    removed.unlink()
    edited("params/tiny.yaml", "seeds: [0]", "seeds: [0, 1]")
    said = plan(finished)
    assert trainings(said) == ["lpga1", "vae1"] and jobs(said)["prepare_labelled"] == 1
    assert finished_rules(snakemake(finished, PREPARED[0], LPGA).stderr) == {"prepare_labelled"}
    assert removed.read_bytes() == content
    assert times(finished) == {**before, PREPARED[0]: before[PREPARED[-1]]}, "no newer than what was made of them, should .snakemake go"


def test_data_that_differ_after_preparing_retrain_and_checkpoints_lie_where_the_caller_says(finished: Path, tmp_path: Path) -> None:
    project, scratch = shutil.copytree(finished, tmp_path / "project", symlinks=True), tmp_path / "disk"
    shutil.rmtree(project / ".pga")
    code = project / "pga/data/digits.py"
    before = code.read_text()
    code.write_text(before.replace("images * 255 / 16", "images * 254 / 16"))
    assert code.read_text() != before
    said = snakemake(project, LPGA, "--set-resources", f"train:scratch={scratch}").stderr
    assert finished_rules(said) == {"prepare_labelled", "train"}
    assert scratch.is_dir() and not (project / ".pga/checkpoints").exists()
    assert "Nothing to be done" in snakemake(project, "-n", LPGA).stdout  # without the option, too


def test_a_result_of_a_run_that_is_gone_is_noticed_though_every_table_is_there(finished: Path) -> None:
    snakemake(finished, "tiny")
    gone = [finished / "results/tiny/digits" / file for file in ("lpga/seed0/model.safetensors", "vae/seed0/prior/samples.npy")]
    for file in gone:
        file.rename(file.with_suffix(".aside"))
    for target in ("tiny", "tiny/digits"):
        found = jobs(plan(finished, target))
        assert (found["train"], found["sample"], found["evaluate"]) == (1, 2, 2)
    for file in gone:
        file.with_suffix(".aside").rename(file)


def test_a_wrong_parameter_stops_before_anything_runs(finished: Path, edited: Edit) -> None:
    edited("params/tiny.yaml", "momentum: [0.9, paper]", "momentum: [1.9, paper]")
    done = snakemake(finished, *TARGETS, check=False)
    assert done.returncode != 0
    assert done.stderr.count("params/tiny.yaml: common.momentum.0: found 1.9") == 1 and "Traceback" not in done.stderr


LEFT_OUT = {
    "broken.yaml": ("description: half a file\nresults: results/broken\ndatasets: {digits", "not YAML that is accepted here"),
    "wrong.yaml": (TINY.replace("results/tiny", "results/wrong").replace("width: [16,", "width: [-1,"), "common.width.0: found -1"),
    "quick copy.yaml": (TINY, "the name of an experiment's file is lower case letters"),
    "a&b;touch PWNED;.yaml": (TINY, "the name of an experiment's file is lower case letters"),
    "$(touch PWNED).yaml": (TINY, "the name of an experiment's file is lower case letters"),
    "train.yaml": (TINY.replace("results/tiny", "results/train"), "train is the name of a rule"),
    "another.yml": (TINY, "an experiment's file ends in .yaml"),
    "twin.yaml": (TINY, "results: results/tiny is the folder of params/tiny.yaml already"),
    "folder.yaml": (TINY.replace("results/tiny", "results/metrics"), "results: found 'results/metrics', which is a folder of the paper's"),
    "large.yaml": (TINY.replace("results/tiny", "results/large").replace("dense_8", "conv_64"), "those of digits are 8x8x1; "),
    "nodata.yaml": (TINY.replace("results/tiny", "results/nodata").replace("digits", "cats"), "datasets.cats: no such data set in"),
}
"""File of `params/` → what stands in it, what is said of it."""


@pytest.fixture
def beside(finished: Path, root: Path) -> Iterator[Path]:
    """The finished project with files that no experiment can be read from, an editor's lock among them."""
    shutil.copy(root / "params/paper.yaml", finished / "params")
    for name, (text, _) in LEFT_OUT.items():
        (finished / "params" / name).write_text(text)
    (finished / "params" / ".#tiny.yaml").symlink_to("somebody@machine.1234")
    table = finished / "params" / "datasets.yaml"
    before = table.read_text()
    table.write_text(before + "  dogs: {kind: folder, path: /dogs, size: -1}\n")
    sources = finished / "params" / "sources.yaml"
    right = sources.read_text()
    sources.write_text(right.replace("value: 6bbc9ace", "value: six"))  # of MNIST
    yield finished
    sources.write_text(right)
    table.write_text(before)
    for name in (*LEFT_OUT, ".#tiny.yaml", "paper.yaml"):
        (finished / "params" / name).unlink()


def test_a_file_that_is_not_asked_for_stops_nobody_and_one_that_is_says_why(beside: Path) -> None:
    done = snakemake(beside, *TARGETS)
    assert "Nothing to be done" in done.stderr and not (beside / "PWNED").exists()
    for name, (_, reason) in LEFT_OUT.items():
        [line] = [line for line in done.stderr.splitlines() if line.startswith(f"left out: params/{name}: ")]
        assert reason in line
    assert "#tiny" not in done.stderr and "left out: params/datasets.yaml: datasets.dogs.size: found -1" in done.stderr
    of_mnist = [line for line in done.stderr.splitlines() if "sources.mnist" in line]
    assert len(of_mnist) == 1 and "with it mnist32, params/paper.yaml" in of_mnist[0], of_mnist
    reason = "params/sources.yaml: sources.mnist.files.train-images-idx3-ubyte.gz.checksum.value: found 'six"
    for target, said_once in (
        ("broken", "params/broken.yaml: not YAML"),
        ("results/broken/table1.csv", "params/broken.yaml: not YAML"),
        ("paper", f"params/paper.yaml: {reason}"),
        ("data/processed/mnist.npy", reason),
    ):
        refused = snakemake(beside, "-n", target, check=False)
        said = refused.stdout + refused.stderr
        assert refused.returncode != 0 and "Traceback" not in said and said.count(said_once) == 1


def test_paths_of_a_parameters_file_reach_the_shell_as_one_word(finished: Path) -> None:
    """Real images in the samples' place, against statistics of another tool in a file with such a name."""
    name = "data/reference/x y;touch PWNED;$(touch PWNED).npz"
    text = TINY.replace("results/tiny", "results/quoted").replace(
        "{extractor: classifier}", f"{{extractor: classifier, foreign: {{digits/classifier-train: '{name}'}}}}"
    )
    (finished / "params/quoted.yaml").write_text(text.replace("rows: [", "rows: [{title: Test images, model: real}, "))
    np.savez(finished / name, mu=np.zeros(64), sigma=np.eye(64))
    snakemake(finished, target := "results/quoted/digits/real/seed0/prior/metrics.json")
    assert (finished / target).exists() and not (finished / "PWNED").exists()
    (finished / "params/quoted.yaml").unlink()


def test_the_papers_file_may_write_elsewhere_and_every_experiment_is_planned_whole(project: Path) -> None:
    """smoke and trial train and sample data sets without labels, which no classifier can measure."""
    paper = project / "params/paper.yaml"
    text = paper.read_text().replace("results: results\n", "results: results/elsewhere\n")
    paper.write_text(text.replace("seeds: [0, 1, 2]", "seeds: [0]"))
    done = snakemake(project, "-n", "paper", "trial", "smoke")
    assert "output: results/elsewhere/table1.csv" in done.stdout
    found = set(re.findall(r"output: results/(\w+/\w+/\w+)/seed0/prior/(\w+)\.", done.stdout))
    assert {("trial/celeba5k/lpga", "samples"), ("trial/cifar10/lpga", "metrics")} < found
    assert not {place for place, file in found if file == "metrics" and "celeba5k" in place}


@pytest.mark.slow
def test_the_whole_dag_killed_and_started_again_ends_with_the_same_bytes(finished: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Six kills over its steps, without a network where one can be taken away; `python tests/kills.py` is the long version."""
    project = tmp_path / "project"
    made = shutil.ignore_patterns("results", "data", ".snakemake", ".pga", "logs")
    shutil.copytree(finished, project, symlinks=True, ignore=lambda folder, names: made(folder, names) if folder == str(finished) else ())
    write_checkpoints_all_the_time(project)
    offline = OFFLINE if shutil.which(OFFLINE[0]) and subprocess.run([*OFFLINE, "true"], capture_output=True).returncode == 0 else ()
    steps = ("prepare", "train", "checkpoint", "sample", "evaluate", "table")
    hits = campaign(undisturbed, project, tuple(TARGETS), 6, 0, tmp_path / "log", steps, offline)
    assert hits.total() == 6


def texts(path: Path) -> str:
    """What a file says, what stands packed in a PNG included."""
    shown = "\n".join(map(str, Image.open(path).info.values())) if path.suffix == ".png" else ""
    return shown + path.read_bytes().decode("latin-1")


def test_no_artifact_and_no_log_names_this_machine_its_user_or_a_secret(finished: Path) -> None:
    names = {
        SECRET,
        str(finished),
        str(finished.parent),
        str(Path.home()) + "/",
        sys.prefix,
        socket.gethostname(),
        f"/{getpass.getuser()}/",
    }
    files = [path for folder in ("results", "data", "logs") for path in (finished / folder).rglob("*") if path.is_file()]
    assert len(files) > 50
    found = {(str(path.relative_to(finished)), name) for path in files for name in names if len(name) > 3 and name in texts(path)}
    assert found == set()


def test_of_two_workflows_in_one_folder_the_second_is_refused_and_the_first_ends_well(project: Path, tmp_path: Path) -> None:
    write_only(project, "tiny", TINY)
    first = start(project, ("data/processed/digits.npy",), tmp_path / "log")
    while first.poll() is None and "prepare" not in running(first.pid):
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # however quick its job is, it is at work until the second has spoken
    second = snakemake(project, *TARGETS, check=False)
    first.send_signal(signal.SIGCONT)
    assert second.returncode != 0 and "another snakemake is running in this folder" in second.stderr
    assert first.wait(60) == 0, (tmp_path / "log").read_text()
    assert (project / "data/processed/digits.npy").exists() and not (project / "results/tiny").exists()


def test_any_number_of_sigterms_ends_the_workflow_after_its_running_jobs(project: Path, tmp_path: Path) -> None:
    """Snakemake's own handler waits for a lock that the thread which it interrupts may hold. As a cluster's job, which calls no hooks."""
    write_only(project, "tiny", TINY)
    log = tmp_path / "log"
    process = start(project, ("--no-hooks", "--", "data/processed/digits.npy"), log)
    while process.poll() is None and "prepare" not in running(process.pid):
        time.sleep(0.05)
    while process.poll() is None and "Finished jobid" not in log.read_text():
        process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    process.wait(60)
    said = log.read_text()
    assert said.count("Will exit after finishing currently running jobs") > 10 and "Traceback" not in said and "Error: " not in said
    assert (project / "data/processed/digits.npy").exists()


def test_the_users_own_line_in_a_fresh_clone_plans_exactly_the_papers_runs(project: Path) -> None:
    text = plan(project, "--resources", "gpu=1", "--", "results/table1.csv")
    found = Counter(re.findall(r"output: results/(\w+)/(\w+)/seed\d/model\.", text))
    papers, baselines = ["vae", "lpga", "vpga", "lvpga"], ["cvvae", "wae", "rae_l2", "rae_sn"]
    ghosh = ["ghosh_vae", *(f"ghosh_{name}" for name in baselines)]
    rows = {"mnist": papers + baselines, "cifar10": papers + baselines + ghosh, "celeba": papers + baselines, "mnist32": ghosh}
    assert found == Counter({(dataset, model): 3 for dataset, models in {**rows, "celeba140": ghosh}.items() for model in models})
    sampled = re.findall(r"input: (.*)\n    output: results/mnist32/ghosh_vae/seed0/(\w+)/samples\.", text)
    read = {sampling: "data/processed/mnist32.npy" in inputs for inputs, sampling in sampled}
    assert read == {"ghosh_prior": False, "ghosh_mixture": True}  # a fitted density is fitted to the training images' codes


def asked(listener: Path, started: int) -> list[str]:
    """What was heard of a network, where more than `started` processes were listened to."""
    lines = (listener / "heard").read_text().splitlines()
    assert lines.count("started") > started
    return [line for line in lines if line.startswith("network")]


def test_no_process_of_the_workflow_asks_for_a_network(finished: Path, listener: Path) -> None:
    assert asked(listener, 10) == []
    command = [sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 9), 1)"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(listener)}, capture_output=True)
    assert any("socket.connect" in call for call in asked(listener, 11))  # it hears
    (listener / "heard").unlink()


def test_the_report_is_made_by_the_workflow_once_and_shows_its_own_rules(finished: Path, listener: Path) -> None:
    (finished / "results/tiny/report.html").unlink(missing_ok=True)
    snakemake(finished, "results/tiny/report.html", modules=os.pathsep.join([str(listener), str(finished)]))
    assert asked(listener, 1) == []
    page = (finished / "results/tiny/report.html").read_text()
    assert "train reads prepare_labelled" in page and "table1 reads collect_shown, train" in page
    assert all(f'id="digits-{model}-seed0"' in page for model in ("lpga", "vae"))
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}  # where Python takes text for ASCII
    assert "Nothing to be done" in snakemake(finished, "results/tiny/report.html", modules=str(finished), **ascii_only).stderr


def test_snakemakes_own_report_has_captions_and_categories(finished: Path, tmp_path: Path) -> None:
    snakemake(finished, "--report", str(tmp_path / "report.html"), *TARGETS)
    page = (tmp_path / "report.html").read_text()
    for said in ("Figures", "Tables", "numbers beside ours", "own statistics of the jobs"):
        assert said in page
