"""Table 2: the symbols of the method, generated from the table of terms that training runs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pga.artifacts.tables.formats import Formula, Grid
from pga.artifacts.tables.latex_tables import texts_of
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.method.terms import MODELS, ONE, PHI, SIGMA, TERMS, THETA
from pga.params.titles import in_words

EXPRESSIONS: dict[str, tuple[str, str]] = {
    "x": (r"x \sim \mathcal{D}", "a batch of images"),
    "f(x)": (r"f_\phi(x)", "code of x, the posterior's mean μ"),
    "log σ²": (r"\log\sigma_\phi^2(x)", "log-variance of the posterior, the encoder's second head"),
    "x̂": (r"\hat{x} = g_\theta(f_\phi(x))", "reconstruction of x"),
    "z": (r"z \sim \mathcal{H}", "code of an image, held fixed"),
    "z_N": (r"z \sim \mathcal{N}(0, I)", "draw from the prior"),
    "h(z)": (r"h(z) = f_\phi(g_\theta(z))", "code of the image that is decoded from z"),
    "h(z_N)": (r"h(z),\ z \sim \mathcal{N}(0, I)", "the same of a draw from the prior"),
    "z'": (r"z' = z + \sigma_\phi(x) \odot \xi", "draw from the posterior, ξ standard normal"),
    "g(z')": (r"g_\theta(z')", "image decoded from a draw from the posterior"),
    "h(z')": (r"h(z')", "code of that image"),
    "δ": (r"\delta \sim S(\epsilon)", "perturbation of fixed size ε per latent dimension"),
    "h(z+δ)": (r"h(z + \delta)", "code of the image decoded from the perturbed code"),
    "sg δ'": (r"\delta' = \xi \odot (\sigma_\phi(x) + \epsilon)", "perturbation of learned size, held fixed"),
    "h(z+δ')": (r"h(z + \delta')", "code of the image decoded from that"),
    "s": (r"s", "root mean square of z over the batch, per latent dimension"),
    "kernels of g": (r"\theta_W", "kernels of the decoder without biases"),
}
"""What terms read → LaTeX and one line; the tests hold it to be complete."""

PARAMETERS = {
    PHI: (r"\phi", "parameters of the encoder"),
    THETA: (r"\theta", "parameters of the decoder"),
    SIGMA: (r"\sigma_\phi", "the encoder, through its σ head only"),
}

COEFFICIENTS = {
    "alpha": r"\alpha", "beta": r"\beta", "gamma": r"\gamma", "eta": r"\eta", "vr": r"\gamma'", "c": "c", "rec": r"w_r",
    "kl": r"w_{kl}", "mmd": r"w_{mmd}", "b": r"b", "l": r"l", "gamma_phi": r"\gamma_\phi", "gamma_theta": r"\gamma_\theta",
}  # fmt: skip
"""Name in params/ → LaTeX."""


def coefficient_symbol(name: str) -> str:
    """A coefficient as LaTeX; one of a model of one's own is a w with its name."""
    return COEFFICIENTS.get(name) or f"w_{{{name.replace('_', '')}}}"


def weighs(name: str, models: Mapping[str, Mapping[str, str]] = MODELS) -> str:
    """Which terms a coefficient weighs, in which models."""
    found: dict[str, list[str]] = {}
    for model, terms in models.items():
        weighed = ", ".join(term for term, coefficient in terms.items() if coefficient == name)
        if weighed:
            found.setdefault(weighed, []).append(in_words(model))
    return "; ".join(f"weighs {terms} in {', '.join(of)}" for terms, of in found.items())


def rows() -> list[dict[str, str]]:
    """Every symbol: kind, name in the code, LaTeX, meaning, source."""
    read = {expression for term in TERMS.values() for expression in term.reads}
    found = [("parameters", name, symbol, meaning, "") for name, (symbol, meaning) in PARAMETERS.items()]
    found += [
        ("value", name, symbol, meaning, "") for name, (symbol, meaning) in EXPRESSIONS.items() if name in read or name in ("z", "z'")
    ]
    found += [
        ("loss", name, term.symbol, f"{term.meaning}; reads {', '.join(term.reads)}; moves {', '.join(term.moves)}", term.source)
        for name, term in TERMS.items()
    ]
    names = dict.fromkeys(name for terms in MODELS.values() for name in terms.values() if name != ONE)
    found += [("coefficient", name, coefficient_symbol(name), weighs(name), "params/*.yaml") for name in names]
    keys = ("kind", "name", "symbol", "meaning", "source")
    return [dict(zip(keys, row, strict=True)) for row in found]


def make(request: TableInputs) -> Table:
    """The table; it is the same at every experiment."""
    found = pd.DataFrame(rows())
    caption = "Notation, generated from the table of terms that training runs; h is the composition of encoder f after decoder g."
    return Table(texts_of("notation", found, as_grids(found), caption), caption)


def as_grids(found: pd.DataFrame) -> list[Grid]:
    """What notation.csv holds, a grid per kind of symbol."""
    titles = {"parameters": "What a term moves", "value": "What a term reads", "loss": "Terms", "coefficient": "Coefficients"}
    return [
        Grid(
            ("Symbol", "In the code", "Meaning", "Source"),
            ("l", "l", "p{8cm}", "l"),
            tuple((Formula(f"${row['symbol']}$"), row["name"], row["meaning"], row["source"]) for row in part.to_dict("records")),
            titles[str(kind)],
        )
        for kind, part in found.groupby("kind", sort=False)
    ]
