"""docs/library.md in an environment with the core alone, outside of the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import pga

ROOT = Path(__file__).parents[2]


def closure(requirements: list[str]) -> dict[str, metadata.Distribution]:
    """What is installed here of these requirements and all that they need."""
    found: dict[str, metadata.Distribution] = {}
    while requirements:
        requirement = Requirement(requirements.pop())
        extras = requirement.extras or {""}
        if requirement.name.lower() not in found and any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            found[requirement.name.lower()] = metadata.distribution(requirement.name)
            needed = [Requirement(line) for line in found[requirement.name.lower()].requires or []]
            requirements += [str(r) for r in needed if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return found


@pytest.fixture(scope="module")
def core(shared_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment: the wheel of this project, and links to what its core needs of this environment."""
    folder = tmp_path_factory.mktemp("core")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(shared_project)]
    subprocess.run(build, check=True, capture_output=True)
    venv.create(folder / "environment", symlinks=True)
    [site] = (folder / "environment/lib").glob("python*/site-packages")
    [wheel] = folder.glob("pga-*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for distribution in closure(list(project["dependencies"])).values():
        for name in {file.parts[0] for file in distribution.files or [] if ".." not in file.parts}:
            source = Path(str(distribution.locate_file(name)))
            if source.exists() and not (site / name).exists():
                (site / name).symlink_to(source)
    return folder / "environment/bin/python"


@pytest.mark.slow
def test_git_counts_nothing_that_an_installation_leaves_in_the_checkout(core: Path, shared_project: Path) -> None:
    assert (shared_project / "build").is_dir(), core
    subprocess.run(["git", "init", "--quiet"], cwd=shared_project, check=True)
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    untracked = subprocess.run(status, cwd=shared_project, check=True, capture_output=True, text=True).stdout
    assert "pyproject.toml" in untracked and not re.search(r"build/|\.egg-info", untracked)


@pytest.mark.slow
def test_the_recipes_run_with_the_core_alone(core: Path, tmp_path: Path) -> None:
    recipes = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(encoding="utf-8"), re.S)
    assert len(recipes) == 10
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(core), "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)

    ending = (
        "\nimport sys; from importlib.util import find_spec\n"
        "assert not [name for name in ('snakemake', 'dvc', 'matplotlib', 'pandas', 'huggingface_hub') if find_spec(name)]\n"
        "print(pga.__file__, tuple(images.shape), samples.shape, line.shape, fitted.shape)"
    )
    done = run("\n".join(recipes) + ending)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("(16, 1, 8, 8) (200, 8, 8, 1) (2, 5, 8, 8, 1) (200, 8, 8, 1)")
    assert str(core.parents[1]) in done.stdout
    assert {"model.safetensors", "config.json", "README.md", "samples.png"} <= {path.name for path in (tmp_path / "to-publish").iterdir()}
    assert (tmp_path / "watched/images-lvpga-seed0/log.jsonl").exists()
    done = run("import sys; from pga.cli import main; sys.exit(main(['params', '--params', 'x.yaml']))")
    assert done.returncode == 1 and "pandas is not installed; it comes with: pip install 'pga[report]'" in done.stderr


@pytest.mark.slow
def test_the_reference_has_every_public_function(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    command = [sys.executable, "docs/make_api.py", str(tmp_path), "method"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0 and "Warn" not in done.stderr, done.stderr
    page = (tmp_path / "pga.html").read_text()
    assert all(f'id="{name}"' in page for name in pga.__all__)
    assert "Eq. 6" in (tmp_path / "pga/method/losses.html").read_text()
