"""Kill the whole DAG again and again, start it with the same command, and compare every byte with an undisturbed run.

    make kills                                    50 kills, seed 0
    python tests/kills.py --kills 50 --seed 0     the same

A small project is copied twice: digits as gzipped IDX files on a slow server on loopback, two models, every table, two figures, the report.
Each kill waits for a step, one after the other, then for a time that is drawn or for a file that is being written, and ends the whole
group of processes: by SIGKILL, now and then by SIGTERM or by SIGINT twice. After every kill each file under a final name must be whole and
no process may be left, and at half of the kills what had not been synced to the disk is cut, as a power failure does. Prints what each
kill hit; exit status 0 if all bytes are equal in the end.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import hashlib
import http.server
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import yaml

sys.path.append(str(Path(__file__).with_name("support")))  # called alone, it gets no path from pytest
from experiments import COMMON

STEPS = (
    "fetch", "prepare", "classifier", "reference", "train", "checkpoint", "sample", "evaluate", "curve",
    "figure", "collect", "table", "report",
)  # fmt: skip
"""In the order of the DAG; "checkpoint" is a moment of `train` at which a file is being written."""
RULES = {
    "prepare": {"prepare", "prepare_labelled"},
    "checkpoint": {"train"},
    "collect": {"collect", "collect_shown"},
    "table": {"table", "table1", "claims"},
}
"""Step → the rules that it may be of, where they are not called like the step."""
TABLES = {"table1", "claims", "evaluation"}
"""Those that come last; the tables that need no run come at any time."""
OF_WALL_TIMES = re.compile(r"run\.json|README\.md|costs\.\w+|report\.json")
"""Files that two undisturbed runs do not share, by their whole names; `content` leaves out what three others hold of wall times."""
LONGEST_S = 300.0

SCALE = (
    """
description: for the kills
results: results/kills
seeds: [0]
device: cpu
evaluation: {extractor: classifier}
samplings:
  prior: {n: 300, batch_size: 100}
"""
    + COMMON.replace("steps: [300", "steps: [400", 1)
    + """  snapshots: 2
datasets:
  posted:
    runs:
      vpga: {coefficients: {vr: [0.01, code], eta: [0.02, paper]}}
      lpga: {coefficients: {gamma: [0.015, paper]}}
table1:
  columns: [{dataset: posted, title: Digits, paper: mnist}]
  rows: [{title: LPGA, model: lpga}, {title: VPGA, model: vpga}]
figures:
  figure2: {datasets: [posted], models: [lpga, vpga]}
  figure3: {kind: training, datasets: [posted], models: [lpga, vpga]}
"""
)
TARGETS = ("kills",)


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as a gzipped IDX file."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


class Slow(http.server.SimpleHTTPRequestHandler):
    """Sends a file in a second or so, that a kill may come in between."""

    def copyfile(self, source, outputfile) -> None:
        with contextlib.suppress(ConnectionError):  # whoever asked was killed
            while block := source.read(2048):
                outputfile.write(block)
                time.sleep(0.03)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def posted(folder: Path) -> Iterator[dict]:
    """scikit-learn's digits on a server; yields the source's row."""
    from functools import partial

    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = np.rint(digits.images * 255 / 16), digits.target
    folder.mkdir()
    for name, part in (("train", slice(360, None)), ("t10k", slice(360))):
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(idx(images[part]))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(idx(labels[part]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        files = {
            path.name: {
                "urls": [f"http://127.0.0.1:{server.server_port}/{path.name}"],
                "mirror": [],
                "max_size": 1_000_000,
                "checksum": {"algorithm": "sha256", "value": hashlib.sha256(path.read_bytes()).hexdigest()},
            }
            for path in sorted(folder.iterdir())
        }
        yield {"description": "digits", "licence": "none", "citation": "-", "files": files}
        server.shutdown()


def add(project: Path, file: str, block: str, name: str, row: dict) -> None:
    """Add a row to one of the project's tables."""
    path = project / "params" / file
    content = yaml.safe_load(path.read_text())
    content[block][name] = row
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def equip(project: Path, source: dict) -> None:
    """Give a copy of the project the small scale and its source."""
    add(project, "sources.yaml", "sources", "posted", source)
    add(project, "datasets.yaml", "datasets", "posted", {"kind": "idx", "source": "posted"})
    (project / "params" / "kills.yaml").write_text(SCALE)
    write_checkpoints_all_the_time(project)


def write_checkpoints_all_the_time(project: Path) -> None:
    """Every twentieth of a second instead of every minute."""
    rules = project / "workflow" / "rules" / "train.smk"
    text = rules.read_text()
    assert " --expect {params.digest:q}" in text
    rules.write_text(text.replace(" --expect {params.digest:q}", " --expect {params.digest:q} --checkpoint-every 0.05"))


