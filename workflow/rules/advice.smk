# What is said last, where it is read: where the report is; what failed, and the knob of each limit that ended a job on a cluster.

import re

END = logger.getChild("pga") # by Snakemake's logger, so that it comes behind what that prints, and by a name, so that nobody takes it for Snakemake's

LIMITS = {
    r"status is: 'TIMEOUT'|DUE TO TIME LIMIT": ("ran past its time limit", "runtime=24h", " (a training continues from its checkpoint)"),
    r"status is: 'OUT_OF_MEMORY'|exceeded (job )?memory limit|oom[-_]kill": ("needs more memory than it asked for", "mem_mb=16000", ""),
    r"status is: 'NODE_FAIL'": ("was on a node that failed", None, "; the same command submits it again"),
    r"Slurm no longer knows it": ("was forgotten by Slurm", None, "; the same command submits it again"),
    r"status is: 'PREEMPTED'": ("was pre-empted and not put back", None, "; slurm-requeue in the profile does, and so does the same command"),
}
"""What Slurm says → what it means, an example of the resource that helps, what else there is to know."""


STOPPED = "Terminating processes on user request"
GOES_ON = "the same command continues"
"""What Snakemake says on Ctrl-C, and last what its jobs say, which have not failed."""


def text_of(files: list[str]) -> str:
    """The content of those of the files that are there."""
    return "\n".join(Path(file).read_text(errors="replace") for file in files if Path(file).is_file())


def advise(files: list[str]) -> None:
    """Say last, where it is read, which jobs in Snakemake's logs have failed and why, which resource a limit that ended one is set by, and how
    to see what there is without them."""
    said, failed = set(), {}
    logs = text_of(files)
    stopped = STOPPED in logs
    for error in re.split(r"^Error in (?=(?:rule|group)\b)", logs, flags=re.M)[1:]:
        kind, _, text = error.partition(":")
        about = re.match(r"(?:\n(?: .*)?)*", text)[0] # the indented lines
        own = re.findall(r"[^\s,]+\.log", "".join(re.findall(r"^ +log: .*$", about, re.M)))
        text += text_of(own)  # not always shown
        rules = re.findall(r"^ {4,8}rule (\w+)", text, re.M) if kind.startswith("group") else [kind.split()[-1]]
        for pattern, (meaning, example, more) in LIMITS.items():
            if re.search(pattern, text, re.I):
                knob = "; more: " + " ".join(["--set-resources", *(f"{rule}:{example}" for rule in rules)]) if example else ""
                said.add(f"{', '.join(rules)} {meaning}{knob}{more}")
        again = re.search(r"^ +jobid: (\d+)$", about, re.M)
        if not (again and re.search(rf"^Finished jobid: {again[1]}\b", logs, re.M)):  # a later attempt has done it
            causes = re.findall(r"^(?:pga \w+: )?error: (.*)$", text_of(own), re.M)
            cause = causes[-1] if causes else "its log says why"
            if not (stopped and cause.endswith(GOES_ON)):
                failed[", ".join(own) or kind] = cause
    for log, cause in failed.items():
        END.error(f"failed: {log}: {cause}")
    for line in sorted(said):
        END.error(f"advice: {line}")
    for root, (_, experiment) in EXPERIMENTS.items():
        if any(f"/{root}/{dataset}/" in log for log in failed for dataset in experiment.datasets):
            partial = [f"{root}/partial/{name}" for name in ("table1.csv", *(f"{figure}.png" for figure in experiment.figures))]
            END.error(f"what there is, with gaps that name what is missing: snakemake --cores 1 {' '.join(partial[:2])}")


def point_to_reports() -> None:
    """Say where the reports are that this call was to make."""
    for report in sorted({file for job in workflow.dag.jobs if job.rule.name == "report" for file in job.output if file.endswith(".html")}):
        END.info(f"report: {report}")
