"""by_chain: the Taylor coefficients of dense networks up to second order, carried through the layers by hand.

The second derivative of an output is the sum over hidden layers of J^T diag(g f'') J, with J the derivative of what
goes into the activations f and g that of the output by what comes out of them. J of the first layer is its weights, the
same for all events, so that its part is one product for all of them; a softmax adds rows to the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from lynkeus.explain.taylor.smooth import Affine, Chain, Derived

CACHE_BYTES = 800_000  # of the slopes of a layer: events whose products go through together,
BLOCK = 8  # and how many times as many go through the layers
Layer: TypeAlias = tuple[Affine, Derived]


@dataclass(frozen=True)
class Bend:
    """A hidden layer that was passed: first and second derivatives (n, m) of its activations."""

    once: Tensor
    twice: Tensor


def by_chain(chain: Chain, x: Tensor, order: int) -> tuple[Tensor, Tensor | None]:
    """Return the coefficients of first order (n, k, d) and of second order (n, k, pairs), None for order 1."""
    dense = _Dense(chain, x.shape[1], order, x.dtype)
    with torch.no_grad():
        return dense.of(x)


class _Dense:
    """A chain with the places that its products are written to, as many events at a time as fit into the caches.

    A softmax does not change where one logit is taken off all: the last one is, so that `own` logits and outputs are
    left, and the coefficients of the last probability follow from the others, since all add up to 1.
    """

    def __init__(self, chain: Chain, inputs: int, order: int, dtype: torch.dtype) -> None:
        self.layers, self.last, self.softmax = chain.layers()
        self.inputs, self.second, self.dtype = inputs, order > 1, dtype
        self.outputs = len(self.last.bias)
        if self.softmax:
            self.last = Affine(self.last.weight[:-1] - self.last.weight[-1:], self.last.bias[:-1] - self.last.bias[-1:])
        self.own = len(self.last.bias)
        self.rows, self.columns = torch.triu_indices(inputs, inputs)
        self.flat = self.rows * inputs + self.columns
        self.half = torch.where(self.rows == self.columns, 0.5, 1.0).to(dtype)
        self.square = self._square()
        widest = max([len(affine.bias) for affine, _ in self.layers], default=1)
        self.few = max(1, CACHE_BYTES // (inputs * widest * self.half.element_size()))
        self.chunk = BLOCK * self.few
        self.forms = self._empty(self.chunk, self.own * inputs, inputs)
        self.pairs = self._empty(self.chunk * self.own, len(self.rows))
        self.kept: dict[int, list[_Places]] = {}

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.dtype)

    def _square(self) -> Tensor:
        """Return (m, pairs) of w_i w_j of the first layer, that of an input with itself halved."""
        if not self.layers:
            return self._empty(0, len(self.rows))
        weight = self.layers[0][0].weight
        return weight[:, self.rows] * weight[:, self.columns] * self.half

    def of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return both orders of all events."""
        first = self._empty(len(x), self.outputs, self.inputs)
        second = self._empty(len(x), self.outputs, len(self.rows)) if self.second else None
        for start in range(0, len(x), self.chunk):
            rows = slice(start, start + self.chunk)
            self._write(x[rows], first[rows], None if second is None else second[rows])
        return first, second

    def _write(self, x: Tensor, first: Tensor, second: Tensor | None) -> None:
        value, bends = self._forward(x)
        back, by_inputs = self._back(bends, len(x))
        if not self.softmax:
            first.copy_(by_inputs)
            if second is not None:
                weights = [own.mul_(bend.twice[:, None]) for own, bend in zip(back, bends, strict=True)]
                self._curvature(second.view(len(x) * self.own, -1), bends, weights)
            return
        p = torch.softmax(torch.cat([value, torch.zeros_like(value[:, :1])], 1), dim=1)
        off = torch.cat([by_inputs, torch.zeros_like(by_inputs[:, :1])], 1) - torch.bmm(p[:, None, :-1], by_inputs)
        torch.mul(off, p[:, :, None], out=first)  # off is the derivative of each logarithm of a probability
        if second is not None:
            bent = (torch.eye(self.outputs, dtype=self.dtype)[:-1] - p[:, None]) * p[:, :-1, None]
            mixed = bent[:, :, :-1]  # (n, own, own) of each probability by the logits
            weights = [torch.bmm(mixed, own).mul_(bend.twice[:, None]) for own, bend in zip(back, bends, strict=True)]
            pairs = self.pairs[: len(x) * self.own]
            self._curvature(pairs, bends, weights, bent, off)
            found = pairs.view(len(x), self.own, -1)
            second[:, :-1] = found
            torch.sum(found, 1, out=second[:, -1]).neg_()

    def _forward(self, x: Tensor) -> tuple[Tensor, list[Bend]]:
        value, found = x, list[Bend]()
        for (weight, bias), derived in self.layers:
            value, once, twice = derived(torch.addmm(bias, value, weight.T))
            found.append(Bend(once, twice))
        return torch.addmm(self.last.bias, value, self.last.weight.T), found

    @cached_property
    def entered(self) -> Tensor:
        """Return (d, m): the slopes of what goes into the first layer, the same for all events."""
        return self.layers[0][0].weight.T.contiguous()

    def _back(self, bends: list[Bend], n: int) -> tuple[list[Tensor], Tensor]:
        """Return the derivatives of the logits by what comes out of each hidden layer (n, own, m), the first one first,
        and by the inputs (n, own, d)."""
        found = [self.last.weight.expand(n, -1, -1).clone()]
        for (affine, _), bend in zip(reversed(self.layers), reversed(bends), strict=True):
            through = (found[-1] * bend.once[:, None]).flatten(0, 1) @ affine.weight
            found.append(through.view(n, self.own, -1))
        return found[-2::-1], found[-1]

    def _curvature(
        self, pairs: Tensor, bends: list[Bend], weights: list[Tensor], bent: Tensor | None = None,
        off: Tensor | None = None,
    ) -> None:  # fmt: skip
        """Write the quadratic forms of some events to `pairs` (n own, pairs): `weights` (n, own, m) of each layer. A
        softmax bends itself, by `bent` (n, own, outputs) times the square of each `off` (n, outputs, d), the derivative
        of each logarithm of a probability."""
        n, deep = len(pairs) // self.own, len(bends) > 1
        forms = self.forms[:n]
        if deep:
            self._deep(forms, bends, weights)
        if bent is not None and off is not None:
            scaled = (bent[:, :, None] * off.transpose(1, 2)[:, None]).flatten(1, 2)
            torch.baddbmm(forms, scaled, off, beta=float(deep), out=forms)
        formed = deep or bent is not None
        if formed:
            torch.index_select(forms.view(n * self.own, -1), 1, self.flat, out=pairs)
            pairs.mul_(self.half)
        if bends:
            pairs.addmm_(weights[0].reshape(n * self.own, -1), self.square, beta=float(formed))
        elif not formed:
            pairs.zero_()

    def _deep(self, forms: Tensor, bends: list[Bend], weights: list[Tensor]) -> None:
        """Write the sum over deep layers of slopes^T weight slopes to `forms` (n, own d, d), a few events at a time, so
        that all of it stays in the nearest caches."""
        once = [bend.once[:, None].split(self.few) for bend in bends[:-1]]
        wide = [weight[:, :, None].split(self.few) for weight in weights[1:]]
        for number, form in enumerate(forms.split(self.few)):
            slopes = self.entered
            for k, place in enumerate(self._places(len(form))):
                torch.mul(slopes, once[k][number], out=place.bent)
                torch.mm(place.flat_bent, self.layers[k + 1][0].weight.T, out=place.flat_slopes)
                slopes = place.slopes
                torch.mul(place.slopes[:, None], wide[k][number], out=place.scaled)
                torch.baddbmm(form, place.flat_scaled, place.turned, beta=float(k > 0), out=form)

    def _places(self, n: int) -> list[_Places]:
        """Return where the products of each deep layer are written to for n events, made once."""
        if n not in self.kept:
            sizes = [len(affine.bias) for affine, _ in self.layers]
            held = self._empty(n * self.inputs * max(max(sizes[:-1]), self.own * max(sizes[1:])))
            self.kept[n] = [
                _Places.of(held, self._empty(n, self.inputs, made), read, self.own) for read, made in pairwise(sizes)
            ]
        return self.kept[n]


class _Places(NamedTuple):
    """Of a deep layer and n events: `bent` (n, d, read) slopes behind the activations before it, `slopes` (n, d, made)
    of what goes into its own, `scaled` (n, own, d, made) these times the weights of each output, in the place of `bent`
    which is not needed by then; and the same as the products see them."""

    bent: Tensor
    flat_bent: Tensor
    slopes: Tensor
    flat_slopes: Tensor
    turned: Tensor
    scaled: Tensor
    flat_scaled: Tensor

    @classmethod
    def of(cls, held: Tensor, slopes: Tensor, read: int, own: int) -> _Places:
        """Return the places in the memory that is `held`."""
        n, d, made = slopes.shape
        bent = held[: n * d * read].view(n, d, read)
        scaled = held[: n * own * d * made].view(n, own, d, made)
        return cls(
            bent, bent.view(n * d, read), slopes, slopes.view(n * d, made), slopes.transpose(1, 2), scaled,
            scaled.view(n, own * d, made),
        )  # fmt: skip
