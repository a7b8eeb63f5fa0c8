"""The table of terms: what each loss term reads, which parameters it moves, and which terms make up each model.

Plain data without torch, so that the parameters, the workflow and Figure 1 read the same table that training runs.

Names of what a term reads are the paper's expressions (Sections 3.1–3.5):

    x        the batch                       f(x)   its code, the mean μ_φ(x)         log σ²  the σ head's output
    x̂        g(f(x))                         z      sg f(x), a draw from 𝓗            z_N     a draw from N(0, I)
    h(·)     f(g(·))                         δ      the fixed-size perturbation        z'      z + σ_φ(x) ⊙ ξ
    δ'       ξ ⊙ (σ_φ(x) + ε)                s      root mean square of z per dimension

`moves` names the parameters that receive the term's gradient: φ (encoder), θ (decoder), σ (the encoder, but only through
σ_φ(x)). Everything else that the term reads is held fixed. `pga.method.values` enforces it; the tests measure it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pga.runtime.registry import Registry

PHI, THETA, SIGMA = "φ", "θ", "σ"


@dataclass(frozen=True)
class Term:
    """One term of a loss. A term of one's own needs `loss`, `reads` and `moves`.

    Attributes:
        symbol: the paper's symbol, as LaTeX.
        source: equation or section of the paper.
        loss: name of the function in `pga.method.losses`, or a function of one's own that returns a scalar tensor.
        reads: the function's arguments, as expressions of the table above.
        moves: the parameters that receive the gradient.
        meaning: one line for a person.
        largest: a value beyond this, or below its negative, has run away; no term of a healthy run comes near it.
        cause: what else the term may run away from, for the message.
    """

    symbol: str = ""
    source: str = ""
    loss: str | Callable[..., Any] = ""
    reads: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    meaning: str = ""
    largest: float = 1e6
    cause: str = ""


LARGEST_LOG = 15.0
"""A mean log-ratio beyond this is a collapse of h (healthy runs stay within a few units)."""
ALIKE = "it is the logarithm of a change of h, which is zero when h gives all codes alike"

TERMS: Registry[str, Term] = {
    "r": Term(r"L_r", "Eq. 1", "reconstruction", ("x̂", "x"), (PHI, THETA), "data reconstruction"),
    "lr_n": Term(
        r"L_{lr,\mathcal{N}}^{\phi}", "Eq. 2", "latent_reconstruction", ("h(z_N)", "z_N"), (PHI,), "latent reconstruction of the prior"
    ),
    "lr_h": Term(
        r"L_{lr,\mathcal{H}}^{\phi}", "Eq. 3", "latent_reconstruction", ("h(z)", "z"), (PHI,), "latent reconstruction of the data"
    ),
    # What Section 3.1 says degrades the performance: the same two losses, minimised with respect to θ as well.
    "lr_n_theta": Term(
        r"L_{lr,\mathcal{N}}^{\phi,\theta}",
        "Sec. 3.1",
        "latent_reconstruction",
        ("h(z_N)", "z_N"),
        (PHI, THETA),
        "latent reconstruction of the prior, by the decoder too",
    ),
    "lr_h_theta": Term(
        r"L_{lr,\mathcal{H}}^{\phi,\theta}",
        "Sec. 3.1",
        "latent_reconstruction",
        ("h(z)", "z"),
        (PHI, THETA),
        "latent reconstruction of the data, by the decoder too",
    ),
    "nll_phi": Term(r"L_{nll}^{\phi}", "Eq. 6", "prior_nll", ("f(x)",), (PHI,), "codes attracted to the origin"),
    "nll_theta": Term(
        r"L_{nll}^{\theta}",
        "Eq. 7",
        "log_volume",
        ("h(z+δ)", "h(z)", "δ"),
        (THETA,),
        "log volume change of h, fixed perturbation",
        LARGEST_LOG,
        ALIKE,
    ),
    "vr": Term(
        r"L_{vr}",
        "Eq. 11-12",
        "scaled_latent_error",
        ("h(z)", "h(z')", "s"),
        (THETA, SIGMA),
        "VAE reconstruction in latent space",
        cause="it is divided by the codes' mean square, which is near zero when all images of a batch are alike",
    ),
    "vr_log": Term(
        r"L_{vr}'",
        "Eq. 15-16",
        "log_volume",
        ("h(z+δ')", "h(z)", "sg δ'"),
        (THETA, SIGMA),
        "log volume change of h, learned perturbation",
        LARGEST_LOG,
        ALIKE,
    ),
    "kl": Term(r"L_{vkl}^{\phi}", "Eq. 12, 14", "gaussian_kl", ("f(x)", "log σ²"), (PHI, SIGMA), "KL of the posterior to the prior"),
    "elbo_r": Term(
        r"L_{r}'", "Eq. 10", "reconstruction", ("g(z')", "x"), (PHI, THETA, SIGMA), "data reconstruction from a posterior sample"
    ),
    # Baselines of Ghosh et al. 2019. Where σ is not moved it is the run's constant.
    "cv_r": Term(r"L_{r}^{\bar\sigma}", "Ghosh et al.", "reconstruction", ("g(z')", "x"), (PHI, THETA), "data reconstruction, constant σ"),
    "cv_kl": Term(r"L_{kl}^{\bar\sigma}", "Ghosh et al.", "gaussian_kl", ("f(x)", "log σ²"), (PHI,), "KL to the prior, constant σ"),
    "mmd": Term(r"L_{mmd}", "Tolstikhin et al.", "inverse_multiquadric_mmd", ("f(x)", "z_N"), (PHI,), "discrepancy of codes and prior"),
    "l2_code": Term(r"L_{z}", "Ghosh et al.", "code_l2", ("f(x)",), (PHI,), "codes attracted to the origin"),
    "l2_decoder": Term(r"L_{reg}", "Ghosh et al.", "kernel_l2", ("kernels of g",), (THETA,), "small decoder weights"),
}


def term_of(name: str, own: Mapping[str, Term] | None = None) -> Term:
    """A term by its name: one of `own`, else of `TERMS`."""
    return own[name] if own and name in own else TERMS[name]


RECONSTRUCTIONS = ("r", "elbo_r", "cv_r")
"""The terms that a warm-up keeps."""

ONE = "1"
"""The coefficient of a term that the paper does not weigh."""

MODELS: Registry[str, dict[str, str]] = {
    # Eq. 9
    "lpga": {"r": ONE, "lr_n": "alpha", "lr_h": "beta", "nll_phi": "gamma", "nll_theta": "gamma"},
    # Eq. 9 with a coefficient for each part of γ's, to see what each does
    "lpga_parts": {"r": ONE, "lr_n": "alpha", "lr_h": "beta", "nll_phi": "gamma_phi", "nll_theta": "gamma_theta"},
    # Eq. 9 with the latent reconstruction losses minimised with respect to θ as well, which Section 3.1 advises against
    "lpga_theta": {"r": ONE, "lr_n_theta": "alpha", "lr_h_theta": "beta", "nll_phi": "gamma", "nll_theta": "gamma"},
    # Eq. 13; L_vr has a weight of its own, which carries the tunable σ
    "vpga": {"r": ONE, "lr_n": "alpha", "lr_h": "beta", "vr": "vr", "kl": "eta"},
    # Eq. 16; "vr" is the paper's γ'
    "lvpga": {"r": ONE, "lr_n": "alpha", "lr_h": "beta", "vr_log": "vr", "nll_phi": "gamma", "kl": "eta"},
    # Eq. 10; c = 2σ²H/D carries the tunable σ
    "vae": {"elbo_r": ONE, "kl": "c"},
    # Ghosh et al. 2019; `rec` weighs the reconstruction where their code sums instead of averaging
    "vae_rec": {"elbo_r": "rec", "kl": "kl"},
    "cvvae": {"cv_r": "rec", "cv_kl": "kl"},
    "wae": {"r": "rec", "mmd": "mmd"},
    "rae": {"r": "rec", "l2_code": "b"},
    "rae_l2": {"r": "rec", "l2_code": "b", "l2_decoder": "l"},
}
"""Each model: its terms and the name of each term's coefficient in `params/`."""


