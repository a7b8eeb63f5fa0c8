# A target that nothing makes is refused by name, with those that are spelt almost the same.

import difflib


def is_made(target: str) -> bool:
    """Whether it is a rule, a file, or what a rule makes."""
    return workflow.is_rule(target) or os.path.exists(target) or any(rule.is_producer(target) for rule in workflow.rules)


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