OFFLINE: tuple[str, ...] = ("unshare", "--net", "--")
"""Before a command: it sees no network, not even loopback."""


def start(project: Path, targets: tuple[str, ...], log: Path, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """The workflow in a session of its own."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PGA_MIRROR", "PYTHONPATH")}
    environment |= {"PYTHONPATH": str(project), "NO_PROXY": "127.0.0.1"}
    command = [*before, sys.executable, "-m", "snakemake", "--cores", "2", *targets]
    with log.open("ab") as file:
        return subprocess.Popen(command, cwd=project, env=environment, start_new_session=True, stdout=file, stderr=file)


def complete(project: Path, targets: tuple[str, ...], log: Path, before: tuple[str, ...] = ()) -> None:
    """Run to the end, undisturbed."""
    process = start(project, targets, log, before)
    if process.wait() != 0:
        raise SystemExit(f"the workflow failed; the end of {log}:\n{log.read_text()[-3000:]}")


def members(session: int) -> list[psutil.Process]:
    """Processes of a session that are alive."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def running(session: int) -> set[str]:
    """The verbs of pga that run in a session."""
    verbs = set()
    for process in members(session):
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "-m" in words[:4] and words[words.index("-m") + 1] == "pga":
                verb, *rest = words[words.index("-m") + 2 :]
                if verb != "table" or rest[0] in TABLES:
                    verbs.add(verb)
    return verbs


def planned(said: str) -> set[str] | None:
    """The rules of the last plan that Snakemake printed, None before there is one."""
    found = re.search(r"Job stats:\n.*?\n-+.*?\n(.*?)\ntotal", said, re.S)
    return {line.split()[0] for line in found[1].splitlines() if line.strip()} if found else None


def being_written(project: Path) -> list[Path]:
    """Files under a temporary name."""
    with contextlib.suppress(FileNotFoundError):  # it may go while one looks
        return [path for folder in (".pga", "results", "data") for path in (project / folder).rglob(".*.part")]
    return []


def wait_for(step: str, process: subprocess.Popen[bytes], project: Path, log: Path, start: int, rng: random.Random) -> bool:
    """Wait until `step` runs and a drawn time more; False if it is not in the plan or the workflow ended before.

    Args:
        step: of `STEPS`.
        process: the workflow.
        project: where it runs.
        log: what it says, from the byte `start` on.
        start: see `log`.
        rng: what draws.
    """
    deadline = time.monotonic() + LONGEST_S
    verb = "train" if step == "checkpoint" else step
    rules: set[str] | None = None
    while process.poll() is None and verb not in running(process.pid):
        rules = rules or planned(log.read_bytes()[start:].decode(errors="replace"))
        if rules is not None and not rules & RULES.get(step, {step}):
            return False
        if time.monotonic() > deadline:
            raise SystemExit(f"{step} did not begin within {LONGEST_S:.0f} s")
        time.sleep(0.05)
    if step == "checkpoint":
        while process.poll() is None and "train" in running(process.pid):
            for _ in range(200):
                if being_written(project):
                    return process.poll() is None
    else:
        time.sleep(rng.uniform(0, 3.0) ** 2 / 3)  # early moments more often: a short step's whole life
    return process.poll() is None


def stop(process: subprocess.Popen[bytes], how: str) -> None:
    """End the whole group of processes, and see that none is left."""
    signals = {"SIGKILL": [signal.SIGKILL], "SIGTERM": [signal.SIGTERM], "SIGINT twice": [signal.SIGINT, signal.SIGINT]}[how]
    for number in signals:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        time.sleep(0.2 if len(signals) > 1 else 0)
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise SystemExit(f"the workflow does not end on {how}") from None
    deadline = time.monotonic() + 10
    while left := members(process.pid):
        if time.monotonic() > deadline:
            raise SystemExit(f"after {how} processes are left: {[' '.join(one.cmdline()) for one in left]}")
        time.sleep(0.05)


def power_cut(project: Path, rng: random.Random) -> int:
    """Cut or blank what nobody synced: files under hidden names that are not complete. Returns how many."""
    hit = 0
    for path in [*project.glob("data/**/.*.part*"), *being_written(project)]:
        if path.is_file() and (size := path.stat().st_size):
            kept = rng.randrange(size)
            path.write_bytes(path.read_bytes()[:kept] + bytes((size - kept) * rng.randrange(2)))
            hit += 1
    return hit


def content(path: Path) -> object:
    """What must be equal of a file: its bytes, without the wall times that some hold."""
    if path.name == "history.csv":
        with path.open() as file:
            return [[(key, value) for key, value in row.items() if key != "images_per_s"] for row in csv.DictReader(file)]
    if path.name == "report.html":
        page = re.sub(r'<figure class="table" id="(costs-0|times)">.*?</figure>', "", path.read_text(), flags=re.S)
        page = re.sub(r'<p class="caption">Costs of .*?</p>', "", page)
        page = re.sub(r'<td class="number wall".*?</td>', "", page)
        return re.sub(r"<dt>(Steps|Largest resident memory|Interrupted and resumed|Training)</dt><dd>.*?</dd>", "", page)
    return path.read_bytes()


def differences(whole: Path, other: Path, partly: bool = False) -> list[str]:
    """Files of `whole` which differ in `other` or, unless `partly`, are absent there."""
    found = []
    for path in sorted([*whole.glob("results/**/*"), *whole.glob("data/**/*")]):
        name = path.relative_to(whole)
        if not path.is_file() or path.name.startswith(".") or OF_WALL_TIMES.fullmatch(path.name):
            continue
        there = other / name
        if (not partly and not there.exists()) or (there.exists() and content(there) != content(path)):
            found.append(f"{name}{where(content(path), content(there)) if there.exists() else ' (absent)'}")
    return found


def where(expected: object, found: object) -> str:
    """Where two texts begin to differ."""
    if not (isinstance(expected, str) and isinstance(found, str)):
        return ""
    start = next((k for k, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), min(len(expected), len(found)))
    return f" (at character {start}: {expected[max(0, start - 200) : start + 80]!r} became {found[max(0, start - 80) : start + 80]!r})"


def campaign(
    whole: Path,
    project: Path,
    targets: tuple[str, ...],
    kills: int,
    seed: int,
    log: Path,
    steps: tuple[str, ...] = STEPS,
    before: tuple[str, ...] = (),
) -> Counter[str]:
    """Kill the workflow in `project` `kills` times, beginning anew when it is complete; raises SystemExit on any difference to `whole`.

    Returns:
        step and signal → number of kills.
    """
    rng = random.Random(seed)
    hits: Counter[str] = Counter()
    while hits.total() < kills:
        for folder in ("results", "data", ".pga", ".snakemake", "logs"):
            shutil.rmtree(project / folder, ignore_errors=True)
        process = None
        for step in steps if kills - hits.total() >= len(steps) else sorted(rng.sample(steps, kills - hits.total()), key=steps.index):
            if process is None:
                said = log.stat().st_size if log.exists() else 0
                process = start(project, targets, log, before)
            if not wait_for(step, process, project, log, said, rng):
                continue  # nothing of this step was left to do: the next step may come in the same workflow
            now = sorted(running(process.pid)) or ["between steps"]
            how = rng.choices(("SIGKILL", "SIGTERM", "SIGINT twice"), (6, 1, 1))[0]
            stop(process, how)
            process = None
            hits[f"{'checkpoint' if step == 'checkpoint' else '+'.join(now)}, {how}"] += 1
            cut = power_cut(project, rng) if how == "SIGKILL" and rng.random() < 0.5 else 0
            print(f"kill {hits.total()}: wanted {step}, hit {'+'.join(now)} by {how}; {cut} files cut", flush=True)
            if wrong := differences(whole, project, partly=True):
                raise SystemExit(f"after kill {hits.total()} these stand under their final names and differ: {', '.join(wrong)}")
        if process is not None and process.wait() != 0:
            raise SystemExit(f"the workflow failed; the end of {log}:\n{log.read_text()[-3000:]}")
        complete(project, targets, log, before)
        if wrong := differences(whole, project):
            raise SystemExit(f"after {hits.total()} kills these differ from the undisturbed run: {', '.join(wrong)}")
        if left := being_written(project):
            raise SystemExit(f"temporary files are left: {', '.join(map(str, left))}")
    return hits


def main() -> int:
    """The long version."""
    from conftest import copy_project

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of steps, times and signals (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills") as place:
        log = Path(place) / "log"
        with posted(Path(place) / "posted") as source:
            whole, project = (copy_project(Path(place) / name) for name in ("whole", "killed"))
            for folder in (whole, project):
                equip(folder, source)
            started = time.monotonic()
            complete(whole, TARGETS, log)
            print(f"undisturbed: {time.monotonic() - started:.0f} s, {len(differences(whole, Path(place) / 'nowhere'))} files", flush=True)
            hits = campaign(whole, project, TARGETS, arguments.kills, arguments.seed, log)
    print(f"{hits.total()} kills, {time.monotonic() - started:.0f} s, all bytes equal in the end")
    for what, number in sorted(hits.items()):
        print(f"  {number:3} × {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
