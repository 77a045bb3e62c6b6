"""coefficients: the Taylor expansion of a network around each event, up to third order, exactly.

t_i = df/dx_i, t_ii = 1/2 d2f/dx_i2, t_ij = d2f/dx_i dx_j, and so on: the factors that stand before the products of the
deviations, 1 / (n_i! n_j! ...). Dense networks up to second order by hand (`dense`), any other by `torch.func`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, prod

import torch
from torch import Tensor, nn
from torch.func import hessian, jacfwd, jacrev, vmap

from lynkeus.core import SettingsError
from lynkeus.explain.taylor.dense import by_chain
from lynkeus.explain.taylor.relevance import products
from lynkeus.explain.taylor.smooth import Chain, require_smooth

CHUNK_NUMBERS = 20_000_000  # numbers that are held at a time


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
    if chain:
        return Coefficients(*by_chain(chain, x, order))
    parts = [_by_transforms(module, part, order) for part in x.split(_chunk(module, x.shape[1], order))]
    joined = [[getattr(part, name) for part in parts] for name in ("first", "second", "third")]
    first, second, third = (None if own[0] is None else torch.cat(own) for own in joined)
    assert first is not None
    return Coefficients(first, second, third)


def _chunk(module: nn.Module, inputs: int, order: int) -> int:
    """Return how many events fit into memory at a time."""
    widest = max((max(part.weight.shape) for part in module.modules() if isinstance(part, nn.Linear)), default=256)
    return max(1, CHUNK_NUMBERS // (widest * inputs * 4 * inputs ** (order - 1)))


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
