# What to do about jobs that a cluster ended: the knob of each limit, said last, where it is read.

import re

LIMITS = {
    r"status is: 'TIMEOUT'|DUE TO TIME LIMIT": ("ran past its time limit", "runtime=24h", " (a training continues from its checkpoint)"),
    r"status is: 'OUT_OF_MEMORY'|exceeded (job )?memory limit|oom[-_]kill": ("needs more memory than it asked for", "mem_mb=16000", ""),
    r"status is: 'NODE_FAIL'": ("was on a node that failed", None, "; the same command submits it again"),
    r"status is: 'PREEMPTED'": ("was pre-empted and not put back", None, "; slurm-requeue in the profile does, and so does the same command"),
}
"""What Slurm says → what it means, an example of the resource that helps, what else there is to know."""


def text_of(files: list[str]) -> str:
    """The content of those of the files that are there."""
    return "\n".join(Path(file).read_text(errors="replace") for file in files if Path(file).is_file())


def advise(files: list[str]) -> None:
    """Say last, where it is read, which jobs in Snakemake's logs have failed and why, which resource a limit that ended one is set by, and how
    to see what there is without them."""
    said, failed = set(), {}
    logs = text_of(files)
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
            failed[", ".join(own) or kind] = causes[-1] if causes else "its log says why"
    for log, cause in failed.items():
        print(f"failed: {log}: {cause}", file=sys.stderr)
    for line in sorted(said):
        print(f"advice: {line}", file=sys.stderr)
    for root, (_, experiment) in EXPERIMENTS.items():
        if any(f"/{root}/{dataset}/" in log for log in failed for dataset in experiment.datasets):
            partial = [f"{root}/partial/{name}" for name in ("table1.csv", *(f"{figure}.png" for figure in experiment.figures))]
            print(f"what there is, with gaps that name what is missing: snakemake --cores 1 {' '.join(partial[:2])}", file=sys.stderr)
