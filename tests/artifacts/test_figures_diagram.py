"""Figure 1 shows the gradients that training has: what is drawn is held against autograd, and against the paper's own figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from pga.artifacts.figures import diagram
from pga.artifacts.figures.routing_figure import Edge, Route, inputs, route
from pga.cli import main
from pga.method.terms import MODELS, ONE, PHI, SIGMA, TERMS, THETA
from pga.method.values import Values, draw_noise, term_value
from pga.networks.build import build

DRAWN = [term for term in TERMS if term != "l2_decoder"]  # which reads kernels, no expression of networks


@pytest.mark.parametrize("term", DRAWN)
def test_what_is_drawn_as_moved_is_what_receives_a_gradient(term: str) -> None:
    encoder, decoder = build("dense_8", 16, 4, False, sigma_head=True, seed=0)
    generator = torch.Generator().manual_seed(0)
    noise = draw_noise(8, 4, generator, torch.float32)
    constant = 0.7 if term.startswith("cv_") else None
    term_value(term, Values(encoder, decoder, torch.rand(8, 1, 8, 8, generator=generator), noise, constant_sigma=constant)).backward()

    def received(parameters: object) -> bool:
        return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in parameters)

    # every gradient of φ itself passes the code's layer, and every one through σ_φ the head's
    found = {PHI: received(encoder.mean.parameters()), SIGMA: received(encoder.log_var.parameters()), THETA: received(decoder.parameters())}
    assert route(term).moves() == {name for name, has in found.items() if has}


def test_a_coefficient_of_a_model_of_ones_own_has_a_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "own", {"r": ONE, "lr_n": "between_two"})
    assert diagram.formula("own").endswith(r"w_{betweentwo}\,L_{lr,\mathcal{N}}^{\phi}")


def of(found: Route, state: str) -> set[str]:
    return {f"{edge.operation}: {edge.start} → {edge.end}" for edge, has in found.edges.items() if has == state and edge.operation}


# Figure 1b-d of the paper: solid, dashed ("the gradient is ignored when updating parameters"), and where a circle truncates it
PAPER = {
    "r": ({"f: x → f(x)", "g: f(x) → x̂"}, set(), set()),
    "lr_n": ({"f: g(z_N) → h(z_N)"}, set(), {"g(z_N)"}),
    "lr_h": ({"f: g(z) → h(z)"}, set(), {"g(z)"}),
    "nll_phi": ({"f: x → f(x)"}, set(), set()),
    "nll_theta": ({"g: z → g(z)", "g: z+δ → g(z+δ)"}, {"f: g(z) → h(z)", "f: g(z+δ) → h(z+δ)"}, {"z", "z+δ"}),
    "vr": ({"σ: x → z'", "g: z → g(z)", "g: z' → g(z')"}, {"f: g(z) → h(z)", "f: g(z') → h(z')"}, {"z"}),
    "kl": ({"f: x → f(x)", "σ: x → log σ²"}, set(), set()),
}


@pytest.mark.parametrize("term", PAPER)
def test_the_papers_figure(term: str) -> None:
    found = route(term)
    live, through, cut = PAPER[term]
    assert of(found, "live") == live
    assert of(found, "through") == through
    assert {edge.start for edge in found.cut} == cut


def test_the_latent_target_of_the_data_is_truncated_and_that_of_the_prior_has_nothing_to_truncate() -> None:
    assert route("lr_h").compared == {"h(z)": False, "z": True}
    assert route("lr_n").compared == {"h(z_N)": False, "z_N": False}


def test_scales_are_named_and_everything_else_is_drawn() -> None:
    assert {term: route(term).given for term in TERMS if route(term).given} == {
        "nll_theta": ("δ",), "vr": ("s",), "vr_log": ("sg δ'",), "l2_decoder": ("kernels of g",),
    }  # fmt: skip
    assert inputs("h(z+δ)", ()) == [Edge("f", "g(z+δ)", "h(z+δ)")]


def test_formulas_are_those_of_the_table() -> None:
    own = r"L_r+\alpha\,L_{lr,\mathcal{N}}^{\phi}+\beta\,L_{lr,\mathcal{H}}^{\phi}"
    assert diagram.formula("lpga") == own + r"+\gamma\,(L_{nll}^{\phi}+L_{nll}^{\theta})"
    assert diagram.formula("vpga") == own + r"+\gamma'\,L_{vr}+\eta\,L_{vkl}^{\phi}"


@pytest.mark.parametrize("models", [["vae"], list(MODELS)[:4]], ids="-".join)
def test_any_models_of_the_table_can_be_drawn(models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path("params/quick.yaml").read_text()
    line = "figure1: {kind: routing, models: [lpga, vpga]}"
    assert line in text
    monkeypatch.chdir(tmp_path)
    Path("some.yaml").write_text(text.replace(line, line.replace("[lpga, vpga]", f"[{', '.join(models)}]")))
    assert main(["figure", "figure1", "--params", "some.yaml", "--out-dir", "out"]) == 0
    with Image.open("out/figure1.png") as png:
        assert json.loads(png.info["Comment"])["runs"] == {}
        assert png.size[0] == 6.75 * 300
