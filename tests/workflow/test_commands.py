"""Every command that the project prints, as it is printed; and that its pages name only what exists.

`pytest -v tests/workflow/test_commands.py` lists the commands with the result of each.
"""

from __future__ import annotations

import ast
import importlib.util
import math
import re
import subprocess
import sys
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import dag
import dvc.cli
import pytest
import torch
from conftest import copy_project
from dag import write_only
from experiments import TINY
from pga_snakemake import targets_last
from PIL import Image
from snakemake import cli

from pga.cli import VERBS, parser_for
from pga.method.terms import MODELS
from pga.networks.architectures import NETWORKS
from pga.params.experiment import load_experiment

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = "*.md docs/*.md docs/*/README.md */README.md benchmarks/*/README.md benchmarks/*/*.py Snakefile Makefile dvc.yaml"
PLACES += " environment.yml requirements.lock params/*.yaml workflow/*.py workflow/profiles/*/* workflow/rules/*"
PLACES += " workflow/command/*.py pga/**/*.py docs/*.py docs/*/*.py"
PROGRAMS = r"(?:[A-Z_]+=\S+ )*(?:snakemake|pga|make|dvc|python|pytest|nvidia-cuda-mps-control|cp|git|conda|pip|source"
PROGRAMS += r"|export|hf|mount|pip-audit|scancel|sinfo)"
TEMPLATE = re.compile(r"…|\{(?!\w+,)|(?:^| )[A-Z]{2,}(?= |$)")
"""What stands for something else: `pga VERB --help`."""


def printed(path: Path) -> list[str]:
    """The commands in a file: in code blocks, in indented examples, between backquotes."""
    text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    blocks = [line for block in re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.S) for line in block.splitlines()]
    rest = re.sub(r"```.*?```", "", text, flags=re.S)
    indented = re.findall(rf"^(?:# )?  +({PROGRAMS} [^=\n]{{2}}.*)$", rest, re.M)
    inline = re.findall(rf"`({PROGRAMS}(?: [^`]*)?)`", rest)
    lines = [re.split(r" #|(?<=\S)   +", line)[0] for line in blocks + indented]
    return [" ".join(line.split()) for line in lines + inline if line.strip() and not line.startswith("#")]


def every() -> dict[str, str]:
    """Command → a file that prints it."""
    paths = [path for pattern in PLACES.split() for path in sorted(ROOT.glob(pattern))]
    found = {command: str(path.relative_to(ROOT)) for path in reversed(paths) for command in printed(path)}
    found |= {importlib.import_module(f"pga.commands.{verb}").EXAMPLE: f"pga {verb} --help" for verb in VERBS}
    helped = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found |= dict.fromkeys(re.findall(r"(?<=e\.g\. )make .*", helped), "make")
    return {command: place for command, place in found.items() if not TEMPLATE.search(command)}


EVERY = every()
"""All that is printed, but for templates."""


def of(program: str) -> list[str]:
    """The commands of one program that have arguments: a bare name is the program itself, spoken of."""
    return sorted(command for command in EVERY if re.match(rf"(?:[A-Z_]+=\S+ )*{program} ", command))


def first(command: str) -> str:
    """The program, behind assignments of variables."""
    return next(word for word in command.split() if "=" not in word)


@cache
def words(command: str) -> list[str]:
    """Arguments behind the program, as a shell reads them."""
    arguments = command.partition(f"{first(command)} ")[2]
    return subprocess.run(["bash", "-c", f"printf '%s\\n' {arguments}"], capture_output=True, text=True, check=True).stdout.splitlines()


