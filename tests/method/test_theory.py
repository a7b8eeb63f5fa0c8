"""Theorem 1 where it can be solved, Proposition 1 on trained networks, Section 3.4's unified view by gradients."""

from __future__ import annotations

import math

import pytest
import reference_step as literal
import torch
from paired_steps import BATCH_NORM, COEFFICIENTS, assert_same, model_weights, steps, training_gradients
from sklearn.datasets import load_digits
from torch import Tensor

from pga import PGA
from pga.method import losses
from pga.networks.build import build

H, D, RANK = 4, 6, 3


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def decoder() -> Tensor:
    """g(z) = A z, which maps the codes of an affine subspace to one image: Z(x) is that subspace, and holds E[z|x] = A⁺ x."""
    return draw(D, RANK, seed=0) @ draw(RANK, H, seed=1)


def eq_2(F: Tensor, A: Tensor) -> Tensor:
    """Eq. 2 of the encoder x → F x, exactly: over a batch with mean z zᵀ = I."""
    z = math.sqrt(H) * torch.linalg.qr(draw(H, H, seed=2)).Q
    return losses.latent_reconstruction(z @ A.T @ F.T, z)


def test_the_encoder_that_minimises_eq_2_is_the_conditional_mean(decoder: Tensor) -> None:
    F = torch.linalg.pinv(decoder).requires_grad_()
    least = eq_2(F, decoder)
    [gradient] = torch.autograd.grad(least, F)
    assert gradient.norm() < 1e-12 and least.item() == pytest.approx((H - RANK) / H)  # what g forgets no encoder brings back
    assert all(eq_2(F.detach() + 0.1 * draw(H, D, seed=seed), decoder) > least for seed in range(3, 8))


def laws(F: Tensor, A: Tensor, S: Tensor) -> tuple[float, float]:
    """How far the laws of codes and of images are apart for x̂ = A w, w ~ N(0, S): all are Gaussian around 0, so by their covariances."""
    images = A @ (S - torch.eye(H)) @ A.T
    return float((F @ images @ F.T).norm()), float(images.norm())


def test_theorem_1_matching_codes_imply_matching_images_if_and_only_if_eq_2_is_minimised(decoder: Tensor) -> None:
    F = torch.linalg.pinv(decoder)
    forgotten = torch.linalg.svd(decoder).Vh[RANK:]  # the directions that g does not see
    unseen = torch.eye(H, dtype=torch.float64) + 5 * forgotten.T @ forgotten  # another 𝓗, the same images
    assert laws(F, decoder, unseen) == pytest.approx((0, 0), abs=1e-10)
    for seed in range(5):
        factor = draw(H, H, seed=10 + seed)
        codes, images = laws(F, decoder, factor @ factor.T)
        least = torch.linalg.svdvals(F @ decoder)[RANK - 1] / torch.linalg.svdvals(decoder)[0]  # F is injective where images lie
        assert codes >= float(least) ** 2 * images > 0.1
    # an encoder that sees one direction of the images less: codes match, images do not, and Eq. 2 is not minimised
    left = torch.linalg.svd(decoder).U[:, :1]
    blind = F @ (torch.eye(D, dtype=torch.float64) - left @ left.T)
    direction = torch.linalg.svd(decoder).Vh[:1]
    codes, images = laws(blind, decoder, torch.eye(H, dtype=torch.float64) + 5 * direction.T @ direction)
    assert codes < 1e-10 and images > 1 and eq_2(blind, decoder) > eq_2(F, decoder) + 0.1


def test_theorem_1_for_a_decoder_of_two_images() -> None:
    """g(z) = sign z: E[z|x] = ± √(2/π) lies in Z(x), and codes match only where both images are as likely. A constant encoder breaks it."""
    z = draw(200_000, seed=20)
    x = z.sign()
    means = torch.stack([z[x == side].mean() for side in (-1, 1)])
    assert means.tolist() == pytest.approx([-math.sqrt(2 / math.pi), math.sqrt(2 / math.pi)], abs=0.01)

    def loss(codes: Tensor) -> float:
        return losses.latent_reconstruction(torch.where(x > 0, codes[1], codes[0])[:, None], z[:, None]).item()

    assert all(loss(means + shift) > loss(means) for shift in 0.1 * torch.eye(2, dtype=torch.float64))
    assert means[0] != means[1]  # so that the share of each code is the share of its image
    assert loss(torch.zeros(2, dtype=torch.float64)) > loss(means) + 0.5  # one code for both images: codes always match


def test_proposition_1_bounds_the_exact_log_determinant_of_trained_networks() -> None:
    """Eq. 8 of LPGA's networks after training on real digits, at codes of data and of the prior, against the exact Jacobian of h."""
    images = torch.from_numpy(load_digits().images[:512] / 8 - 1).float()[:, None]
    method = PGA(
        *build("dense_8", 32, H, False, False, seed=0), latent_dim=H, model="lpga", alpha=0.06, beta=0.0, gamma=0.015, warmup_steps=0
    )
    optimiser, generator = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9), torch.Generator().manual_seed(0)
    for k in range(150):
        optimiser.zero_grad()
        method(images[64 * (k % 8) : 64 * (k % 8 + 1)], generator).backward()
        optimiser.step()
    f, g = method.encoder.double(), method.decoder.double()

    def h(z: Tensor) -> Tensor:
        return f(g(z[None]))[0]

    with torch.no_grad():
        codes = torch.cat([f(images[:6].double()), draw(6, H, seed=30)])
    assert (h(codes[0] + 0.5) - h(codes[0]) - (h(codes[1] + 0.5) - h(codes[1]))).abs().max() > 1e-3  # h is not affine
    for z in codes:
        exact = torch.linalg.slogdet(torch.func.jacrev(h)(z)).logabsdet.item()
        delta = losses.sphere(draw(4000, H, seed=31), 1e-6)
        with torch.no_grad():
            each = 0.5 * ((f(g(z + delta)) - h(z)).square().sum(1) / delta.square().sum(1)).log()
            bound = H * losses.log_volume(f(g(z + delta)), h(z).expand_as(delta), delta).item()
        assert bound == pytest.approx(H * each.mean().item())
        assert bound - exact > -4 * H * each.std().item() / math.sqrt(4000)
        basis = 1e-6 * torch.linalg.qr(draw(H, H, seed=32)).Q  # over an orthogonal set it holds without an expectation (Hadamard)
        with torch.no_grad():
            assert H * losses.log_volume(f(g(z + basis)), h(z).expand_as(basis), basis).item() >= exact - 1e-4


@BATCH_NORM
def test_eq_16_with_gamma_0_is_eq_13_with_another_variational_reconstruction(use_bn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole step of LVPGA against the literal step of Eq. 13 in which L_vr is Eq. 16's: what each parameter receives is the same."""
    monkeypatch.setitem(literal.TERMS, "vr", literal.TERMS["vr_log"])
    values, reference = steps("conv_8", 2, 4, use_bn)
    found = training_gradients("lvpga", values, model_weights("lvpga", gamma=0.0))
    for ours, expected in zip(found, literal.literal_gradients(reference, "vpga", COEFFICIENTS), strict=True):
        assert_same(ours, expected)
        assert any(gradient.any() for gradient in ours.values())
