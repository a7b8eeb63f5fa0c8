"""Updates against torch's own optimiser classes, and what importing them would cost a training."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pga.training.optimisers import OPTIMISERS


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 3), (7,), (2, 2, 3, 3))]


def torchs(name: str, momentum: float, own: list[nn.Parameter]) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam(own, lr=0.1, eps=1e-7, fused=True)
    return torch.optim.SGD(own, lr=0.1, momentum=momentum, fused=True)


@pytest.mark.parametrize(("name", "momentum"), [("sgd", 0.9), ("sgd", 0.0), ("adam", 0.0)])
def test_updates_are_torchs_own_to_the_byte_also_where_the_rate_changes(name: str, momentum: float) -> None:
    ours, theirs, generator = parameters(), parameters(), torch.Generator().manual_seed(1)
    optimiser = OPTIMISERS[name](ours, SimpleNamespace(learning_rate=0.1, momentum=momentum))
    reference = torchs(name, momentum, theirs)
    for step in range(6):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        if step == 3:
            optimiser.lr = reference.param_groups[0]["lr"] = 0.03
        optimiser.step(), reference.step()
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


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
