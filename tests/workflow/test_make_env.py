"""The lock, its conda twin, the project's metadata and the Makefile's environment agree with each other."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pga


def locked(root: Path) -> dict[str, tuple[Requirement, list[str]]]:
    """Requirement and hashes of every entry of requirements.lock, by canonical name."""
    text = (root / "requirements.lock").read_text().replace("\\\n", " ")
    entries: dict[str, tuple[Requirement, list[str]]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            specifier, *hashes = re.split(r"\s+--hash=", line.strip())
            requirement = Requirement(specifier)
            name = canonicalize_name(requirement.name)
            assert name not in entries, f"{name} is locked twice"
            entries[name] = (requirement, hashes)
    return entries


def wanted(root: Path) -> dict[str, Requirement]:
    """What pyproject.toml asks for, with all of its extras, by canonical name."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    requirements = [Requirement(line) for part in (project["dependencies"], *project["optional-dependencies"].values()) for line in part]
    assert len({r.name for r in requirements}) == len(requirements), "pyproject.toml names a package twice"
    return {canonicalize_name(r.name): r for r in requirements}


def version(requirement: Requirement) -> str:
    (pin,) = requirement.specifier
    assert pin.operator == "==", f"{requirement} is not pinned exactly"
    return pin.version


def test_every_lock_entry_is_pinned_and_hashed_and_none_names_a_registry(root: Path) -> None:
    entries = locked(root)
    assert len(entries) > 100
    for requirement, hashes in entries.values():
        assert version(requirement)
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), requirement
    lines = (root / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if "://" in line or re.match(r"\s*(-i|--index|--extra-index|--find-links|--trusted)", line)] == []


def test_lock_holds_on_linux_and_macos_alike(root: Path) -> None:
    for system in ("linux", "darwin"):
        for python in ("3.11", "3.12", "3.13"):
            environment = {"sys_platform": system, "python_version": python, "python_full_version": f"{python}.0"}
            here = {name for name, (r, _) in locked(root).items() if r.marker is None or r.marker.evaluate(environment)}
            assert not wanted(root).keys() - here, f"not locked for {system} and Python {python}"


def test_lock_satisfies_pyproject(root: Path) -> None:
    entries = locked(root)
    for name, requirement in wanted(root).items():
        assert name in entries, f"{name} is missing from requirements.lock: make lock"
        assert version(entries[name][0]) in requirement.specifier, f"{requirement} is not what requirements.lock pins: make lock"


