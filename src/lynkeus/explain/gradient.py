"""Integrated gradients: which numbers of a sample a differentiable score depends on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 16


def input_gradient(score: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function that gives each number of a sample its share of the score: integrated gradients from the mean sample.

    Sundararajan et al. 2017 (arXiv:1703.01365): gradients averaged on the way from 0, the mean, to the sample.
    """

    def explain(x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        with torch.enable_grad():
            for step in range(STEPS):
                point = (x * ((step + 0.5) / STEPS)).detach().requires_grad_(True)
                (gradient,) = torch.autograd.grad(score(point).sum(), point)
                total += gradient
        return total * x / STEPS

    return explain
