"""Fixtures that all tests share."""

from __future__ import annotations

import os

# Before anything imports torch or numpy, for child processes as well: results must not depend on how many cores a machine has.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="Agg")

import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

import pytest

for name in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "ARGS", "CORES"):
    os.environ.pop(name, None)  # of `make test`: a make in a test would take them for its own

ROOT = Path(__file__).resolve().parent.parent
MIRROR = os.environ.get("PGA_MIRROR", "")


LONGEST_FIRST = (
    "test_workflow.py", "test_dvc.py", "test_smoke.py", "test_commands.py", "test_own_data_dag.py", "test_extending.py", "test_executed.py",
    "test_inception.py", "test_other_code.py", "test_figures_kinds.py",
)  # fmt: skip
"""Where files are shared out whole among processes, none of these may come last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files."""
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's mirror reaches only tests that ask for one, and torch computes with one thread."""
    monkeypatch.delenv("PGA_MIRROR", raising=False)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def mirror() -> Path:
    """A folder with the real data sets: `$PGA_MIRROR` where it is a folder, else `../shared/data`."""
    folder = Path(MIRROR) if MIRROR and Path(MIRROR).is_dir() else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("mirror: no ../shared/data")
    return folder.resolve()


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and answers `Range: bytes=A-[B]`, which the standard library's handler does not."""

    def send_head(self) -> BinaryIO | None:
        path = Path(self.translate_path(self.path))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not path.is_file():
            return super().send_head()
        size = path.stat().st_size
        first, last = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
        if first > last:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.remaining = last - first + 1
        file = path.open("rb")
        file.seek(first)
        return file

    def copyfile(self, source: Any, outputfile: Any) -> None:
        remaining = self.__dict__.pop("remaining", None)
        if remaining is None:
            super().copyfile(source, outputfile)
            return
        while remaining > 0 and (block := source.read(min(remaining, 1 << 20))):
            outputfile.write(block)
            remaining -= len(block)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


@pytest.fixture(scope="session")
def mirror_url(mirror: Path) -> Iterator[str]:
    """The base URL of a real HTTP server on loopback that serves `mirror`, ranges included."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=str(mirror))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def copy_project(target: Path) -> Path:
    """Copy the project's own files (in git, or new and not ignored) to `target`, to change and run workflows in."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("project: the tests do not run in a git checkout")
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():  # a file deleted but not committed is still listed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project that the tests of one file share."""
    return copy_project(tmp_path_factory.mktemp("shared") / "project")
