"""Whatever a step executes is part of its fingerprint: short real runs of every verb, model, network and kind of data under a trace."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest
from experiments import COMMON
from PIL import Image
from stored import write_prepared
from test_celeba import SMALL, SOURCES, synthetic
from test_cifar10 import pack, small_batches
from test_cifar10 import table as checksums_of
from test_own_kinds import write_table
from test_prepare import a_small_mnist

from pga.cli import VERBS, main
from pga.data import cifar10
from pga.data.cifar10 import Cifar10
from pga.data.idx import Idx
from pga.data.kinds import KINDS
from pga.data.prepare import prepare
from pga.fingerprints import steps
from pga.fingerprints.closure import ROOT
from pga.fingerprints.steps import Step
from pga.method.terms import MODELS, ONE
from pga.networks.architectures import NETWORKS
from pga.params.experiment import Experiment, load_experiment

NOT_OF_A_STEP = {"pga.cli": "parses the command line and prints errors", "pga.__main__": "calls it"}
PARAMS = ROOT.parent / "params"
OWN = {
    "cvvae": "constant_sigma: [0.1, inferred], ",
    "rae": "optimiser: [adam, ghosh], validation_images: [20, inferred], lr_patience: [1, inferred], "
    "selection: [best_validation, inferred], ",
    "lpga_parts": "delta: [normal, inferred], input_noise: [0.1, inferred], ",
}
NORMALISED = "batch_norm: [true, code], spectral_norm: [true, code], "
"""Values beside the usual ones, so that all that depends on them is executed."""


def written() -> str:
    """Every model on the digits, every network on images of its size, and figures and tables of the first."""
    text = """
description: for a trace
results: results/traced
seeds: [0]
device: cpu
evaluation: {extractor: classifier, metrics: [kid, manifold, infinity, neighbours, swd, sharpness]}
samplings:
  prior: {n: 300, batch_size: 100}
  prior_standing: {n: 300, batch_size: 100, batch_norm: standing}
"""
    text += (
        COMMON.replace("[64, code]", "[16, code]").replace("[300, inferred]", "[6, inferred]").replace("[200, inferred]", "[3, inferred]")
        + "  snapshots: 2\n"
    )
    rows = {
        name: {"vae": f"network: [{name}, code], {'' if row.of_ghosh else NORMALISED}samplings: [prior], "}
        for name, row in NETWORKS.items()
    }
    rows["dense_8"] |= {model: OWN.get(model, "") for model in MODELS}
    text += "datasets:\n"
    for dataset, models in {"digits": dict.fromkeys(SHOWN, ""), **{f"images_{name}": own for name, own in rows.items()}}.items():
        text += f"  {dataset}:\n    runs:\n"
        for model, values in models.items():
            names = [name for name in dict.fromkeys(MODELS[model].values()) if name not in (ONE, "alpha", "beta")]
            coefficients = ", ".join(f"{name}: [0.01, inferred]" for name in names)
            text += f"      {model}: {{{values}coefficients: {{{coefficients}}}}}\n"
    figures = "".join(f"  {kind}: {{kind: {kind}, datasets: [digits], models: [{', '.join(SHOWN)}]}}\n" for kind in FIGURES)
    return f"""{text}
table1:
  columns: [{{dataset: digits, title: Digits, paper: mnist}}]
  rows: [{{title: LPGA, model: lpga}}, {{title: VAE, model: vae}}]
figures:
  routing: {{kind: routing, models: [vae]}}
  terms: {{kind: terms, datasets: [digits], models: [vae]}}
{figures}"""


SHOWN = ("lpga", "vae")
FIGURES = ("panels", "training", "interpolations", "reconstructions", "neighbours")


@cache
def module_of(code: CodeType) -> str:
    """The module of the package that code stands in; nothing if it is elsewhere."""
    if not code.co_filename.startswith(f"{ROOT}/") or not code.co_filename.endswith(".py"):  # a template
        return ""
    return ".".join(Path(code.co_filename).relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


class Trace:
    """The code of the package that each step entered."""

    def __init__(self) -> None:
        self.executed: dict[Step, set[CodeType]] = {}

    def during(self, step: Step, action: Callable[[], object]) -> None:
        """Run `action` and note what it enters."""
        seen = self.executed.setdefault(step, set())
        left_out = step.arguments()[2]

        def enter(frame: FrameType, event: str, argument: Any) -> None:
            if frame.f_code in seen or not module_of(frame.f_code):
                return
            outer: FrameType | None = frame
            while outer:
                module = module_of(outer.f_code)
                if any(f"{module}.".startswith(f"{name}.") for name in left_out):  # nor what is called from there
                    return
                outer = outer.f_back
            seen.add(frame.f_code)

        before = sys.gettrace()
        threading.settrace(enter)
        sys.settrace(enter)
        try:
            action()
        finally:
            sys.settrace(before)
            threading.settrace(before)  # type: ignore[arg-type]

    def verb(self, step: Step, *words: object) -> None:
        """Run a verb of the command line."""

        def run() -> None:
            assert main([step.verb, *map(str, words)]) == 0

        self.during(step, run)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    """Every step of the workflow, run on small data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("traced"))
        Path("traced.yaml").write_text(written(), encoding="utf-8")
        experiment, trace = load_experiment("traced.yaml"), Trace()
        prepare_all(trace)
        train_all(trace, experiment)
        measure_all(trace, experiment)
        show_all(trace, experiment)
        yield trace


