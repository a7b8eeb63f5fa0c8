"""The commit that results are recorded with: the project's own, or none and a warning."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pga.runtime.environment import git_state

UNKNOWN = {"commit": None, "dirty": None}
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *words: str) -> str:
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path, *files: str) -> Path:
    """A repository with one commit of these files."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("a = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return repository(tmp_path / "checkout", "pga/__init__.py", "README.md")


def test_the_commit_of_a_clean_checkout_says_nothing_more(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "params").mkdir()
    (checkout / "params/mine.yaml").write_text("a file of one's own that is no code")
    assert git_state(checkout) == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("file", ["pga/__init__.py", "README.md", "pga/new.py"])
def test_an_edited_file_or_new_code_is_dirty(file: str, checkout: Path) -> None:
    (checkout / file).write_text("a = 2\n")
    assert git_state(checkout)["dirty"] is True


def test_a_worktree_has_its_own_commit(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "worktree", "add", "-q", str(tmp_path / "other"))
    git(tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "two")
    assert git_state(tmp_path / "other")["commit"] == git(tmp_path / "other", "rev-parse", "HEAD") != git_state(checkout)["commit"]


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked there", "not tracked"])
def test_the_commit_of_a_repository_around_the_code_is_not_taken(tracked: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("README.md", "vendored/pga/__init__.py") if tracked else ("README.md",)
    around = repository(tmp_path, *files)
    (around / "vendored/pga").mkdir(parents=True, exist_ok=True)
    assert git_state(around / "vendored") == UNKNOWN
    assert "warning: the commit" in capsys.readouterr().err
    (around / "pga").mkdir()
    (around / "pga/__init__.py").touch()  # copied into the other repository's root
    assert git_state(around) == UNKNOWN


def test_the_repository_of_a_hook_that_starts_a_run_is_not_taken(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = repository(tmp_path / "other", "pga/__init__.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    found = git_state(checkout)
    monkeypatch.undo()
    assert found == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}


@pytest.mark.skipif(os.geteuid() != 0, reason="root: only root gives files away")
def test_the_checkout_of_another_user_has_its_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    with pytest.raises(subprocess.CalledProcessError):
        git(checkout, "rev-parse", "HEAD")  # git itself refuses
    assert git_state(checkout) == {"commit": commit, "dirty": False}
    (checkout / "pga/__init__.py").write_text("a = 2\n")
    assert git_state(checkout)["dirty"] is True


def test_without_git_the_commit_is_unknown(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) == UNKNOWN
    assert "warning: the commit" in capsys.readouterr().err
