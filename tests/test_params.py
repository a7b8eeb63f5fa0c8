"""Parameters: strict, with origins, spread from the common blocks, and in step with the schema and with `method.md`."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from pga.errors import UserError
from pga.params import schema
from pga.params.derive import derive
from pga.params.scale import load_scale
from pga.terms import coefficients

SCALES = [path for path in sorted(Path("params").glob("*.yaml")) if "results:" in path.read_text()]


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_every_scale_loads_and_fits_the_schema(path: Path) -> None:
    scale = load_scale(path)
    assert len({run.digest for run in scale.all_runs()}) == len(scale.all_runs()) > 0
    jsonschema.validate(derive(path), schema.schemas()["scale.schema.json"])


def test_the_schema_files_are_those_of_the_types() -> None:
    for name, content in schema.schemas().items():
        assert (schema.FOLDER / name).read_text() == schema.text(content), "run `python -m pga.params.schema`"


BAD = {
    "out of range": (
        "learning_rate: [0.1, code]",
        "learning_rate: [-1, code]",
        "digits.runs.lpga.learning_rate.0: found -1.*greater than 0",
    ),
    "not finite": ("learning_rate: [0.1, code]", "learning_rate: [.inf, code]", "learning_rate.0: found inf.*finite"),
    "unknown key": ("momentum: [0.9, paper]", "momentun: [0.9, paper]", "momentun.*no such key; accepted here are .*momentum"),
    "unknown network": ("[dense_8, inferred]", "[conv_99, inferred]", "network.0: found 'conv_99': accepted: dense_8"),
    "unknown origin": ("alpha: [0.06, code]", "alpha: [0.06, guess]", "alpha.1: found 'guess'.*'paper', 'code'"),
    "no origin": ("steps: [3000, inferred]", "steps: 5000", r"steps: found 5000: accepted is .*\[value, origin\]"),
    "a coefficient of no model": ("alpha: [0.06, code]", "alhpa: [0.06, code]", "alhpa"),
    "another model's coefficient": (
        "{c: [0.05, inferred]}",
        "{c: [0.05, inferred], eta: [1, code]}",
        "coefficients of vae are c; found .*eta",
    ),
    "seed twice": ("seeds: [0, 1, 2]", "seeds: [0, 0]", "holds a seed twice"),
    "results elsewhere": ("results: results/quick", "results: /tmp/x", "results: found '/tmp/x'"),
    "a key twice": ("  prior:", "  prior: {}\n  prior:", "'prior' stands twice"),
    "a table of absent runs": ("model: lpga_ablation, block", "model: nothing, block", "wants the run digits/nothing"),
    "both lengths": ("steps: [3000, inferred]", "steps: [5000, inferred]\n  epochs: [3, inferred]", "one of `epochs` and `steps`"),
    "a python object": ("seeds: [0, 1, 2]", "seeds: !!python/object/apply:os.system ['true']", "python/object"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_refused_by_name(case: str, tmp_path: Path) -> None:
    old, new, message = BAD[case]
    text = Path("params/quick.yaml").read_text()
    assert old in text
    path = tmp_path / "quick.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=rf"(?s)quick\.yaml: .*{message}"):
        load_scale(path)


def test_rows_override_the_data_sets_common_values_which_override_the_files() -> None:
    scale = load_scale("params/paper.yaml")
    lpga, vpga = scale.run("mnist", "lpga", 0), scale.run("mnist", "vpga", 0)
    assert (lpga.latent_dim, vpga.latent_dim) == (12, 32)
    assert (lpga.warmup_steps, vpga.warmup_steps) == (3000, 0)
    assert scale.run("mnist", "lpga_ablation", 0).coefficients == {"alpha": 0, "beta": 0, "gamma": 0.015}


def test_changing_one_model_leaves_the_digests_of_the_others(tmp_path: Path) -> None:
    text = Path("params/quick.yaml").read_text()
    path = tmp_path / "quick.yaml"
    path.write_text(text.replace("vr: [0.01, code]", "vr: [0.02, code]"))
    before, after = load_scale("params/quick.yaml"), load_scale(path)
    changed = {new.name for old, new in zip(before.all_runs(), after.all_runs(), strict=True) if old.digest != new.digest}
    assert changed == {"vpga"}


def test_every_model_takes_just_its_coefficients() -> None:
    assert {model: coefficients(model) for model in ("lpga", "vpga", "lvpga", "vae")} == {
        "lpga": ["alpha", "beta", "gamma"],
        "vpga": ["alpha", "beta", "vr", "eta"],
        "lvpga": ["alpha", "beta", "vr", "gamma", "eta"],
        "vae": ["c"],
    }


METHOD = {  # `method.md`, "Runs of the paper": network, BN, H, lr, epochs, warm-up, α, β, γ, vr, η
    ("mnist", "lpga"): ("conv_mnist", False, 12, 0.1, 600, 3000, 6e-2, 0, 1.5e-2, None, None),
    ("mnist", "vpga"): ("conv_mnist", False, 32, 0.1, 600, 0, 6e-2, 0, None, 1e-2, 2e-2),
    ("mnist", "lvpga"): ("conv_mnist", False, 32, 0.1, 600, 3000, 6e-2, 0, 0, 2e-2, 2e-2),
}


@pytest.mark.parametrize("dataset, model", METHOD)
def test_the_papers_rows(dataset: str, model: str) -> None:
    run = load_scale("params/paper.yaml").run(dataset, model, 0)
    found = (run.network, run.batch_norm, run.latent_dim, run.learning_rate, run.epochs, run.warmup_steps)
    assert (*found, *(run.coefficients.get(name) for name in ("alpha", "beta", "gamma", "vr", "eta"))) == METHOD[dataset, model]
    assert (run.width, run.batch_size, run.momentum, run.delta, run.epsilon) == (64, 64, 0.9, "sphere", 0.01)
