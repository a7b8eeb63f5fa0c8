"""docs/evaluation.md says what is so: its commands exist, its names are those of results, its figures those of the files beside it."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from pga.cli import parser_for
from pga.evaluation.features.classifier import RECIPES
from pga.params.feature_spaces import FEATURE_SPACES, OFFICIAL


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "evaluation.md").read_text()


def test_its_commands_are_accepted(page: str) -> None:
    commands = re.findall(r"^    pga (\w+) ((?:.*\\\n)*.*)$", page, re.M)
    assert len(commands) >= 2
    for verb, arguments in commands:
        parser_for(verb).parse_args(shlex.split(arguments.replace("\\\n", " ")))


def test_its_names_are_those_of_results(page: str) -> None:
    named = dict(re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|", page, re.M))
    known = {space.distance.metric: label for label, space in FEATURE_SPACES.items()}
    assert named == known
    assert f"`{OFFICIAL}`" in page


def test_its_required_accuracies_are_the_recipes(page: str) -> None:
    found = re.findall(r"^\| (digits|MNIST|CIFAR-10) \| (\d+) \| (.+?) \| ([\d.]+) \|$", page, re.M)
    recipes = {"digits": (8, 1), "MNIST": (28, 1), "CIFAR-10": (32, 3)}
    assert [name for name, *_ in found] == list(recipes)
    for name, features, accuracy, required in found:
        recipe = RECIPES[recipes[name]]
        assert (int(features), float(required)) == (recipe.features, recipe.accuracy)
        assert accuracy == "not measured" or float(accuracy) >= recipe.accuracy


def test_its_bias_is_that_of_the_file_beside_it(page: str, root: Path) -> None:
    values: dict[int, list[float]] = {}
    with open(root / "docs" / "bias-mnist.csv", newline="") as file:
        for row in csv.DictReader(file):
            values.setdefault(int(row["n"]), []).append(float(row["classifier_fd"]))
    shown = re.findall(r"^\| ([\d,]+) \| ([\d.]+) ± ([\d.]+) \| ", page, re.M)
    assert [int(n.replace(",", "")) for n, *_ in shown] == list(values)
    for (_, mean, error), found in zip(shown, values.values(), strict=True):
        assert float(mean) == pytest.approx(np.mean(found), rel=1e-3)
        assert float(error) == pytest.approx(np.std(found, ddof=1) / len(found) ** 0.5, rel=0.05)
    assert (root / "docs" / "bias-mnist.png").exists()