def prepare_all(trace: Trace) -> None:
    """Kinds of data sets, from small files; for the networks, noise."""
    sources = ["--sources", PARAMS / "sources.yaml", "--processes", 1]
    trace.verb(Step("prepare", (("KINDS", ("digits",)),)), "digits", "--datasets", PARAMS / "datasets.yaml", *sources)
    Path("own").mkdir()
    for number in range(20):
        Image.fromarray(np.full((12, 10, 3), number * 10, np.uint8)).save(f"own/{number}.png")
    np.savez("own.npz", images=np.zeros((20, 8, 8), np.uint8), labels=np.arange(20) % 2)
    own = {
        "folder": "path: own, size: 8",
        "array": "path: own.npz, labelled: true, accuracy: 0.5",
    }
    if find_spec("pyarrow"):
        write_table(Path("own.parquet"), 0, 20)
        own["parquet"] = "path: own.parquet, size: 8, channels: 1, labelled: true, accuracy: 0.5"
    rows = ", ".join(f"own_{kind}: {{kind: {kind}, {keys}}}" for kind, keys in own.items())
    Path("datasets.yaml").write_text(f"datasets: {{{rows}}}", encoding="utf-8")
    for kind in own:
        trace.verb(Step("prepare", (("KINDS", (kind,)),)), f"own_{kind}", "--datasets", "datasets.yaml", *sources)
    synthetic(Path("raw"))
    a_small_mnist(Path("raw/mnist"))
    members = small_batches()
    pack(Path("raw/cifar10/cifar-10-python.tar"), members)
    archive = SOURCES["cifar10"].files["cifar-10-python.tar"].model_copy(update={"checksum": checksums_of(members)})
    sources_of_small = {**SOURCES, "cifar10": SOURCES["cifar10"].model_copy(update={"files": {"cifar-10-python.tar": archive}})}
    official = {"celeba": SMALL, "idx": Idx(kind="idx", source="mnist"), "cifar10": Cifar10(kind="cifar10", source="cifar10")}
    for kind, entry in official.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cifar10, "IMAGES", 10)
            trace.during(
                Step("prepare", (("KINDS", (kind,)),)), partial(prepare, kind, entry, Path("raw"), Path(kind), sources_of_small, 1)
            )
    for name, row in NETWORKS.items():
        images = np.random.default_rng(0).integers(0, 256, (40, row.size, row.size, row.channels), np.uint8)
        for split in ("", "-test"):
            np.save(f"data/processed/images_{name}{split}.npy", images)
        write_prepared("data/processed", f"images_{name}")


def train_all(trace: Trace, experiment: Experiment) -> None:
    """Train, sample and reconstruct."""
    for run in experiment.all_runs():
        out = f"{experiment.results}/{run.dataset}/{run.name}/seed0"
        who = ["--params", "traced.yaml", "--dataset", run.dataset, "--model", run.name, "--seed", 0]
        trace.verb(steps.training(run), *who, "--out", out, "--checkpoint-every", 0)
        sample, shown = steps.of_run("sample", run), run.dataset == "digits"
        for density in ("normal", "gaussian", "mixture") if shown else ("normal",):
            flags = ["--n", 12, "--batch-size", 8, "--density", density, "--reconstructions", f"{out}/reconstruction"]
            trace.verb(sample, "--run", out, "--out", f"{out}/{density}.npy", *flags)
        for sampling in experiment.params(run.dataset, run.name).samplings if shown else ():
            trace.verb(sample, "--run", out, "--out", f"{out}/{sampling}/samples.npy", *experiment.samplings[sampling].flags().split())


