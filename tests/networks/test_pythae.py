"""The baselines against pythae, an independent implementation: same networks, batch and noise; loss and gradients of every parameter.

pythae sums over pixels and latent dimensions where the code of Ghosh et al. averages, and halves some squares. What agrees by
definition is therefore held together with the weights that turn one into the other, written out in `AGREE`; they are also why no weight
can be carried over from pythae's configurations. What differs:

- RAE-L2: pythae's loss has no term for the decoder's kernels. Its `reg_weight` is read nowhere; its scripts give the decoder's optimiser
  a weight decay instead, which also shrinks biases and pulls with λ w where λ Σ w² pulls with 2 λ w.
- CV-VAE and RAE-SN have no counterpart there. Its RAE-GP is not among the paper's models.
- σ of the VAE is the encoder's own there (log σ² unbounded), as in this paper; Ghosh et al. bound log σ by 5 tanh.
- There is no c or σ²: pythae's VAE is this paper's with σ = 1, that is c = 2H/D.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from paired_steps import BATCH, assert_same, gradients_of, images, networks
from pythae.models import RAE_L2, VAE, WAE_MMD, BaseAE, RAE_L2_Config, VAEConfig, WAE_MMD_Config
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae_networks import Decoder, Encoder
from torch import Tensor, nn

from pga.method.losses import MMD_SCALES
from pga.method.terms import MODELS, reads_sigma, weights
from pga.method.values import Noise, Values, term_value

H, D = 4, 8 * 8
EMBEDDING, REGULARISATION = 0.3, 0.7


def vae(encoder: BaseEncoder, decoder: BaseDecoder) -> BaseAE:
    return VAE(VAEConfig(input_dim=(1, 8, 8), latent_dim=H, reconstruction_loss="mse"), encoder, decoder)


def wae(encoder: BaseEncoder, decoder: BaseDecoder) -> BaseAE:
    return WAE_MMD(WAE_MMD_Config(input_dim=(1, 8, 8), latent_dim=H, reg_weight=REGULARISATION), encoder, decoder)


def rae(encoder: BaseEncoder, decoder: BaseDecoder) -> BaseAE:
    settings = RAE_L2_Config(input_dim=(1, 8, 8), latent_dim=H, embedding_weight=EMBEDDING, reg_weight=REGULARISATION)
    return RAE_L2(settings, encoder, decoder)


# our model: pythae's, our coefficients, their loss over ours
AGREE: dict[str, tuple[Callable[[BaseEncoder, BaseDecoder], BaseAE], dict[str, float], float]] = {
    "vae_rec": (vae, {"rec": D / 2, "kl": H}, 1),  # ½ Σ err² + Σ KL
    "vae": (vae, {"c": 2 * H / D}, D / 2),  # the same, as this paper writes it, at σ = 1
    "wae": (wae, {"rec": D, "mmd": REGULARISATION}, 1),  # Σ err² + λ MMD²
    "rae": (rae, {"rec": D, "b": EMBEDDING * H / 2}, 1),  # Σ err² + λ ½ ‖z‖²
}


def both(model: str) -> tuple[tuple[Tensor, nn.Module, nn.Module], Values]:
    """(pythae's loss, and its networks), and what our terms read from the same networks, batch and noise."""
    encoder, decoder = networks("conv_8", 2, H, use_bn=True, sigma_head=reads_sigma(model))
    x = images(decoder, H)
    other = AGREE[model][0](Encoder(encoder), Decoder(decoder))
    torch.manual_seed(3)
    loss = other({"data": x}).loss
    torch.manual_seed(3)
    drawn = torch.randn(BATCH, H, dtype=x.dtype)
    return (loss, encoder, decoder), Values(encoder, decoder, x, Noise(drawn, drawn, drawn))


@pytest.mark.parametrize("model", AGREE)
def test_loss_and_gradients_are_pythaes(model: str) -> None:
    (theirs, encoder, decoder), values = both(model)
    _, coefficients, scale = AGREE[model]
    weight = weights(model, coefficients)
    ours = scale * sum(weight[term] * term_value(term, values) for term in MODELS[model])
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    for found, expected in zip(gradients_of(ours, encoder, decoder), gradients_of(theirs, encoder, decoder), strict=True):
        assert any(gradient.any() for gradient in expected.values())
        assert_same(found, expected, relative=1e-9)


def test_the_scales_of_the_kernel_are_pythaes_by_default() -> None:
    assert tuple(WAE_MMD_Config().scales) == MMD_SCALES


def test_pythaes_rae_l2_has_no_term_for_the_decoder_and_ours_has() -> None:
    """Theirs equals the plain RAE whatever `reg_weight` is; ours adds l Σ w², whose gradient is 2 l w, on kernels only."""
    (theirs, encoder, decoder), values = both("rae")
    weight = weights("rae_l2", {**AGREE["rae"][1], "l": REGULARISATION})
    ours = sum(weight[term] * term_value(term, values) for term in MODELS["rae_l2"])
    kernels = {name: parameter for name, parameter in decoder.named_parameters() if parameter.ndim > 1}
    energy = sum(kernel.detach().square().sum() for kernel in kernels.values())
    assert ours.item() == pytest.approx((theirs + REGULARISATION * energy).item(), rel=1e-12)
    (phi, theta), (phi_theirs, theta_theirs) = gradients_of(ours, encoder, decoder), gradients_of(theirs, encoder, decoder)
    assert_same(phi, phi_theirs, relative=1e-9)
    assert 0 < len(kernels) < len(theta)
    added = {name: 2 * REGULARISATION * kernels[name].detach() if name in kernels else 0 for name in theta}
    assert_same(theta, {name: gradient + added[name] for name, gradient in theta_theirs.items()}, relative=1e-9)
