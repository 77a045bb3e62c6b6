"""by_chain: the Taylor coefficients of dense networks up to second order, carried through the layers by hand.

The second derivative of an output is the sum over hidden layers of J^T diag(g f'') J, with J the derivative of what
goes into the activations f and g that of the output by what comes out of them. J of the first layer is its weights, the
same for all events, so that its part is one product for all of them; a softmax adds rows to the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor

from lynkeus.explain.taylor.smooth import Affine, Chain, Derived

CACHE_NUMBERS = 400_000  # of a layer: events that go through together
LEAST_EVENTS = 8
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
        # Behind the slopes of the last hidden layer there is room for the rows by which a softmax itself bends.
        self.rows_of_softmax = self.outputs if self.softmax else 0
        deep = [len(affine.bias) for affine, _ in self.layers[1:]]
        widest = max([len(affine.bias) for affine, _ in self.layers], default=1) + self.rows_of_softmax
        self.chunk = max(LEAST_EVENTS, CACHE_NUMBERS // (inputs * widest))
        if deep and self.second:
            more = [0] * (len(deep) - 1) + [self.rows_of_softmax]
            self.bent = self._empty(LEAST_EVENTS * inputs * widest)
            self.slopes = [self._empty(LEAST_EVENTS, inputs, one + two) for one, two in zip(deep, more, strict=True)]
        self.scaled = self._empty(LEAST_EVENTS * self.own * inputs * widest)
        self.forms = self._empty(self.chunk, self.own * inputs, inputs)
        self.pairs = self._empty(self.chunk * self.own, len(self.rows))

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
                self._curvature(bends, [own.mul_(bend.twice[:, None]) for own, bend in zip(back, bends, strict=True)])
                second.copy_(self._read(len(x)))
            return
        p = torch.softmax(torch.cat([value, torch.zeros_like(value[:, :1])], 1), dim=1)
        off = torch.cat([by_inputs, torch.zeros_like(by_inputs[:, :1])], 1) - torch.bmm(p[:, None, :-1], by_inputs)
        torch.mul(off, p[:, :, None], out=first)  # off is the derivative of each logarithm of a probability
        if second is not None:
            bent = (torch.eye(self.outputs, dtype=self.dtype)[:-1] - p[:, None]) * p[:, :-1, None]
            mixed = bent[:, :, :-1]  # (n, own, own) of each probability by the logits
            weights = [torch.bmm(mixed, own).mul_(bend.twice[:, None]) for own, bend in zip(back, bends, strict=True)]
            self._curvature(bends, weights, bent, off)
            found = self._read(len(x))
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
        self, bends: list[Bend], weights: list[Tensor], bent: Tensor | None = None, off: Tensor | None = None
    ) -> None:
        """Write the quadratic forms of some events to `pairs`: `weights` (n, own, m) of each layer. A softmax bends
        itself, by `bent` (n, own, outputs) times the square of each `off` (n, outputs, d), the derivative of each
        logarithm of a probability."""
        n = len(weights[0]) if weights else 0 if bent is None else len(bent)
        pairs, formed = self.pairs[: n * self.own], len(bends) > 1 or bent is not None
        if formed:
            for few in range(0, n, LEAST_EVENTS):  # so that all of it stays in the nearest caches
                rows = slice(few, min(few + LEAST_EVENTS, n))
                softmax = None if bent is None or off is None else (bent[rows], off[rows].transpose(1, 2))
                once, own = [bend.once[rows] for bend in bends], [weight[rows] for weight in weights]
                self._form(self.forms[rows], once, own, softmax)
            torch.index_select(self.forms[:n].view(n * self.own, -1), 1, self.flat, out=pairs)
            pairs.mul_(self.half)
        if bends:
            pairs.addmm_(weights[0].reshape(n * self.own, -1), self.square, beta=float(formed))
        elif not formed:
            pairs.zero_()

    def _form(
        self, form: Tensor, once: list[Tensor], weights: list[Tensor], softmax: tuple[Tensor, Tensor] | None
    ) -> None:
        """Write the sum over deep layers of slopes^T weight slopes of a few events to `form` (n, own d, d); `softmax`:
        its weights (n, own, outputs) and slopes (n, d, outputs)."""
        n, slopes = len(form), self.entered if once else None
        for number, (affine, _) in enumerate(self.layers[1:]):
            assert slopes is not None
            width = slopes.shape[-1]
            bent = self.bent[: n * self.inputs * width].view(n, self.inputs, width)
            torch.mul(slopes, once[number][:, None], out=bent)
            every, weight = self.slopes[number][:n], weights[number + 1]
            flat = every.view(n * self.inputs, -1)[:, : len(affine.bias)]
            torch.mm(bent.view(n * self.inputs, width), affine.weight.T, out=flat)
            slopes = every[:, :, : len(affine.bias)]
            if softmax is not None and number == len(self.layers) - 2:
                every[:, :, len(affine.bias) :] = softmax[1]
                weight = torch.cat([weight, softmax[0]], 2)
            self._add(form, every, weight, number > 0)
        if softmax is not None and len(self.layers) < 2:
            self._add(form, softmax[1], softmax[0], False)

    def _add(self, form: Tensor, slopes: Tensor, weight: Tensor, more: bool) -> None:
        scaled = self.scaled[: len(form) * self.own * slopes[0].numel()].view(len(form), self.own, self.inputs, -1)
        torch.mul(slopes[:, None], weight[:, :, None], out=scaled)
        torch.baddbmm(form, scaled.flatten(1, 2), slopes.transpose(1, 2), beta=float(more), out=form)

    def _read(self, n: int) -> Tensor:
        return self.pairs[: n * self.own].view(n, self.own, -1)