def coefficients(model: str) -> list[str]:
    """Names of the coefficients which a row of `params/` must give for `model`, in the order of its terms."""
    return list(dict.fromkeys(name for name in MODELS[model].values() if name != ONE))


def reads_sigma(model: str) -> bool:
    """Whether the encoder needs a σ head."""
    return any(SIGMA in TERMS[term].moves for term in MODELS[model])


def reads_delta(model: str) -> bool:
    """Whether a perturbation size ε is needed."""
    return any("δ" in "".join(TERMS[term].reads) for term in MODELS[model])


def weights(model: str, coefficients: Mapping[str, float]) -> dict[str, float]:
    """Weight of each term of `model`, e.g. {"r": 1, "lr_n": α, …}.

    Raises:
        ValueError: there is no such model, or it lacks a coefficient.
    """
    if model not in MODELS:
        raise ValueError(f"model {model!r}: accepted are {', '.join(MODELS)}")
    if missing := [name for name in MODELS[model].values() if name != ONE and name not in coefficients]:
        raise ValueError(f"coefficients of {model}: {missing[0]} is missing; found {', '.join(coefficients) or 'none'}")
    return {term: 1.0 if name == ONE else coefficients[name] for term, name in MODELS[model].items()}


def active(term: str, weight: float, step: int, warmup_steps: int) -> bool:
    """Whether a term takes part in the given step (counted from 0): until the warm-up ends only the data reconstruction does.

    The released code's `global_step > init_steps` lets one more step pass, 3001 instead of 3000.
    """
    return weight != 0 and (step >= warmup_steps or term in RECONSTRUCTIONS)


def network_losses(
    values: Mapping[str, float], weight: Mapping[str, float], terms: Mapping[str, Term] | None = None
) -> tuple[float, float]:
    """(encoder's, decoder's) loss: the weighted sum of the values of the terms which move that network's parameters."""
    sums = {PHI: 0.0, THETA: 0.0}
    for name, value in values.items():
        for network in {PHI if parameter == SIGMA else parameter for parameter in term_of(name, terms).moves}:
            sums[network] += weight[name] * float(value)
    return sums[PHI], sums[THETA]
