"""Each loss against arithmetic done by hand, closed forms on linear maps, and the paper's identities."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from pga.method import losses


def numbers(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def log_det_bound(J: Tensor, delta: Tensor, z: Tensor | None = None) -> float:
    """The right-hand side of Eq. 8 for h(z) = J z, with the expectation over the rows of δ: H times the normalised term."""
    z = draw(*delta.shape, seed=99) if z is None else z
    return J.shape[0] * float(losses.log_volume((z + delta) @ J.T, z @ J.T, delta))


def log_abs_det(J: Tensor) -> float:
    return float(torch.linalg.slogdet(J).logabsdet)


def test_scaled_latent_error_by_hand():
    error = losses.scaled_latent_error(numbers([1, 6], [2, 8]), numbers([0, 0], [0, 4]), torch.tensor([0.5, 2.0], dtype=torch.float64))
    assert error.item() == pytest.approx((2**2 + 3**2 + 4**2 + 2**2) / 4)


def test_gaussian_kl_by_hand():
    mu = numbers([1, -2])
    log_var = numbers([0, math.log(4)])
    assert losses.gaussian_kl(mu, log_var).item() == pytest.approx((0.5 * (1 + 1 - 0 - 1) + 0.5 * (4 + 4 - math.log(4) - 1)) / 2)


def test_root_mean_square_by_hand():
    assert losses.root_mean_square(numbers([3, 1], [4, -7])).tolist() == pytest.approx([math.sqrt(12.5), 5.0])


def test_penalties_of_the_regularised_autoencoder_by_hand():
    assert losses.code_l2(numbers([1, 2], [3, 4])).item() == pytest.approx((1 + 4 + 9 + 16) / 4)
    assert losses.kernel_l2([numbers([1, 2]), numbers([3], [-1])]).item() == pytest.approx(1 + 4 + 9 + 1)


def test_mmd_by_hand():
    """Two codes 0 and 2, two prior draws 1 and 4, H = 1: squared distances 4 within the codes, 9 within the prior, 1, 16, 1, 4 between."""

    def kernel(squared_distance: float) -> float:
        return sum(2 * scale / (2 * scale + squared_distance) for scale in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    expected = kernel(4) + kernel(9) - 2 * (kernel(1) + kernel(16) + kernel(1) + kernel(4)) / 4
    assert losses.inverse_multiquadric_mmd(numbers([0], [2]), numbers([1], [4])).item() == pytest.approx(expected)


def test_mmd_scales_with_the_latent_dimension():
    """C = 2 H s: the same codes repeated in k dimensions have k times the squared distances and k times C."""
    z, z_prior = draw(6, 1), draw(6, 1, seed=1)
    repeated = losses.inverse_multiquadric_mmd(z.repeat(1, 5), z_prior.repeat(1, 5))
    assert repeated.item() == pytest.approx(losses.inverse_multiquadric_mmd(z, z_prior).item(), rel=1e-9)


def test_mmd_is_unbiased_and_sees_a_shift():
    H, n, repeats = 3, 8, 150
    same = torch.stack([losses.inverse_multiquadric_mmd(draw(n, H, seed=k), draw(n, H, seed=5000 + k)) for k in range(repeats)])
    shifted = torch.stack([losses.inverse_multiquadric_mmd(draw(n, H, seed=k) + 1, draw(n, H, seed=5000 + k)) for k in range(repeats)])
    standard_error = same.std().item() / math.sqrt(repeats)
    assert abs(same.mean().item()) < 4 * standard_error
    assert shifted.mean().item() > 10 * standard_error


def test_losses_are_the_papers_equations_over_the_number_of_elements():
    """L_r = 2/D × Eq. 1, L_lr = 2/H × Eq. 2, L_nll^φ = Eq. 6 / H, L_nll^θ = Eq. 7 / H."""
    B, H, D = 7, 5, 12
    x, x_hat, z, h_z, h_z_delta, delta = draw(B, 3, 2, 2), draw(B, 3, 2, 2, seed=1), *(draw(B, H, seed=k) for k in range(2, 6))
    equation_1 = sum(0.5 * float((x_hat[i] - x[i]).norm()) ** 2 for i in range(B)) / B
    equation_2 = sum(0.5 * float((h_z[i] - z[i]).norm()) ** 2 for i in range(B)) / B
    equation_6 = sum(0.5 * float(z[i].norm()) ** 2 for i in range(B)) / B
    equation_7 = sum(H / 2 * math.log(float((h_z_delta[i] - h_z[i]).norm()) ** 2 / float(delta[i].norm()) ** 2) for i in range(B)) / B
    assert losses.reconstruction(x_hat, x).item() == pytest.approx(2 / D * equation_1)
    assert losses.latent_reconstruction(h_z, z).item() == pytest.approx(2 / H * equation_2)
    assert losses.prior_nll(z).item() == pytest.approx(equation_6 / H)
    assert losses.log_volume(h_z_delta, h_z, delta).item() == pytest.approx(equation_7 / H)


def test_reconstruction_of_a_linear_autoencoder_in_closed_form():
    """With the rows of x an orthogonal basis of length √D, mean (Ax − x)² = ‖A − I‖_F² / D."""
    D = 6
    A, x = draw(D, D), math.sqrt(D) * torch.linalg.qr(draw(D, D, seed=1)).Q
    assert losses.reconstruction(x @ A.T, x).item() == pytest.approx(float((A - torch.eye(D)).square().sum()) / D)


def test_latent_reconstruction_of_a_linear_h_in_closed_form():
    H = 6
    J, z = draw(H, H), math.sqrt(H) * torch.linalg.qr(draw(H, H, seed=1)).Q
    assert losses.latent_reconstruction(z @ J.T, z).item() == pytest.approx(float((J - torch.eye(H)).square().sum()) / H)


def test_scaled_latent_error_of_a_linear_h_in_closed_form():
    """For z′ − z over the vectors of a basis scaled by √H: Σ_ij J_ij² / (H s_i²)."""
    H = 5
    J, s = draw(H, H), draw(H, seed=1).abs() + 0.5
    z, step = draw(H, H, seed=2), math.sqrt(H) * torch.linalg.qr(draw(H, H, seed=3)).Q
    expected = float((J.square() / s[:, None].square()).sum()) / H
    assert losses.scaled_latent_error(z @ J.T, (z + step) @ J.T, s).item() == pytest.approx(expected)


def test_kl_is_that_of_torch_distributions():
    mu, log_var = draw(9, 4), draw(9, 4, seed=1)
    posterior = torch.distributions.Normal(mu, (0.5 * log_var).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean() / 4
    assert losses.gaussian_kl(mu, log_var).item() == pytest.approx(expected.item(), rel=1e-12)


def test_equation_14_kl_is_prior_nll_plus_a_function_of_sigma():
    """L_vkl = L_nll^φ + ½ E Σ_i [σ_i² − log σ_i²] − H/2, all divided by H."""
    H = 6
    mu, log_var = draw(11, H), draw(11, H, seed=1)
    variance = log_var.exp()
    rest = 0.5 * (variance - variance.log()).sum(dim=1).mean() - H / 2
    assert losses.gaussian_kl(mu, log_var).item() == pytest.approx((losses.prior_nll(mu) + rest / H).item(), rel=1e-12)


@pytest.mark.parametrize("perturb", losses.PERTURBATIONS.values(), ids=losses.PERTURBATIONS.keys())
@pytest.mark.parametrize("C", [0.3, 1.0, -2.5])
def test_proposition_1_is_exact_where_the_jacobian_is_a_multiple_of_the_identity(C, perturb):
    """Proposition 1, for any single draw of δ; the rotation shows that conformal is enough."""
    H = 5
    delta = perturb(draw(3, H), 0.01)
    assert log_det_bound(C * torch.eye(H, dtype=torch.float64), delta) == pytest.approx(H * math.log(abs(C)), abs=1e-9)
    rotated = C * torch.linalg.qr(draw(H, H, seed=1)).Q
    assert log_det_bound(rotated, delta) == pytest.approx(log_abs_det(rotated), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_proposition_1_bounds_the_log_determinant_over_any_orthogonal_basis(seed):
    """Appendix B.2: with δ over an orthogonal set the inequality needs no expectation (it is Hadamard's)."""
    H = 6
    J, basis = draw(H, H, seed=seed), 0.01 * torch.linalg.qr(draw(H, H, seed=100 + seed)).Q
    assert log_det_bound(J, basis) > log_abs_det(J) + 1e-3
    # and it is an equality where the images of the basis are orthogonal, too: the right-singular vectors of J
    assert log_det_bound(J, 0.01 * torch.linalg.svd(J).Vh) == pytest.approx(log_abs_det(J), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_proposition_1_bounds_the_log_determinant_in_expectation_over_the_sphere(seed):
    H, n = 6, 20_000
    J, delta = draw(H, H, seed=seed), losses.sphere(draw(n, H, seed=100 + seed), 0.01)
    each = torch.tensor([H * 0.5]) * ((delta @ J.T).square().sum(1) / delta.square().sum(1)).log()
    standard_error = float(each.std()) / math.sqrt(n)
    bound = log_det_bound(J, delta)
    assert bound == pytest.approx(float(each.mean()), abs=1e-9)
    assert bound > log_abs_det(J) + 5 * standard_error


def test_expected_log_volume_of_a_diagonal_jacobian_in_closed_form():
    """In the plane, E log(a² cos² + b² sin²) over the circle is 2 log((a + b) / 2)."""
    a, b, n = 3.0, 0.5, 4096
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    delta = torch.stack([angle.cos(), angle.sin()], dim=1)
    J = torch.diag(torch.tensor([a, b], dtype=torch.float64))
    assert log_det_bound(J, delta) == pytest.approx(2 * math.log((a + b) / 2), abs=1e-9)
    assert log_det_bound(J, delta) > log_abs_det(J)


@pytest.mark.parametrize("perturb", losses.PERTURBATIONS.values(), ids=losses.PERTURBATIONS.keys())
def test_log_volume_of_a_linear_h_does_not_depend_on_epsilon(perturb):
    J, xi = draw(5, 5), draw(8, 5, seed=1)
    bounds = [log_det_bound(J, perturb(xi, epsilon)) for epsilon in (1e-3, 1e-2, 1.0, 30.0)]
    assert bounds == pytest.approx([bounds[0]] * 4, abs=1e-9)


def test_sphere_has_radius_epsilon_root_h_exactly_and_the_direction_of_xi():
    for H, epsilon in [(1, 0.01), (12, 0.01), (128, 0.3)]:
        xi = draw(50, H)
        torch.testing.assert_close(
            losses.sphere(xi, epsilon), epsilon * math.sqrt(H) * xi / xi.norm(dim=1, keepdim=True), rtol=1e-12, atol=0
        )


def test_sphere_is_uniform():
    """In three dimensions each coordinate of a uniform direction is uniform on [−r, r] (Archimedes); second moments are ε² I."""
    epsilon, n = 0.01, 20_000
    delta = losses.sphere(draw(n, 3), epsilon)
    radius = epsilon * math.sqrt(3)
    directions = torch.cat([torch.eye(3, dtype=torch.float64), draw(1, 3, seed=1)])
    for direction in directions:
        projection = (delta @ (direction / direction.norm())).numpy()
        assert stats.kstest(projection, stats.uniform(-radius, 2 * radius).cdf).pvalue > 1e-3
    moments = delta.T @ delta / n / epsilon**2
    assert torch.allclose(moments, torch.eye(3, dtype=torch.float64), atol=0.03)


def test_normal_perturbation_has_standard_deviation_epsilon():
    delta = losses.normal(draw(20_000, 3), 0.01)
    for column in delta.T:
        assert stats.kstest(column.numpy(), stats.norm(0, 0.01).cdf).pvalue > 1e-3
    assert torch.allclose(delta.T @ delta / len(delta) / 1e-4, torch.eye(3, dtype=torch.float64), atol=0.05)