def test_conda_environment_pins_the_same_versions(root: Path) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    (python,) = [entry for entry in environment["dependencies"] if isinstance(entry, str) and entry.startswith("python=")]
    assert python.removeprefix("python=") in {"3.11", "3.12", "3.13"}
    (listed,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert [line for line in listed if line.startswith("-e ")] == ["-e .", "-e workflow/command"], "the project's own"
    pip = [line for line in listed if not line.startswith("-e ")]
    pinned = {canonicalize_name(r.name): r for r in map(Requirement, pip)}
    assert len(pinned) == len(pip)
    assert {name: r.extras for name, r in pinned.items()} == {name: r.extras for name, r in wanted(root).items()}
    entries = locked(root)
    assert {name: version(r) for name, r in pinned.items()} == {name: version(entries[name][0]) for name in pinned}


def test_citation_names_this_version(root: Path) -> None:
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["version"] == pga.__version__
    assert citation["preferred-citation"]["title"] == "Perceptual Generative Autoencoders"
    assert [author["family-names"] for author in citation["preferred-citation"]["authors"]] == ["Zhang", "Zhang", "Li", "Bengio", "Paull"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with no registry in reach, so that uv and pip find only what lies in `folder`/wheels."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "MAKE", "MFLAGS", "PGA_"))}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels", "UV_CONFIG_FILE": "uv.toml"}
    return subprocess.run(
        ["make", f"PYTHON={sys.executable}", *arguments], cwd=folder, env=environment, text=True, capture_output=True, timeout=300
    )


def lock_wheel(folder: Path, number: str, name: str = "tiny", files: dict[str, str] | None = None) -> str:
    """Make a wheel of a package with this version number; returns its line for a lock."""
    wheel = folder / "wheels" / f"{name}-{number}-py3-none-any.whl"
    wheel.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in (files or {f"{name}.py": f"number = {number!r}\n"}).items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16  # pip leaves a command as executable as it finds it
            archive.writestr(entry, text)
        archive.writestr(f"{name}-{number}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        archive.writestr(f"{name}-{number}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-{number}.dist-info/RECORD", "")
    return f"{name}=={number} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


UV = shlex.quote(sysconfig.get_path("scripts") + "/uv")


def lock_uv(folder: Path, number: str = "1.0", command: str = UV) -> str:
    """The same of a package that brings a command `uv`, which is the real one unless another is given."""
    return lock_wheel(folder, number, "uv", {f"uv-{number}.data/scripts/uv": f'#!/bin/sh\nexec {command} "$@"\n'})


def installed(folder: Path) -> str:
    command = [str(folder / ".venv/bin/python"), "-c", "import tiny; print(tiny.number)"]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()


def write_lock(folder: Path, *lines: str, mtime: float | None = None) -> None:
    """Write the lock; `mtime` far ahead or behind makes make's decision independent of the clock."""
    (folder / "requirements.lock").write_text("".join(lines))
    if mtime is not None:
        os.utime(folder / "requirements.lock", (mtime, mtime))


def installer(folder: Path, number: str) -> str:
    """Which program says that it has installed the package."""
    [record] = folder.glob(f".venv/lib/*/site-packages/tiny-{number}.dist-info/INSTALLER")
    return record.read_text().strip()


AHEAD, BEHIND = 2.0**32, 0.0
REFUSING = 'case "$1" in --version) echo Python 3.10.13;; *) exit 1;; esac'


def stand_in(folder: Path, answer: str) -> str:
    """A `PYTHON=` argument naming a command that answers as an unsuitable Python does."""
    command = folder / "stand-in"
    command.write_text(f"#!/bin/sh\n{answer}\n")
    command.chmod(0o755)
    return f"PYTHON={command}"


@pytest.fixture
def workshop(tmp_path: Path, root: Path) -> Path:
    """A folder with the real Makefile and a lock of one package."""
    (tmp_path / "Makefile").write_bytes((root / "Makefile").read_bytes())
    (tmp_path / "uv.toml").write_text('no-index = true\nfind-links = ["wheels"]\n')
    write_lock(tmp_path, lock_uv(tmp_path), lock_wheel(tmp_path, "1.0"))
    return tmp_path


@pytest.fixture
def built(workshop: Path) -> Path:
    """The same with its environment made."""
    done = make(workshop, ".venv/locked")
    assert done.returncode == 0, done.stderr
    assert installed(workshop) == "1.0"
    return workshop


@pytest.mark.slow
def test_environment_is_made_once_follows_its_lock_and_is_made_anew_when_in_doubt(built: Path) -> None:
    """One story, as every environment costs seconds."""
    assert installer(built, "1.0") == "uv"
    nothing_to_make = stand_in(built, REFUSING)  # whatever make starts now, it starts with this and fails
    keep = built / ".venv/kept"
    keep.touch()

    assert make(built, ".venv/locked", nothing_to_make).returncode == 0, "a complete environment was made again"

    write_lock(built, lock_uv(built), lock_wheel(built, "2.0"), mtime=AHEAD)
    assert make(built, ".venv/locked").returncode == 0
    assert installed(built) == "2.0"
    assert keep.exists(), "a complete environment was thrown away instead of changed"
    os.utime(built / "requirements.lock", (BEHIND, BEHIND))

    moved = built.rename(built.with_name("moved"))
    assert make(moved, ".venv/locked", f"PYTHON={moved}/stand-in").returncode != 0, "an environment was used that names another place"
    moved.rename(built)
    assert make(built, ".venv/locked", nothing_to_make).returncode == 0

    refused = make(built, "env", f"PGA_ENV={built}/.venv/bin")
    assert refused.returncode != 0
    assert "No module named" in refused.stderr
    assert "requirements.lock" in refused.stderr

    write_lock(built, lock_uv(built), "tiny==1.0 --hash=sha256:" + "0" * 64, mtime=AHEAD)
    broken = make(built, ".venv/locked")
    assert broken.returncode != 0
    assert "HASHES" in broken.stderr
    write_lock(built, lock_uv(built), lock_wheel(built, "1.0"), mtime=BEHIND)  # only the missing stamp can tell
    assert make(built, ".venv/locked").returncode == 0
    assert installed(built) == "1.0"
    assert not keep.exists(), "a half-built environment was built upon"

    dying = built / "dying"  # leaves behind what pip would count as installed
    dying.write_text(
        "#!/bin/sh\nset -e\ncd .venv/lib/*/site-packages\nmkdir tiny-2.0.dist-info\n"
        "printf 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 2.0\\n' > tiny-2.0.dist-info/METADATA\nrm tiny.py\nexit 1\n"
    )
    dying.chmod(0o755)
    altered = lock_wheel(built, "3.0").partition("sha256:")[0] + "sha256:" + "0" * 64
    for number, wheel in (("2.0", lock_wheel(built, "2.0")), ("3.0", altered)):
        write_lock(built, lock_uv(built, number, shlex.quote(str(dying))), wheel, mtime=AHEAD)
        done = make(built, ".venv/locked")
        assert "pip does" in done.stderr and (done.returncode == 0) == (number == "2.0"), done.stderr
        assert number == "3.0" or (installed(built), installer(built, number)) == (number, "pip")
    assert "HASHES" in done.stderr and not list(built.glob(".venv/lib/*/site-packages/tiny-3.0*"))


@pytest.mark.parametrize("answer", ["exit 127", REFUSING])
def test_unsuitable_python_is_refused_before_anything_is_made(workshop: Path, answer: str) -> None:
    refused = make(workshop, ".venv/locked", stand_in(workshop, answer))
    assert refused.returncode != 0
    assert "3.11 to 3.13" in refused.stderr
    assert "make PYTHON=" in refused.stderr
    assert not (workshop / ".venv").exists()


def test_make_alone_lists_every_command(root: Path) -> None:
    shown = make(root).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    for command in phony[1].split():
        assert re.search(rf"^  {command}\b", shown, re.MULTILINE), f"make {command} is not listed"
