"""coefficients: the Taylor expansion of a network around each event, up to third order, exactly.

t_i = df/dx_i, t_ii = 1/2 d2f/dx_i2, t_ij = d2f/dx_i dx_j, and so on: the factors that stand before the products of the
deviations, 1 / (n_i! n_j! ...). For dense networks the quadratic form is carried through the layers: the second
derivative of an output is the sum, over all layers, of J^T diag(g f'') J with J the derivative of what goes into the
activations and g that of the output by what comes out; all matrix products. Any other network by `torch.func`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import hessian, jacfwd, jacrev, vmap

from lynkeus.core import SettingsError
from lynkeus.explain.taylor.relevance import products
from lynkeus.explain.taylor.smooth import Affine, Chain, require_smooth

CHUNK_NUMBERS = 20_000_000  # numbers that are held at a time,
CACHE_NUMBERS = 600_000  # and by a dense network: what stays in the caches of a processor is several times faster


class Bend(NamedTuple):
    """An activation that was passed: `slopes` (n or 1, d, m) of what went in by the inputs; its derivatives (n, m)."""

    slopes: Tensor
    once: Tensor
    twice: Tensor


@dataclass(frozen=True)
class Coefficients:
    """Of n events and k outputs on d inputs: `first` (n, k, d); `second` (n, k, pairs) of the pairs (i, j), i <= j, in
    the order of `pairs(d)`; `third` (n, k, triples) likewise; None where they were not asked for."""

    first: Tensor
    second: Tensor | None = None
    third: Tensor | None = None

    @property
    def all(self) -> Tensor:
        """Return (n, k, coefficients), those of first order first."""
        return torch.cat([part for part in (self.first, self.second, self.third) if part is not None], dim=2)


def coefficients(module: nn.Module, x: Tensor, order: int = 2) -> Coefficients:
    """Return the coefficients of a network at the events x (n, d), in the precision of x and its weights.

    `module`: (n, d) to (n, outputs), each event by itself. Raises SettingsError for another order than 1, 2, 3, or for
    second ones of a piecewise linear network, which are zero.
    """
    if order not in (1, 2, 3):
        raise SettingsError(f"--order must be 1, 2 or 3, got {order}")
    require_smooth(module, order)
    module = module.eval()
    chain = Chain.of(module) if order < 3 else None
    parts = [
        _by_chain(chain, part, order) if chain else _by_transforms(module, part, order)
        for part in x.split(_chunk(module, x.shape[1], order, chain is not None))
    ]
    joined = [[getattr(part, name) for part in parts] for name in ("first", "second", "third")]
    first, second, third = (None if own[0] is None else torch.cat(own) for own in joined)
    assert first is not None
    return Coefficients(first, second, third)


def _chunk(module: nn.Module, inputs: int, order: int, by_chain: bool) -> int:
    """Return how many events fit into memory at a time."""
    widest = max((max(part.weight.shape) for part in module.modules() if isinstance(part, nn.Linear)), default=256)
    if by_chain:
        return max(1, CACHE_NUMBERS // (widest * inputs))
    return max(1, CHUNK_NUMBERS // (widest * inputs * 4 * inputs ** (order - 1)))


def _by_chain(chain: Chain, x: Tensor, order: int) -> Coefficients:
    """Forward through the steps with the derivatives of what goes into each activation, then back with those of the
    outputs."""
    with torch.no_grad():
        value, slopes = x, torch.eye(x.shape[1], dtype=x.dtype)[None]  # (n or 1, d, m)
        passed: list[Affine | Bend] = []
        for step in chain.steps:
            if isinstance(step, Affine):
                value = value @ step.weight.T + step.bias
                slopes = slopes @ step.weight.T
                passed.append(step)
            elif step is not None:
                value, once, twice = step(value)
                passed.append(Bend(slopes, once, twice))
                slopes = once[:, None] * slopes
        first = slopes.transpose(1, 2).expand(len(x), -1, -1)
        second = _curvature(passed, value.shape[1], x) if order > 1 else None
        if chain.steps[-1] is None:
            first, second = _through_softmax(value, first, second)
        return Coefficients(first.contiguous(), None if second is None else _factored(second))


def _curvature(passed: list[Affine | Bend], outputs: int, x: Tensor) -> Tensor:
    """Return (n, outputs, d, d): the sum over activations of J^T diag(g f'') J, from the last to the first."""
    n, d = x.shape
    total = torch.zeros(n, outputs, d, d, dtype=x.dtype)
    back = torch.eye(outputs, dtype=x.dtype).expand(n, -1, -1)
    for step in reversed(passed):
        if isinstance(step, Affine):
            back = back @ step.weight
            continue
        weight = back * step.twice[:, None]  # (n, outputs, m)
        if len(step.slopes) == 1:  # the same for all events, before the first activation: one product for all of them
            square = (step.slopes[0, :, None] * step.slopes[0]).flatten(0, 1)
            total += (weight.flatten(0, 1) @ square.T).view(n, outputs, d, d)
        else:
            scaled = weight[:, :, None] * step.slopes[:, None]  # (n, outputs, d, m)
            total += (scaled.flatten(1, 2) @ step.slopes.transpose(1, 2)).view(n, outputs, d, d)
        back = back * step.once[:, None]
    return total


def _through_softmax(logits: Tensor, first: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return the derivatives of the probabilities, from those of the logits."""
    p = torch.softmax(logits, dim=1)
    mean = torch.einsum("nc,nci->ni", p, first)
    off = first - mean[:, None]  # the derivative of each log probability
    if second is None:
        return p[:, :, None] * off, None
    spread = torch.einsum("nc,nci,ncj->nij", p, off, off)
    average = torch.einsum("nc,ncij->nij", p, second)
    curved = second - average[:, None] + off[:, :, :, None] * off[:, :, None, :] - spread[:, None]
    return p[:, :, None] * off, p[:, :, None, None] * curved


def _factored(second: Tensor) -> Tensor:
    """Return (n, k, pairs) of second derivatives (n, k, d, d), those of one input halved."""
    rows, columns = torch.triu_indices(second.shape[2], second.shape[2])
    return second[:, :, rows, columns] * torch.where(rows == columns, 0.5, 1.0).to(second.dtype)


def _by_transforms(module: nn.Module, x: Tensor, order: int) -> Coefficients:
    def one(event: Tensor) -> Tensor:
        found: Tensor = module(event[None])[0]
        return found

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)  # PyTorch's own, when it first derives
        return _derive(one, x, order)


def _derive(one: Callable[[Tensor], Tensor], x: Tensor, order: int) -> Coefficients:
    first = vmap(jacrev(one))(x).detach()
    second = _factored(vmap(hessian(one))(x).detach()) if order > 1 else None
    third = None
    if order > 2:
        full = vmap(jacfwd(hessian(one)))(x).detach()
        chosen = products(x.shape[1], 3)
        i, j, k = torch.tensor(chosen).T
        factor = torch.tensor([1 / prod(factorial(own.count(a)) for a in set(own)) for own in chosen], dtype=x.dtype)
        third = full[:, :, i, j, k] * factor
    return Coefficients(first, second, third)
