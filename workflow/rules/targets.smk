# What there is to ask for: the files of an experiment, and of all; a target that nothing makes is refused by name, with those that are spelt
# almost the same.

import difflib


def results_of(name: str) -> str:
    """The folder of results of an experiment, by the name of its file."""
    if reason := CATALOGUE.left_out.get(f"params/{name}.yaml"):
        raise WorkflowError(reason)
    for root, (file, _) in EXPERIMENTS.items():
        if Path(file).stem == name:
            return root
    raise WorkflowError(f"params/{name}.yaml: there is no such file")


def experiments_with_targets() -> list[str]:
    """The names of all experiments, and of those left out, whose targets say why."""
    names = [Path(file).stem for file in [*(file for file, _ in EXPERIMENTS.values()), *CATALOGUE.left_out]]
    return [name for name in dict.fromkeys(names) if re.fullmatch(NAME, name) and name not in RULES]


def artifacts(root: str) -> list[str]:
    """Everything that an experiment makes."""
    figures = [f"{root}/figures/{figure}.{kind}" for figure in EXPERIMENTS[root][1].figures for kind in ("png", "pdf", "tex", "json")]
    names = ["table1", "notation", "parameters", *OF_ALL_RUNS, *(["equivalence"] if EXPERIMENTS[root][1].equivalence else [])]
    tables = [f"{root}/{table}.{kind}" for table in names for kind in ("csv", "md", "tex", "json")]
    others = [f"{root}/{file}" for file in ("claims.csv", "claims.json", "numbers.tex", "numbers.json", "report.html", "report.json")]
    return [*tables, *figures, *others]


def shown_in_report(root: str) -> list[str]:
    """What the report shows of an experiment besides its runs."""
    left_out = (".md", ".tex", "numbers.json", "report.html", "report.json")
    return [file for file in artifacts(root) if not file.endswith(left_out)] + [f"{root}/metrics.csv"]


def details_of_runs(root: str) -> list[str]:
    """What the report reads of every run, as far as the workflow makes it for other reasons."""
    experiment = EXPERIMENTS[root][1]
    samples = [
        f"{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.{kind}"
        for dataset, model, sampling in experiment.samplings_of_runs()
        for seed in experiment.seeds_of(dataset, model)
        for kind in ("npy", "json")
    ]
    drawn = [file for figure in experiment.figures for file in experiment.files_of_figure(figure) if Path(file).stem == "curve"]
    curves = {f"{root}/{file}" for file in [*drawn, *curves_read(experiment, CLAIMS)]}
    of_training = [file for name in ("run.json", "history.csv", "snapshots.safetensors") for file in of_runs(root, name)]
    return [*of_training, *metrics_of(root), *samples, *sorted(curves)]


def everything(root: str) -> list[str]:
    """All files that an experiment makes: of its runs too, so that one which is missing is noticed though all tables are there."""
    experiment = EXPERIMENTS[root][1]
    drawn = [f"{root}/{file}" for figure in experiment.figures for file in experiment.files_of_figure(figure)]
    summaries = [f"{root}/{dataset}/summary.{kind}" for dataset in experiment.datasets for kind in ("json", "csv")]
    models = of_runs(root, "model.safetensors")
    return list(dict.fromkeys([*artifacts(root), *shown_in_report(root), *details_of_runs(root), *models, *drawn, *summaries]))


def of_dataset(files: list[str], root: str, dataset: str) -> list[str]:
    """Those of the files that belong to one data set of an experiment."""
    return [file for file in files if file.startswith(f"{root}/{dataset}/")]


def overview() -> str:
    """What can be asked for, as text that Snakemake formats: braces are doubled."""
    experiments = []
    for root, (file, experiment) in EXPERIMENTS.items():
        trainings = len(experiment.all_runs())
        experiments.append(f"  {Path(file).stem:<16} {experiment.description} ({trainings} training{'s' * (trainings != 1)}, in {root}/)")
    lines = [
        "no target was named, so nothing is made. An experiment is a target that makes everything of it:",
        *experiments,
        "Each of its tables, figures and files is a target, too. With -n behind it, a command only shows the plan:",
        "  snakemake --cores 2 results/quick/table1.csv",
        "  snakemake --cores 4 --resources gpu=1 results/figures/figure2.png",
    ]
    return "\n".join(lines).replace("{", "{{").replace("}", "}}")


def is_made(target: str) -> bool:
    """Whether it is a rule, a file, or what a rule makes."""
    path = os.path.relpath(target)  # `./results/…`, as a shell completes it
    return workflow.is_rule(target) or os.path.exists(path) or any(rule.is_producer(path) for rule in workflow.rules)


def refuse_unknown_targets() -> None:
    """Before anything is planned: Snakemake names the target, not what there is. The command `snakemake` puts targets behind `--`."""
    targets = sys.argv[sys.argv.index("--") + 1 :] if workflow.is_main_process and "--" in sys.argv else []
    unknown = [target for target in targets if not is_made(target)]
    for target in unknown:
        names = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
        data = [f"data/processed/{name}.npy" for name in DATASETS]
        similar = difflib.get_close_matches(target, [*names, *data, *(file for root in EXPERIMENTS for file in everything(root))], cutoff=0.8)
        hint = f"; is it {' or '.join(similar)}?" if similar else "."
        raise WorkflowError(f"{target}: nothing makes it{hint} `snakemake --cores 2` lists what can be asked for")