def run(command: str, project: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command as it is typed in the environment of the project."""
    return dag.run(project, "bash", "-c", command, **more)


def with_own_images(folder: Path) -> Path:
    """A copy of the project in which docs/own-data.md has been followed."""
    project = copy_project(folder / "project")
    example = re.search(r"   ```yaml\n(   description:.*?)   ```", (ROOT / "docs/own-data.md").read_text(encoding="utf-8"), re.S)
    assert example
    (project / "params/mycats.yaml").write_text(re.sub(r"^   ", "", example[1], flags=re.M))
    cats = project.parent / "cats"
    cats.mkdir()
    Image.new("RGB", (64, 64)).save(cats / "cat.png")
    datasets = project / "params/datasets.yaml"
    datasets.write_text(datasets.read_text().rstrip() + f"\n  mycats: {{kind: folder, path: {cats}, size: 64}}\n")
    return project


# Snakemake: every order of options and targets, and every command that is printed.

PARSER = cli.get_argument_parser()
OPTIONS: dict[str, Any] = {
    "--resources gpu=1": ("resources", {"gpu": 1}),
    "--set-threads train=4": ("set_threads", {"train": 4}),
    "--set-resources train:gpu_model=a100": ("set_resources", {"train": {"gpu_model": "a100"}}),
    "--default-resources slurm_partition=gpu slurm_account=lab": ("default_resources", {"slurm_partition": "gpu", "slurm_account": "lab"}),
    "--set-resource-scopes gpu=local": ("set_resource_scopes", {"gpu": "local"}),
    "--groups sample=measure evaluate=measure": ("groups", {"sample": "measure", "evaluate": "measure"}),
    "--group-components measure=8": ("group_components", {"measure": 8}),
    "--config alpha=1 beta=3": ("config", ["alpha=1", "beta=3"]),
    "--until fetch": ("until", {"fetch"}),
    "--until fetch prepare": ("until", {"fetch", "prepare"}),
    "--omit-from train": ("omit_from", {"train"}),
    "--forcerun results/quick/table1.md": ("forcerun", {"results/quick/table1.md"}),
    "--forcerun figure table1": ("forcerun", {"figure", "table1"}),
    "--prioritize figure": ("prioritize", {"figure"}),
    "--rerun-triggers mtime params": ("rerun_triggers", {"MTIME", "PARAMS"}),
    "--quiet": ("quiet", {"PROGRESS", "RULES"}),
    "-q rules": ("quiet", {"RULES"}),
    "--dag": ("dag", "dot"),
    "--lint": ("lint", "text"),
}


def parse(line: list[str]) -> Any:
    """A command line as Snakemake reads it."""
    return cli.parse_args(targets_last(line, PARSER))[1]


def plain(value: Any) -> Any:
    """What Snakemake makes of an option, as plain values."""
    if isinstance(value, set | frozenset):
        return {getattr(item, "name", item) for item in value}
    if hasattr(value, "items"):
        return {name: plain(item) for name, item in value.items()}
    if hasattr(value, "is_evaluable"):
        return value.raw if value.is_evaluable() else value.value
    return value


@pytest.mark.parametrize("option", OPTIONS)
def test_options_and_targets_stand_in_any_order(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    name, value = OPTIONS[option]
    for line, targets in {
        f"{option} a/b": ["a/b"],
        f"a/b {option}": ["a/b"],
        f"--cores 2 {option} quick": ["quick"],
        f"{option} a/b --cores=2 quick -n": ["a/b", "quick"],
        f"a/b -nj 2 {option} --allowed-rules fetch c/d quick": ["a/b", "c/d", "quick"],
    }.items():
        read = parse(line.split())
        assert read.targets == targets, line
        found = plain(getattr(read, name))
        assert found == value or (isinstance(value, dict) and value.items() <= found.items()), line
        assert ("2" in line) == (2 in (read.cores, read.jobs)) and (" -n" in line) == read.dryrun, line


def test_what_snakemake_reads_by_itself_is_left_alone() -> None:
    for line in (
        "--resources gpu=1 -- a/b",
        "--report out.html",
        "--configfile a.yaml b/c.yaml",
        "--version",
        "--cleanup-metadata a/b c/d",
    ):
        assert targets_last(line.split(), PARSER) == line.split()


PLANNED = [command for command in of("snakemake") if "/" in command]
"""All but the options that the text speaks of (`snakemake -n`)."""


def kind(command: str) -> str:
    """Options without their numbers: commands of one kind are planned at once."""
    return re.sub(r"\d+", "N", " ".join(word for word in words(command) if "/" not in word or "profiles" in word))


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one seed instead of three: it plans the same in a third of the time."""
    project = with_own_images(tmp_path_factory.mktemp("planner"))
    for name in ("paper", "quick"):
        path = project / f"params/{name}.yaml"
        path.write_text(path.read_text().replace("seeds: [0, 1, 2]", "seeds: [0]"))
    return project


@pytest.fixture(scope="module")
def plans(planner: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Kind of command → a dry run of the first of the kind as it is printed, with the targets of all others behind it."""
    found = {}
    for one in {kind(command): command for command in PLANNED}:
        command, *others = (command for command in PLANNED if kind(command) == one)
        targets = dict.fromkeys(word for command in others for word in words(command) if "/" in word and "profiles" not in word)
        found[one] = run(f"{command} {' '.join(targets)} -n", planner)
    return found


@pytest.mark.parametrize("command", PLANNED)
def test_every_snakemake_command_makes_a_plan(
    command: str, plans: dict[str, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    read = parse(words(command))
    assert read.targets == [word for word in words(command) if "/" in word and "profiles" not in word]
    assert read.dryrun or read.cores or read.profile, "it would not start"
    done = plans[kind(command)]
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "--until" in command or all(target in done.stdout for target in read.targets)


@pytest.mark.parametrize("option", re.findall(r"`(--[^`]*[^`N])`", (ROOT / "docs/cluster.md").read_text(encoding="utf-8")))
def test_the_knobs_of_a_cluster_stand_before_a_target(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert parse([*words(f"snakemake {option}"), "results/table1.csv"]).targets == ["results/table1.csv"]


def test_without_a_target_it_is_said_what_there_is_and_nothing_is_made(planner: Path) -> None:
    done = run("snakemake --cores 2", planner, PYTHONPATH=str(planner / "workflow/command"))
    assert done.returncode == 0, "the package pga of this folder is read, whatever is installed"
    assert re.search(r"^  paper +the runs of the paper \(\d+ trainings, in results/\)$", done.stdout + done.stderr, re.M)
    assert not list((planner / "results").glob("*/"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("snakemake -n --directory elsewhere quick", "this workflow runs in its own folder"),
        ("snakemake -n quick --config alpha=1", "--config alpha: nothing reads it"),
        ("snakemake -n quik", "error: quik: nothing makes it; is it quick?"),
        ("snakemake -n results/quick/tabel1.csv", "nothing makes it; is it results/quick/table1.csv"),
        ("snakemake -n results/quick/figures/figur2.png", "error: no figure 'figur2'; there are figure1, figure2"),
        ("snakemake -n results/quick/digits/lpga/seed0/piror/metrics.json", "error: no sampling 'piror'; there are prior, prior_test"),
        ("make repro EXPERIMENT=papr -o env", "EXPERIMENT=papr: the experiments in params/ are cpu, "),
        ("make push -o env", "there is no dvc.lock, so there is nothing to push"),
    ],
)
def test_what_cannot_be_is_refused_by_name(line: str, message: str, planner: Path) -> None:
    done = run(line, planner)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and message in said and not re.search(r'Traceback|File ".*", line', said)


def test_lint_asks_only_for_what_the_snakefile_answers(planner: Path) -> None:
    found = re.findall(r"^    \* (.*):$", run("snakemake --lint", planner).stderr, re.M)
    assert set(found) == {"Specify a conda environment or container for each rule."}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bias.py --dataset mnist --out bias --data nowhere", "error: nowhere/reference/mnist/classifier.safetensors: no such file"),
        ("run.py --device cuda:7 --log log.txt", "error: --device cuda:7: torch sees no GPU here"),
    ],
)
def test_benchmarks_say_in_one_line_what_is_missing(line: str, message: str, planner: Path) -> None:
    done = run(f"CUDA_VISIBLE_DEVICES= python benchmarks/evaluation/{line}", planner)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(message) and "Traceback" not in done.stderr
    assert not list(planner.glob("docs/bias-*.part")) and not (planner / "log.txt").exists()


# pga: the commands run in a project whose quick experiment is small.

READ_ONLY = r"mnist(?!$)|fetch |prepare mnist|theirs\.npz|--samples samples\.npy"
"""Commands of pga whose arguments are only read: they need a download, MNIST's classifier, Inception, a GPU, or a file of the user's."""


def is_spoken_of(command: str) -> bool:
    """Whether it is the name of a verb or a flag, and no whole command."""
    return all(word.startswith("--") for word in words(command)[1:])


WHOLE = [command for command in of("pga") if not is_spoken_of(command)]
FIRST = ("prepare", "train")
RUN = [command for command in WHOLE if not re.search(READ_ONLY, command)]
RUN.sort(key=lambda command: FIRST.index(words(command)[0]) if words(command)[0] in FIRST else len(FIRST))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """Command → how it ended; `report`: what the report prints, `again`: what Snakemake would make after all of them."""
    project = with_own_images(tmp_path_factory.mktemp("small"))
    write_only(project, "quick", TINY.replace("results/tiny", "results/quick"), "paper", "mycats")
    made = run("snakemake --cores 2 results/quick/report.html", project)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-3000:]
    found = {command: run(f'pga() {{ python -m pga "$@"; }}; {command}', project) for command in RUN}
    found["again"] = run("snakemake --cores 2 -n results/quick/report.html", project)
    found["report"] = run("cat results/quick/report.html", project)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_every_command_of_pga_runs(command: str, small: dict[str, subprocess.CompletedProcess[str]]) -> None:
    assert small[command].returncode == 0, small[command].stderr[-3000:]


@pytest.mark.slow
def test_the_examples_leave_the_workflows_results_alone(small: dict[str, subprocess.CompletedProcess[str]]) -> None:
    assert "Nothing to be done" in small["again"].stdout + small["again"].stderr


@pytest.mark.slow
def test_the_reports_commands_name_targets(small: dict[str, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    commands = [unescape(line) for line in re.findall(r"<code>(snakemake .*?)</code>", small["report"].stdout)]
    targets = {target for command in commands for target in parse(words(command)).targets}
    assert {f"results/quick/{name}" for name in ("table1.csv", "figures/figure2.png", "digits/vae/seed0/model.safetensors")} <= targets


@pytest.mark.parametrize("command", [command for command in WHOLE if command not in RUN])
def test_arguments_of_those_that_need_more_than_a_test_has_are_read(command: str) -> None:
    verb, *arguments = words(command)
    parser_for(verb).parse_args(arguments)


@pytest.mark.parametrize("command", [command for command in of("pga") if is_spoken_of(command)])
def test_every_verb_and_flag_that_is_spoken_of_exists(command: str) -> None:
    verb, *flags = words(command)
    assert set(flags) <= {flag for action in parser_for(verb)._actions for flag in action.option_strings}


# The other programs.

NOT_RUN = {
    "conda": "makes an environment",
    "source": "is a shell's",
    "export": "is a shell's, of a path of the user's",
    "mount": "needs root and another disk",
    "hf": "needs an account of the Hub",
    "pip-audit": "asks the network, and is no part of the environment",
    "scancel": "is Slurm's; test_slurm.py sends the signal",
    "sinfo": "is Slurm's",
    "nvidia-cuda-mps-control": "needs a GPU",
    "git": "is git's",
    "pytest": "is a test, of a real Slurm",
    "pip": "installs; test_library.py makes an environment with the core alone",
}
"""Programs whose commands are not run here, with the reason."""


@pytest.mark.parametrize("command", of("make"))
def test_every_make_command_has_a_recipe(command: str) -> None:
    done = run(f"{command} -n", ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", of("dvc"))
def test_every_dvc_command_is_one(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["dvc"])  # which DVC reads as well
    dvc.cli.parse_args(words(command))


@pytest.mark.parametrize("command", of("python"))
def test_every_script_is_there_with_its_flags(command: str) -> None:
    script, *arguments = words(command)
    if script == "-m":
        assert importlib.util.find_spec(arguments[0])
    else:
        text = (ROOT / script).read_text(encoding="utf-8")
        assert all(f'"{word}"' in text for word in arguments if word.startswith("--"))


def test_make_kills_finds_what_tests_share_without_pytests_help() -> None:
    done = run("python tests/kills.py --help", ROOT)
    assert done.returncode == 0 and "make kills" in done.stdout, done.stderr


@pytest.mark.parametrize("command", of("cp"))
def test_what_is_copied_is_there(command: str) -> None:
    source = next(word for word in words(command) if not word.startswith("-"))
    assert (ROOT / source).exists()


def test_every_program_is_in_one_of_these_tests() -> None:
    assert {first(command) for command in EVERY} <= {"snakemake", "pga", "make", "dvc", "python", "cp", *NOT_RUN}


# What the pages say besides.


def test_the_networks_on_the_page_of_own_data_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| (\d+)×\d+, (grey|colour) \| (.*) \|$", (ROOT / "docs/own-data.md").read_text(encoding="utf-8"), re.M)
    told = {(name, int(size), {"grey": 1, "colour": 3}[hue]) for size, hue, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert told == {(name, row.size, row.channels) for name, row in NETWORKS.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not lost


def test_the_readme_counts_the_trainings_as_the_parameters_do() -> None:
    rows = re.findall(r"^\| [^|]+\| `snakemake [^`]* (results/\S+)` \| (\d+) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert len(rows) >= 15
    for target, said in rows:
        *folders, name = target.removeprefix("results/").split("/")
        experiment = load_experiment(ROOT / f"params/{folders[0] if folders and folders[0] != 'figures' else 'paper'}.yaml")
        artifact = name.split(".")[0]
        some = artifact in experiment.figures or artifact in ("table1", "equivalence")
        assert int(said) == (0 if artifact == "notation" else len(experiment.runs_of(artifact) if some else experiment.all_runs())), target


def test_the_python_example_runs_and_reconstructs_better_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(encoding="utf-8"), re.S)
    assert example
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(example[1], names)
    first, *_, last = (ast.literal_eval(line.split(" ", 1)[1]) for line in capsys.readouterr().out.splitlines())
    assert list(last) == list(MODELS["lpga"]) and all(map(math.isfinite, last.values()))
    assert last["r"] < 0.8 * first["r"]