def measure_all(trace: Trace, experiment: Experiment) -> None:
    """Measure what was sampled of the digits, and the real images."""
    folder = "data/reference/digits"
    space = ["--extractor", "classifier", "--weights", f"{folder}/classifier.safetensors"]
    against = [*space, "--reference", f"{folder}/classifier-train.npz"]
    trace.verb(Step("classifier"), "digits", "--out", f"{folder}/classifier.safetensors")
    trace.verb(Step("reference"), "digits", *space, "--out", f"{folder}/classifier-train.npz")

    def evaluate(samples: str, model: str, sampling: str) -> None:
        who = ["--dataset", "digits", "--model", model, "--seed", 0, "--sampling", sampling]
        metrics = [
            "--metrics",
            *experiment.evaluation.metrics,
            "--reference-features",
            f"{folder}/classifier-train-features.npy",
            "--reference-images",
            "data/processed/digits.npy",
            "--at-most",
            300,
        ]
        out = f"{experiment.results}/digits/{model}/seed0/{sampling}/metrics.json"
        trace.verb(Step("evaluate"), "--samples", samples, *against, *metrics, *who, "--out", out)

    evaluate("data/processed/digits-test.npy", "real", "prior")
    for run in [run for run in experiment.all_runs() if run.dataset == "digits"]:
        out = f"{experiment.results}/digits/{run.name}/seed0"
        for sampling in experiment.params(run.dataset, run.name).samplings:
            evaluate(f"{out}/{sampling}/samples.npy", run.name, sampling)
        trace.verb(Step("neighbours"), "digits", "--samples", f"{out}/prior/samples.npy", *space, "--out", f"{out}/prior/neighbours.npy")
        curve = ["--run", f"{out}/snapshots.safetensors", *against, "--n", 300, "--batch-size", 100, "--out", f"{out}/curve.csv"]
        trace.verb(steps.of_run("curve", run), *curve)
        lines = experiment.interpolation.flags().split()
        trace.verb(steps.of_run("interpolate", run), "--run", out, "--out", f"{out}/interpolations.npy", *lines)
        trace.verb(steps.of_run("reconstruct", run), "--run", out, "--out-dir", f"{out}/again")


def show_all(trace: Trace, experiment: Experiment) -> None:
    """Tables, figures and the report."""
    root, of = experiment.results, ["--params", "traced.yaml"]
    trace.verb(Step("collect"), *of, "--allow-missing", "--out", f"{root}/metrics.csv")
    trace.verb(Step("summary"), "digits", *of, "--out", f"{root}/digits")
    for table in ("table1", "numbers", "claims", "notation", "parameters", "costs", "evaluation"):
        metrics = ["--metrics", f"{root}/metrics.csv"] if table in ("table1", "numbers", "claims", "evaluation") else []
        flags = [*of, *metrics, "--claims", PARAMS / "claims.yaml", "--allow-missing", "--out-dir", root]
        trace.verb(Step("table", (("TABLES", (table,)),)), table, *flags)
    for figure, row in experiment.figures.items():
        trace.verb(Step("figure", (("FIGURES", (row.kind,)),)), figure, *of, "--allow-missing", "--out-dir", f"{root}/figures")
    trace.verb(Step("report"), *of, "--allow-missing", "--out", f"{root}/report.html")


def outside(step: Step, executed: set[CodeType]) -> list[str]:
    """What a step executed beyond its fingerprint."""
    kept, found = step.closure(), []
    for code in executed:
        module = module_of(code)
        lines = [statement.lines for statement in kept.get(module, [])]
        on_import = not code.co_flags & inspect.CO_OPTIMIZED  # the body of a module or class
        inside = module in kept if on_import else any(first <= code.co_firstlineno <= last for first, last in lines)
        if not inside and module not in NOT_OF_A_STEP:
            found.append(f"{module}.{code.co_qualname}, line {code.co_firstlineno}")
    return sorted(found)


@pytest.mark.slow
def test_whatever_a_step_executes_is_part_of_its_fingerprint(trace: Trace) -> None:
    assert [
        f"{step.verb} {dict(step.chosen)}: {found}" for step, executed in trace.executed.items() for found in outside(step, executed)
    ] == []


def test_every_verb_model_and_network_was_run(trace: Trace) -> None:
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT.parent / "workflow/rules").glob("*.smk"))
    assert {verb for verb in VERBS if f'"pga {verb} ' in rules} - {"fetch"} <= {step.verb for step in trace.executed}
    chosen = {(registry, key) for step in trace.executed if step.verb == "train" for registry, keys in step.chosen for key in keys}
    assert {key for registry, key in chosen if registry == "MODELS"} == set(MODELS)
    assert {key for registry, key in chosen if registry == "NETWORKS"} >= set(NETWORKS)
    prepared = {key for step in trace.executed if step.verb == "prepare" for _, keys in step.chosen for key in keys}
    assert prepared == set(KINDS) - ({"parquet"} if not find_spec("pyarrow") else set())
