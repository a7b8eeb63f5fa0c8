"""What the command `snakemake` prints of a run: a line for each job that ends, in a pipe and in a terminal, and what failed."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_logger_plugin_jobs.remaining import Job, Remaining
from terminal import in_a_terminal

ROOT = Path(__file__).parents[2]
SNAKEFILE = """
rule all:
    input: "results/report.html"

rule train:
    output: "{root}/{model}/seed{seed}/model"
    log: "logs/{root}-{model}-{seed}.log"
    shell: "sleep 0.1 && touch {output}"

rule evaluate:
    input: "{root}/{model}/seed{seed}/model"
    output: "{root}/{model}/seed{seed}/metrics"
    log: "logs/evaluate-{root}-{model}-{seed}.log"
    shell: "sleep 0.8 && touch {output}"

rule report:
    input: expand("results/lpga/seed{seed}/metrics", seed=range(4))
    output: "results/report.html"
    shell: "touch {output}"
"""
COMMAND = [sys.executable, "-c", "import pga_snakemake; pga_snakemake.main()", "--cores", "2", "--scheduler", "greedy"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "workflow/command")}


def job(rule: str, start: float) -> Job:
    told = {"rule_name": rule, "wildcards": {}, "log": [], "rule_msg": None, "created": start}
    return Job(logging.makeLogRecord(told))


def in_a_pipe(folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run([*COMMAND, *arguments], cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)
    return done.stderr.splitlines()


def test_a_line_for_each_job_with_how_many_and_at_the_end_how_long(folder: Path) -> None:
    lines = in_a_pipe(folder, "--cores", "1")
    assert lines[0] == "10 jobs: 4 train, 4 evaluate, report, all"
    jobs = [line for line in lines if line.startswith("[")]
    assert [line[:7] for line in jobs] == [f"[{done:>2}/10]" for done in range(1, 11)]
    assert re.match(r"\[ 1/10\] train  lpga seed \d  \d+ s", jobs[0]) and re.match(r"\[10/10\] all  0 s$", jobs[-1])
    assert {line[8:].split("  ")[0] for line in jobs} == {"train", "evaluate", "report", "all"}
    assert "left" not in jobs[0] and any(re.search(r"evaluate .* · about \d+ s left · running: \w+$", line) for line in jobs)
    assert re.fullmatch(r"10 of 10 jobs done, in \d+ s", lines[-2]) and len(lines) == 13
    assert "Finished jobid" in (folder / lines[-1].removeprefix("full log: ")).read_text()
    assert in_a_pipe(folder) == ["Nothing to be done (all requested files are present and up to date)."]


def test_what_fails_is_said_whole_and_how_to_go_on(folder: Path) -> None:
    text = SNAKEFILE.replace("touch {output}", "test {wildcards.seed} != 2 || {{ echo 'the reason' > {log}; exit 3; }}; touch {output}", 2)
    (folder / "Snakefile").write_text(text)
    lines = in_a_pipe(folder, "--keep-going")
    place = next(place for place, line in enumerate(lines) if line.startswith("FAILED"))
    assert re.fullmatch(r"FAILED train  lpga seed 2 after \d s", lines[place])
    assert lines[place + 1 : place + 3] == ["  logs/results-lpga-2.log", "    the reason"]
    assert re.fullmatch(r"6 of 10 jobs done, 1 failed, in \d+ s; the same command goes on from here", lines[-2])
    assert not [line for line in lines if "Traceback" in line or "Error" in line or "CalledProcess" in line]


def test_in_a_terminal_no_line_is_longer_than_it_is_wide_and_what_is_stopped_has_not_failed(folder: Path) -> None:
    name = "a_model_whose_name_fills_the_terminal_from_one_side_to_the_other_and_more"
    text = SNAKEFILE.replace("results/lpga", f"results/{name}").replace("range(4)", "range(2)")
    (folder / "Snakefile").write_text(text.replace("sleep 0.1", "sleep {wildcards.seed}00"))
    shown = in_a_terminal(COMMAND, folder, environment(), interrupt_at="[1/6]")
    lines = re.sub(r"\x1b\[\d+m|\^C", "", shown).splitlines()
    first = next(line for line in lines if line.startswith("["))
    assert len(first) == 80 and first.startswith(f"[1/6] train  {name[:60]}") and first.endswith("…")
    assert f"stopped: train  {name} seed 1"[:79] + "…" in lines and not [line for line in lines if line.startswith(("FAILED", "failed"))]
    assert re.fullmatch(r"[12] of 6 jobs done, in \d+ s; the same command goes on from here", lines[-2])


def test_all_that_snakemake_has_to_say_is_a_flag_away(folder: Path) -> None:
    lines = in_a_pipe(folder, "-p", "results/lpga/seed0/model")
    assert {"Job stats:", "1 of 1 steps (100%) done"} <= set(lines) and any("sleep 0.1 && touch results/lpga" in line for line in lines)


def test_the_time_left_follows_what_each_rule_took() -> None:
    remaining = Remaining({"train": 3, "evaluate": 3, "table": 1})
    start = remaining.start
    train, evaluate = job("train", start), job("evaluate", start + 100)
    remaining.finished(train, 100.0)
    assert remaining.seconds([evaluate], start + 100) is None, "nothing is known of half of the jobs"
    remaining.finished(evaluate, 10.0)
    assert remaining.seconds([], start + 110) == pytest.approx(2 * 100 + 2 * 10 + 55)
    assert remaining.seconds([], start + 110, 1) == pytest.approx(275 / 5), "of five jobs, one"
    running = [job("train", start + 110)] * 2
    assert remaining.seconds(running, start + 150) == pytest.approx((275 - 2 * 40) / ((110 + 2 * 40) / 150)), "of two at a time"
