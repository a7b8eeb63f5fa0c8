"""Write EXPERIMENT/dvc.yaml: the stages of dvc.yaml, which are the quick experiment's, with the experiment's own data sets and results.

Until then DVC knows nothing of an experiment, so that a fresh clone has nothing to miss. Each data set has
stages of its own, so that what failed on one leaves the others in dvc.lock; paths are the project's (`wdir`).
To DVC a file is the output of one stage: what another experiment's file has already is left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pga.data.datasets import load_datasets
from pga.params.catalogue import TABLES
from pga.params.experiment import Experiment, load_experiment
from pga.runtime.errors import UserError


def outputs(files: Iterable[Path]) -> set[str]:
    """What the stages of DVC files make of each data set, `data/…`."""
    found = set()
    for path in files:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for stage in (content.get("stages") or {}).values():  # a file of the user's own may have none, or none of each data set
            for item in stage.get("foreach", []):
                outs = stage["do"].get("outs", [])
                found |= {name.replace("${item}", item) for out in outs for name in out if name.startswith("data/")}
    return found


def stages(quick: dict[str, Any], name: str, experiment: Experiment, labelled: list[str], others: set[str]) -> dict[str, Any]:
    """The content of an experiment's DVC file.

    Args:
        quick: the content of dvc.yaml.
        name: the experiment's file in params/, without its ending.
        experiment: what that says.
        labelled: those of its data sets that have labels.
        others: what other DVC files make of data sets.
    """
    datasets = list(experiment.datasets)
    unprepared = [dataset for dataset in datasets if f"data/processed/{dataset}.npy" not in others]
    in_features = [
        dataset
        for dataset, block in experiment.datasets.items()
        if block.measured and experiment.evaluation.labels(dataset in labelled) and f"data/reference/{dataset}" not in others
    ]
    data, runs, artifacts = (quick["stages"][stage] for stage in ("data", "runs", "artifacts"))
    labels_of = [out for out in data["do"]["outs"] if "labels" in next(iter(out))]
    data["do"]["outs"] = [out for out in data["do"]["outs"] if out not in labels_of]
    labels = {
        "desc": "the labels of a data set",
        "cmd": "${snakemake} " + next(iter(labels_of[0])),
        "deps": ["data/processed/${item}.json", *data["do"]["deps"]],
        "outs": labels_of,
    }
    labelled = [dataset for dataset in unprepared if dataset in labelled]
    references_of = [out for out in runs["do"]["outs"] if "data/reference/${item}" in out]
    runs["do"] |= {"desc": "every run on one data set, trained, sampled and measured"}
    runs["do"]["outs"] = [out for out in runs["do"]["outs"] if out not in references_of]
    references = {
        "desc": "the features of a data set's real images",
        "cmd": runs["do"]["cmd"],
        "deps": ["${root}/${item}", *runs["do"]["deps"]],
        "outs": references_of,
    }
    artifacts["deps"] = [f"{experiment.results}/{dataset}" for dataset in datasets] + artifacts["deps"][1:]
    if experiment.equivalence:
        artifacts["outs"] += [{f"${{root}}/equivalence.{ending}": {"persist": True}} for ending in ("csv", "md", "tex", "json")]
    summaries = [f"../{experiment.results}/{dataset}/summary" for dataset in datasets if experiment.datasets[dataset].measured]
    bars = {"template": "bar_horizontal", "x": experiment.evaluation.metric, "y": "run"}
    of_each = {
        "data": (unprepared, data["do"]),
        "labels": (labelled, labels),
        "runs": (datasets, runs["do"]),
        "references": (in_features, references),
    }
    return {
        "vars": [quick["vars"][0] | {"experiment": name, "root": experiment.results}],
        "stages": {
            **{stage: {"foreach": list(items), "do": {"wdir": "..", **do}} for stage, (items, do) in of_each.items() if items},
            "artifacts": {"wdir": "..", **artifacts},
        },
        "params": [f"../params/{name}.yaml"],
        "metrics": [f"{summary}.json" for summary in summaries],
        "plots": [{f"{summary}.csv": dict(bars)} for summary in summaries],
    }


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0], epilog="example: python workflow/dvc_stages.py paper")
    parser.add_argument("experiment", help="a file of params/, without .yaml")
    name = parser.parse_args().experiment
    try:
        names = sorted(path.stem for path in Path("params").glob("*.yaml") if path.stem not in TABLES)
        if name not in names:
            raise UserError(f"EXPERIMENT={name}: the experiments in params/ are {', '.join(names)}")
        experiment = load_experiment(f"params/{name}.yaml")
        kinds = load_datasets()
        labelled = [dataset for dataset in experiment.datasets if kinds[dataset].labelled]
    except UserError as error:
        sys.exit(f"error: {error}")
    others = outputs(path for path in (Path("dvc.yaml"), *sorted(Path().glob("*/dvc.yaml"))) if path.parent.name != name)
    content = stages(yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8")), name, experiment, labelled, others)
    Path(name).mkdir(exist_ok=True)
    header = f"# Made by `python workflow/dvc_stages.py {name}` from dvc.yaml and params/{name}.yaml.\n"
    Path(name, "dvc.yaml").write_text(header + yaml.safe_dump(content, sort_keys=False, width=140), encoding="utf-8")


if __name__ == "__main__":
    main()
