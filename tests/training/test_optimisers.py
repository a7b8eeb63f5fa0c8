"""Updates against torch's SGD and Keras's Adam, Keras's spectral norm, and what importing them would cost a training."""

from __future__ import annotations

import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from pga.training.optimisers import OPTIMISERS


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 3), (7,), (2, 2, 3, 3))]


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_updates_of_sgd_are_torchs_own_to_the_byte_also_where_the_rate_changes(momentum: float) -> None:
    ours, theirs, generator = parameters(), parameters(), torch.Generator().manual_seed(1)
    optimiser = OPTIMISERS["sgd"](ours, SimpleNamespace(learning_rate=0.1, momentum=momentum))
    reference = torch.optim.SGD(theirs, lr=0.1, momentum=momentum, fused=True)
    for step in range(6):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        if step == 3:
            optimiser.lr = reference.param_groups[0]["lr"] = 0.03
        optimiser.step(), reference.step()
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-6, 1e-8])
def test_updates_of_adam_are_kerass_formula_where_gradients_are_small_too(size: float) -> None:
    """Keras: lr_t = lr √(1 − β₂ᵗ) / (1 − β₁ᵗ), p ← p − lr_t m / (√v + ε); torch's, with ε after the correction, is another one."""
    generator = torch.Generator().manual_seed(1)
    own, torchs = nn.Parameter(torch.zeros(50, dtype=torch.float64)), nn.Parameter(torch.zeros(50, dtype=torch.float64))
    optimiser = OPTIMISERS["adam"]([own], SimpleNamespace(learning_rate=0.1, momentum=0.0))
    other = torch.optim.Adam([torchs], lr=0.1, eps=1e-7)
    p, m, v = (np.zeros(50) for _ in range(3))
    for t in range(1, 41):
        gradient = size * torch.randn(50, generator=generator, dtype=torch.float64)
        own.grad, torchs.grad = gradient, gradient.clone()
        rate = 0.1 if t < 20 else 0.03
        optimiser.lr = other.param_groups[0]["lr"] = rate
        optimiser.step(), other.step()
        g = gradient.numpy()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        p = p - rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        np.testing.assert_allclose(own.detach().numpy(), p, rtol=1e-9, atol=1e-15)
    apart = ((own - torchs).norm() / own.norm()).item()
    assert apart < 1e-3 if size == 1.0 else apart > (0.2 if size <= 1e-6 else 1e-3)


def test_spectral_norm_is_kerass_but_for_its_start_and_the_side_where_it_ends() -> None:
    """Ghosh et al.'s layer starts from a random u and takes one power iteration at every call, also when evaluating; torch's takes fifteen
    at the start and one at every training step. At the start theirs divides by too small a norm, after some steps both by the same.
    """
    torch.manual_seed(0)
    layer = nn.Linear(512, 256)
    kernel = layer.weight.detach().clone()  # (out, in); their matrix is its transpose
    exact = torch.linalg.matrix_norm(kernel, 2)
    spectral_norm(layer, dim=0)
    u, theirs, ours = torch.randn(1, 256), [], []
    for _ in range(30):
        v = nn.functional.normalize(u @ kernel, dim=1)
        u = nn.functional.normalize(v @ kernel.T, dim=1)
        theirs.append(float((v @ kernel.T @ u.T) / exact))
        ours.append(((kernel.norm() / layer.weight.norm()) / exact).item())
    assert 0.65 < theirs[0] < 0.85 and ours[0] > 0.96  # the size of the difference at the first step
    assert theirs[9] == pytest.approx(ours[9], abs=0.03) and theirs[-1] == pytest.approx(ours[-1], abs=0.01)
    assert all(share <= 1 + 1e-5 for share in (*theirs, *ours))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_parameter_without_a_gradient_stays_and_starts_later_as_if_it_were_new(name: str) -> None:
    (late, *rest), (fresh, *_) = parameters(), parameters()
    run = SimpleNamespace(learning_rate=0.1, momentum=0.9)
    optimiser, alone = OPTIMISERS[name]([late, *rest], run), OPTIMISERS[name]([fresh], run)
    for parameter in rest:
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    assert torch.equal(late, fresh) and not torch.equal(rest[0], parameters()[1])
    late.grad, fresh.grad = torch.ones_like(late), torch.ones_like(fresh)
    optimiser.step(), alone.step()
    assert torch.equal(late, fresh)


def test_a_training_does_not_import_torchs_compiler() -> None:
    """It takes longer than importing torch itself, and torch's own optimiser classes do import it."""
    code = (
        "import sys, torch; from types import SimpleNamespace; from pga.training import optimisers; "
        "optimisers.OPTIMISERS['sgd']([torch.nn.Parameter(torch.zeros(1))], SimpleNamespace(learning_rate=0.1, momentum=0.9)).step(); "
        "print('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
