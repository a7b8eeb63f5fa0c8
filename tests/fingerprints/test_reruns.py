"""docs/design.md's table of what an edit reruns, row by row, by the fingerprints of edited copies of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import pytest

from pga.fingerprints import steps
from pga.fingerprints.closure import ROOT, Sources, fingerprint
from pga.fingerprints.steps import Step
from pga.params.run import Run

COMMON = {"batch_norm": False, "batch_size": 16, "learning_rate": 0.1, "momentum": 0.9, "warmup_steps": 0, "steps": 10}
LPGA = Run("digits", "lpga", "lpga", 0, "dense_8", 16, 8, **COMMON)  # type: ignore[arg-type]
VAE = Run("digits", "vae", "vae", 0, "dense_8", 16, 8, **COMMON)  # type: ignore[arg-type]
GHOSH = Run("cifar10", "rae", "rae", 0, "ghosh_32", 16, 8, optimiser="adam", **COMMON)  # type: ignore[arg-type]
STEPS = {
    "train LPGA": steps.training(LPGA),
    "train VAE": steps.training(VAE),
    "train RAE": steps.training(GHOSH),
    "sample LPGA": steps.of_run("sample", LPGA),
    "sample RAE": steps.of_run("sample", GHOSH),
    "evaluate": Step("evaluate"),
    "table 1": Step("table", (("TABLES", ("table1",)),)),
    "costs": Step("table", (("TABLES", ("costs",)),)),
    "panels": Step("figure", (("FIGURES", ("panels",)),)),
    "prepare digits": Step("prepare", (("KINDS", ("digits",)),)),
    "prepare celeba": Step("prepare", (("KINDS", ("celeba",)),)),
}
TRAININGS = {"train LPGA", "train VAE", "train RAE"}
SAMPLINGS = {"sample LPGA", "sample RAE"}
SHOWN = {"table 1", "costs", "panels"}

Files = dict[str, bytes]
"""The sources of the package by the names of their modules."""
Edit = Callable[[Files], Files]


def definition(name: str, files: Files) -> tuple[str, Any]:
    """The module that defines a function or class, as `f` or `Class.method`, and its syntax tree."""
    found = []
    for module, source in files.items():
        nodes: list[Any] = [ast.parse(source)]
        for part in name.split("."):
            nodes = [inner for node in nodes for inner in node.body if getattr(inner, "name", None) == part]
        found += [(module, node) for node in nodes]
    assert len(found) == 1, f"{name} is defined in {[module for module, _ in found]}; the test wants one place"
    return found[0]


def change(*names: str) -> Edit:
    """One more statement at the end of functions or classes."""

    def edit(files: Files) -> Files:
        for name in names:
            module, node = definition(name, files)
            lines = files[module].decode().splitlines()
            lines.insert(node.body[-1].lineno - 1, " " * node.body[-1].col_offset + "changed = 1")
            files = {**files, module: "\n".join(lines).encode()}
        return files

    return edit


def replace(old: str, new: str) -> Edit:
    """Another text wherever it stands."""

    def edit(files: Files) -> Files:
        assert any(re.search(old, source.decode()) for source in files.values()), f"no file has {old}"
        return {re.sub(old, new, module): re.sub(old, new, source.decode()).encode() for module, source in files.items()}

    return edit


def move_function(files: Files) -> Files:
    """`tensor_digest` in a file of its own, which its module imports."""
    module, node = definition("tensor_digest", files)
    lines = files[module].decode().splitlines()
    text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    lines[node.lineno - 1 : node.end_lineno] = ["from pga.runtime.digests import tensor_digest"]
    return {
        **files,
        module: "\n".join(lines).encode(),
        "pga.runtime.digests": f"import hashlib\n\nimport torch\nfrom torch import Tensor\n\n{text}\n".encode(),
    }


class Reformat(ast.NodeTransformer):
    """Other docstrings, annotations, texts of errors and help of flags; functions and methods in another order."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body[0].value.value = "Another docstring."
        if not node.decorator_list:
            node.returns = ast.Subscript(ast.Name("Other"), node.returns or ast.Name("Other"))
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.AST) -> ast.AST:
        for inner in [inner for inner in ast.walk(node) if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]:
            inner.value += "!"
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return self.visit_Raise(node) if node.arg == "help" else self.generic_visit(node)

    def visit_Module(self, node: ast.Module | ast.ClassDef) -> ast.AST:
        functions = [inner for inner in node.body if isinstance(inner, ast.FunctionDef) and not inner.decorator_list]
        others = [inner for inner in node.body if inner not in functions]
        node.body = [*others, *functions[::-1]]
        return self.generic_visit(node)

    visit_ClassDef = visit_Module  # noqa: N815


def reformat(files: Files) -> Files:
    """Every file, written anew."""
    return {module: b"# rewritten\n" + ast.unparse(Reformat().visit(ast.parse(source))).encode() for module, source in files.items()}


EDITS: dict[str, tuple[Edit, set[str]]] = {
    "a comment, docstring, annotation, text of an error, help of a flag, formatting, the order of functions or methods": (reformat, set()),
    "a file moved to another folder": (replace(r"pga\.method([. ]import |\.)losses", r"pga.networks\1losses"), set()),
    "a function that nothing uses": (replace("\nclass Trainer", "\ndef unused():\n    return 1\n\n\nclass Trainer"), set()),
    "a loss": (change("prior_nll"), {"train LPGA"}),
    "a loss of another model": (change("gaussian_kl"), {"train VAE"}),
    "a network": (change("bn_relu"), {"train RAE", "sample RAE"}),
    "an optimiser": (change("Adam"), {"train RAE"}),
    "the loop, what it writes": (change("write_results"), TRAININGS),
    "the number of log rows": (replace("LOGS = 200", "LOGS = 100"), TRAININGS),
    "settings of the device": (change("make_deterministic"), {*TRAININGS, *SAMPLINGS, "evaluate"}),
    "`Run.split`, `Run.total_steps`": (change("Run.split", "Run.total_steps"), {*TRAININGS, *SAMPLINGS, "evaluate", *SHOWN}),
    "a method that nothing uses": (
        replace(r"    def total_steps", "    def unused(self):\n        return 1\n\n    def total_steps"),
        {*TRAININGS, *SAMPLINGS, "evaluate", *SHOWN},
    ),
    "the name of a local": (replace(r"\bhasher\b", "sha"), {*TRAININGS, *SAMPLINGS, "evaluate"}),
    "a function moved to another file": (move_function, {*TRAININGS, *SAMPLINGS, "evaluate"}),
    "a metric": (change("kernel_distance"), {"evaluate", *SHOWN}),
    "how a table is made": (change("benchmark_seconds"), {"costs"}),
    "how a kind of figure is drawn": (replace("not picked", "not chosen"), {"panels"}),
    "how a kind of data set is prepared": (change("read_partition"), {"prepare celeba"}),
}


def code(step: Step, files: Files) -> str:
    sources = Sources()
    sources.files = files
    return fingerprint(*step.arguments(), sources)


BEFORE = {name: code(step, Sources().files) for name, step in STEPS.items()}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_what_the_table_says(edit: str) -> None:
    apply, expected = EDITS[edit]
    files = apply(Sources().files)
    assert {name for name, step in STEPS.items() if code(step, files) != BEFORE[name]} == expected


def test_the_documentation_shows_these_rows() -> None:
    text = (ROOT.parent / "docs/design.md").read_text(encoding="utf-8")
    assert [row for row in re.findall(r"^\| ([^|]+) \|", text, re.M) if row in EDITS] == list(EDITS)
