# Table of contents. Every scale is a file in params/ and writes into its own folder:
#   snakemake --cores 4 --resources gpu=1 results/table1.csv     the paper (params/paper.yaml)
#   snakemake --cores 2 results/quick/table1.csv                 minutes on two cores (params/quick.yaml)
# A named target, e.g. `quick`, makes everything of its scale. workflow/rules/ has one file per stage.

from snakemake.utils import min_version

min_version("9.0")

report: "workflow/report/workflow.rst"

include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/panels.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/artifacts.smk"
include: "workflow/rules/report.smk"


localrules: fetch, paper, quick


onstart:
    hold_folder()


rule paper:
    default_target: True
    input: artifacts("results")


rule quick:
    input: artifacts("results/quick")
