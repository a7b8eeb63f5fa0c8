"""What is part of a fingerprint, on small packages."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pga.fingerprints.closure import ROOT, Sources, closure, fingerprint
from pga.fingerprints.steps import LEFT_OUT, READING, Step, evaluation_code, is_current

STEP = """
    from toy.losses import square

    def run(x):
        return square(x)
    """
LOSSES = """
    import torch

    FACTOR = 2

    def square(x):
        return FACTOR * x * x

    def cube(x):
        return x**3
    """


def package(folder: Path, **modules: str) -> Sources:
    """A package `toy` of the given modules; `a__b` is the module b in the folder a."""
    for name, source in {"__init__": "", "step": STEP, "losses": LOSSES, **modules}.items():
        path = folder / "toy" / f"{name.replace('__', '/') if name != '__init__' else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
    return Sources(folder / "toy")


def digest(folder: Path, chosen: dict[str, list[str]] | None = None, **modules: str) -> str:
    return fingerprint(["toy.step.run"], chosen or {}, (), package(folder, **modules))


def kept(folder: Path, chosen: dict[str, list[str]] | None = None, **modules: str) -> set[str]:
    """The names of what is kept."""
    found = closure(["toy.step.run"], chosen or {}, (), package(folder, **modules))
    return {name for these in found.values() for each in these for name in each.names}


@pytest.mark.parametrize(
    ("how", "step"),
    {
        "by name": "from toy.losses import cube as f\ndef run(x):\n    return f(x)",
        "as an attribute of its module": "from toy import losses\ndef run(x):\n    return losses.cube(x)",
        "by a module imported in full": "import toy.losses\ndef run(x):\n    return toy.losses.cube(x)",
        "in a function": "def run(x):\n    from toy.losses import cube\n    return cube(x)",
        "as an argument": "from toy.losses import cube\ndef run(x):\n    return map(cube, x)",
        "as a default": "from toy.losses import cube\ndef run(x, f=cube):\n    return f(x)",
        "by a string": "from toy import losses\ndef run(x, name='cube'):\n    return getattr(losses, name)(x)",
        "in an annotation": "from toy.losses import cube\ndef run(x: cube):\n    return x",
        "in an annotation, for type checkers": (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy.losses import cube\ndef run(x: cube):\n    return x"
        ),
        "through another module": "from toy.between import cube\ndef run(x):\n    return cube(x)",
        "through a package": "from toy.rooms import cube\ndef run(x):\n    return cube(x)",
        "by a constant": "from toy.losses import cube\nTABLE = [cube]\ndef run(x):\n    return TABLE[0](x)",
        "by a decorator": "from toy.losses import cube\n@cube\ndef run(x):\n    return x",
        "by what acts on import": "from toy.losses import cube\ncube(3)\ndef run(x):\n    return x",
        "in a branch of the module": "if True:\n    from toy.losses import cube\ndef run(x):\n    return cube(x)",
    }.items(),
)
def test_what_a_step_reaches_counts(how: str, step: str, tmp_path: Path) -> None:
    others = {"between": "from toy.losses import cube\n"}
    (tmp_path / "toy/rooms").mkdir(parents=True)
    (tmp_path / "toy/rooms/__init__.py").write_text("from toy.losses import cube\n")
    before = digest(tmp_path, step=step, **others)
    assert digest(tmp_path, step=step, losses=LOSSES.replace("x**3", "x**4"), **others) != before, how


def test_what_a_step_does_not_name_does_not_count(tmp_path: Path) -> None:
    assert {"run", "square", "FACTOR"} <= kept(tmp_path) and "cube" not in kept(tmp_path)
    assert digest(tmp_path, losses=LOSSES.replace("x**3", "x**4")) == digest(tmp_path)
    assert digest(tmp_path, losses=LOSSES.replace("FACTOR = 2", "FACTOR = 3")) != digest(tmp_path)


def test_methods_of_an_argument_count_by_its_annotation(tmp_path: Path) -> None:
    step = "from toy.run import Run\ndef run(x: Run):\n    return x.split()\n"
    source = "class Run:\n    def split(self):\n        return 1\n"
    assert digest(tmp_path, step=step, run=source) != digest(tmp_path, step=step, run=source.replace("1", "2"))


def test_what_happens_on_import_counts_even_if_no_name_is_used(tmp_path: Path) -> None:
    unused = "from toy.losses import square, cube\nfrom toy.other import g\ndef h(x):\n    return g(x)\ndef run(x):\n    return square(x)\n"
    plain = {"step": unused, "other": "import torch\ndef g(x):\n    return x\n"}
    acting = {**plain, "other": "import torch\ntorch.set_default_dtype(torch.float64)\ndef g(x):\n    return x\n"}
    assert digest(tmp_path, **plain) != digest(tmp_path, **acting)
    assert digest(tmp_path, **plain) == digest(tmp_path, **{**plain, "other": "import torch\ndef g(x):\n    return x + 1\n"})


REGISTRY = """
    from toy.runtime import Registry
    from toy.losses import cube, square

    LOSSES: Registry[str, object] = {"square": square, "cube": cube}

    def find(name):
        return LOSSES[name]
    """
LOOKS_UP = "from toy.table import find\ndef run(name, x):\n    return find(name)(x)\n"


def test_of_a_registry_the_chosen_rows_count(tmp_path: Path) -> None:
    modules = {"table": REGISTRY, "runtime": "Registry = dict\n"}
    names = kept(tmp_path, {"LOSSES": ["cube"]}, step=LOOKS_UP, **modules)
    assert "cube" in names and "square" not in names
    added = REGISTRY.replace('"cube": cube}', '"cube": cube, "other": len}')
    same = [digest(tmp_path, {"LOSSES": ["cube"]}, step=LOOKS_UP, **{**modules, "table": table}) for table in (REGISTRY, added)]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    "use", ["LOSSES['square'](x)", "[f(x) for f in LOSSES.values()]", "max(LOSSES)", "[LOSSES[name] for name in LOSSES]", "LOSSES.get(x)"]
)
def test_rows_that_code_reaches_in_another_way_count_too(use: str, tmp_path: Path) -> None:
    step = f"from toy.table import LOSSES\ndef run(x):\n    return {use}\n"
    assert "square" in kept(tmp_path, {"LOSSES": ["cube"]}, step=step, table=REGISTRY, runtime="Registry = dict\n")


def test_a_registry_that_nobody_narrows_counts_by_the_strings_in_code(tmp_path: Path) -> None:
    step = f"{LOOKS_UP}MODELS = {{'model': 'square'}}\ndef run(name, x):\n    return find(MODELS[name])(x)\n"
    names = kept(tmp_path, step=step, table=REGISTRY, runtime="Registry = dict\n")
    assert "square" in names and "cube" not in names


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import importlib\ndef run(x):\n    return importlib.import_module(x)\n", "import_module"),
        ("from toy.losses import *\ndef run(x):\n    return square(x)\n", "import *"),
        ("from .losses import square\ndef run(x):\n    return square(x)\n", "relative import"),
        ("def run(x):\n    return globals()[x]()\n", "globals"),
        ("class Base:\n    pass\ndef run(x):\n    return Base.__subclasses__()\n", "__subclasses__"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(source: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"toy.step, line \d: `{named.replace('*', chr(92) + '*')}`"):
        digest(tmp_path, step=source)
    assert "run" in kept(tmp_path, unused=source)


def test_an_unknown_root_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="toy.step.walk: no definition"):
        fingerprint(["toy.step.walk"], {}, (), package(tmp_path))


def test_sources_are_of_the_moment_at_which_they_were_read(tmp_path: Path) -> None:
    before = package(tmp_path)
    digest_before = fingerprint(["toy.step.run"], {}, (), before)
    package(tmp_path, losses=LOSSES.replace("FACTOR = 2", "FACTOR = 3"))
    assert fingerprint(["toy.step.run"], {}, (), before) == digest_before
    assert fingerprint(["toy.step.run"], {}, (), Sources(tmp_path / "toy")) != digest_before


def test_files_that_nothing_can_import_do_not_count(tmp_path: Path) -> None:
    before = digest(tmp_path)
    for name in ("#losses.py", "losses 2.py", ".losses.py"):
        (tmp_path / "toy" / name).write_text("(")
    (tmp_path / "toy" / ".#losses.py").symlink_to("nowhere")
    assert digest(tmp_path) == before


@pytest.mark.parametrize("code", [None, "", "train", "evaluate:0", "metrics:1", 3])
def test_what_names_no_code_or_other_code_is_not_of_now(code: object) -> None:
    """A record of an earlier version, which says nothing of code, too: its readers refuse it, so that the plan must make it again."""
    assert is_current(evaluation_code()) and not is_current(code)


def test_the_digest_is_the_same_in_every_process() -> None:
    code = "from pga.fingerprints.steps import Step, step_code; print(step_code(Step('evaluate')))"
    found = {
        subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_what_is_left_out_and_chosen_exists() -> None:
    assert {*LEFT_OUT, *READING} <= Sources().files.keys()
    for registry, step in (
        ("KINDS", Step("prepare", (("KINDS", ("digits",)),))),
        ("TABLES", Step("table")),
        ("FIGURES", Step("figure")),
        ("MODELS", Step("train")),
    ):
        assert registry in {each.registry for these in step.closure().values() for each in these}, registry
