# Table of contents. Every experiment is a file in params/ and writes into its own folder:
#   snakemake --cores 4 --resources gpu=1 results/table1.csv     the paper (params/paper.yaml)
#   snakemake --cores 2 results/quick/table1.csv                 minutes on two cores (params/quick.yaml)
# The name of an experiment's file, e.g. `quick`, is the target that makes everything of it. workflow/rules/ has one file per stage; what rules
# share is in common.smk, what their jobs read in inputs.smk.
# `snakemake --lint` asks of each rule for a conda environment or a container, and for nothing else: all run in the project's one environment
# (requirements.lock, environment.yml), because the rules' fingerprints are of the code that it runs.

import os
import shlex

from snakemake.utils import min_version

min_version("9.0")

from workflow import engine

if not os.path.samefile(workflow.basedir, os.curdir):
    raise WorkflowError(f"this workflow runs in its own folder, which holds its parameters, data and results: cd {shlex.quote(workflow.basedir)}")
if config:
    raise WorkflowError(f"--config {' '.join(config)}: nothing reads it; parameters are the files in params/ (docs/own-data.md)")

report: "workflow/report/workflow.rst"

include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/panels.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/artifacts.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/advice.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/code.smk"


engine.end_on_sigterm()


# Downloads, because compute nodes often have no network, and what takes seconds.
localrules: fetch, collect, collect_shown, summary, table, numbers, claims, figure, partial_figure, partial_table, rule_graph


onstart:
    engine.hold_folder()
    engine.end_idle_looking(workflow)
    if workflow.non_local_exec: # a Slurm that is installed and does not answer costs each question ten seconds
        engine.outlast_outages()
        engine.end_orphans()
    keep_plan()


onsuccess:
    point_to_reports()


onerror:
    advise([log] if isinstance(log, str) else log)


rule targets:
    # What there is to ask for: the paper's trainings begin by name only.
    default_target: True
    localrule: True
    message: overview()


# An experiment's name makes all of it, and EXPERIMENT/DATASET, which dvc.yaml asks for, everything on one data set.
for experiment in experiments_with_targets():

    rule:
        name: experiment
        localrule: True
        input: lambda wildcards, name=experiment: everything(results_of(name))


for root, (file, experiment) in EXPERIMENTS.items():
    for dataset in experiment.datasets:

        rule:
            name: f"{Path(file).stem}/{dataset}"
            localrule: True
            input: lambda wildcards, root=root, dataset=dataset: of_dataset(everything(root), root, dataset)


refuse_unknown_targets()
