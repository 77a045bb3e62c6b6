"""What a network is made of: whether it can be derived twice, and dense ones as a chain of steps to derive by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import SettingsError

BENT = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Softshrink,
    nn.Hardshrink, nn.Threshold, nn.MaxPool1d, nn.MaxPool2d,
)  # fmt: skip
# The value of a function of each number, and its first and second derivative.
Derived: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


def require_smooth(module: nn.Module, order: int) -> None:
    """Raise SettingsError for a network whose derivatives of that order are zero almost everywhere."""
    bent = sorted({type(part).__name__ for part in module.modules() if isinstance(part, BENT)})
    if bent and order > 1:
        raise SettingsError(
            f"the network has {', '.join(bent)}: it is piecewise linear, so its coefficients of order {order} are zero "
            "and say nothing; train it with a smooth activation (tanh, silu, softplus), or ask for --order 1"
        )


class Affine(NamedTuple):
    """weight @ x + bias, (made, read) and (made,)."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def unchanged(cls, size: int, dtype: torch.dtype) -> Affine:
        """Return the map that changes nothing."""
        return cls(torch.eye(size, dtype=dtype), torch.zeros(size, dtype=dtype))

    def after(self, first: Affine) -> Affine:
        """Return both maps as one, `first` first."""
        return Affine(self.weight @ first.weight, self.weight @ first.bias + self.bias)


@dataclass(frozen=True)
class Chain:
    """A dense network as `steps`: affine maps, functions of each number, and perhaps a softmax (None) as the last."""

    steps: tuple[Affine | Derived | None, ...]

    @classmethod
    def of(cls, module: nn.Module) -> Chain | None:
        """Return the chain of a network of `nn.Linear`, activations and a last softmax; None for any other."""
        found: list[Affine | Derived | None] = []
        for part in _parts(module):
            if isinstance(part, nn.Linear):
                bias = torch.zeros(part.out_features, dtype=part.weight.dtype) if part.bias is None else part.bias
                found.append(Affine(part.weight.detach(), bias.detach()))
            elif isinstance(part, nn.Softmax):
                found.append(None)
            elif type(part) in ACTIVATIONS:
                found.append(_derived(part))
            elif not isinstance(part, nn.Identity | nn.Dropout):
                return None
        if None in found[:-1] or not any(isinstance(step, Affine) for step in found):
            return None
        return cls(tuple(found))

    def layers(self) -> tuple[list[tuple[Affine, Derived]], Affine, bool]:
        """Return the hidden layers, affine maps in a row joined to one; the last affine map; whether a softmax ends it.

        Where activations follow one another, or are first or last, a map that changes nothing stands beside them.
        """
        found: list[tuple[Affine, Derived]] = []
        waiting: Affine | None = None
        like = next(step for step in self.steps if isinstance(step, Affine))
        size = like.weight.shape[1]  # of what goes into the next step: activations change none of them
        for step in self.steps[: len(self.steps) - (self.steps[-1] is None)]:
            if isinstance(step, Affine):
                waiting = step if waiting is None else step.after(waiting)
                size = len(step.bias)
            elif step is not None:
                found.append((waiting or Affine.unchanged(size, like.weight.dtype), step))
                waiting = None
        return found, waiting or Affine.unchanged(size, like.weight.dtype), self.steps[-1] is None


def _parts(module: nn.Module) -> Iterable[nn.Module]:
    if isinstance(module, nn.Sequential):
        for part in module:
            yield from _parts(part)
    else:
        yield module


def _tanh(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    t = torch.tanh(x)
    first = 1 - t * t
    return t, first, (t * first).mul_(-2)


def _sigmoid(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    s = torch.sigmoid(x)
    first = s * (1 - s)
    return s, first, first * (1 - 2 * s)


def _silu(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    s, first, second = _sigmoid(x)
    return x * s, s + x * first, 2 * first + x * second


def _softplus(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    s, first, _ = _sigmoid(x)
    return functional.softplus(x), s, first


def _gelu(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    density = torch.exp(-x * x / 2) * 0.3989422804014327
    return functional.gelu(x), 0.5 * (1 + torch.erf(x * 0.7071067811865476)) + x * density, (2 - x * x) * density


def _derived(part: nn.Module) -> Derived:
    return ACTIVATIONS[type(part)]


ACTIVATIONS: dict[type[nn.Module], Derived] = {
    nn.Tanh: _tanh, nn.Sigmoid: _sigmoid, nn.SiLU: _silu, nn.Softplus: _softplus, nn.GELU: _gelu,
}  # fmt: skip
