"""by_chain: the Taylor coefficients of dense networks up to second order, carried through the layers by hand.

The second derivative of an output is the sum over hidden layers of J^T diag(g f'') J, with J the derivative of what
goes into the activations f and g that of the output by what comes out of them. J of the first layer is its weights, the
same for all events, so that its part is one product for all of them; a softmax adds rows to the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from lynkeus.explain.taylor.smooth import Affine, Chain, Derived

CACHE_NUMBERS = 400_000  # that are held at a time: what stays in the caches of a processor is several times faster
LEAST_EVENTS = 8
Layer: TypeAlias = tuple[Affine, Derived]


@dataclass(frozen=True)
class Bend:
    """A hidden layer that was passed: first and second derivatives (n, m) of its activations; `slopes` (n, d, m) of
    what went into them by the inputs, None for the first layer, where they are its weights."""

    once: Tensor
    twice: Tensor
    slopes: Tensor | None


def by_chain(chain: Chain, x: Tensor, order: int) -> tuple[Tensor, Tensor | None]:
    """Return the coefficients of first order (n, k, d) and of second order (n, k, pairs), None for order 1."""
    dense = _Dense(chain, x.shape[1], order, x.dtype)
    with torch.no_grad():
        return dense.of(x)


class _Dense:
    """A chain with the places that its products are written to, as many events at a time as fit into the caches."""

    def __init__(self, chain: Chain, inputs: int, order: int, dtype: torch.dtype) -> None:
        self.layers, self.last, self.softmax = chain.layers()
        self.inputs, self.second, self.dtype = inputs, order > 1, dtype
        self.outputs = len(self.last.bias)
        # The probabilities of a softmax add up to 1: the coefficients of the last one follow from the others.
        self.own = self.outputs - 1 if self.softmax else self.outputs
        self.rows, self.columns = torch.triu_indices(inputs, inputs)
        self.flat, self.diagonal = self.rows * inputs + self.columns, torch.nonzero(self.rows == self.columns)[:, 0]
        self.square = self._square()
        deep = [len(affine.bias) for affine, _ in self.layers[1:]]
        held = inputs * max([len(affine.bias) for affine, _ in self.layers], default=1)
        self.chunk = max(LEAST_EVENTS, CACHE_NUMBERS // (held * 2))
        # Behind the slopes of the last hidden layer there is room for the rows by which a softmax itself bends.
        self.rows_of_softmax = self.outputs if self.softmax else 0
        self.curved = bool(deep) and self.second
        if self.curved:
            more = [0] * (len(deep) - 1) + [self.rows_of_softmax]
            self.bent = self._empty(self.chunk, held)
            self.slopes = [self._empty(self.chunk, inputs, one + two) for one, two in zip(deep, more, strict=True)]
        self.scaled = self._empty(LEAST_EVENTS, held + inputs * self.rows_of_softmax)
        self.forms = self._empty(self.chunk, self.own * inputs * inputs)
        self.pairs = self._empty(self.chunk * self.own, len(self.rows))

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.dtype)

    def _square(self) -> Tensor:
        """Return (m, pairs) of w_i w_j of the first layer, that of an input with itself halved."""
        if not self.layers:
            return self._empty(0, len(self.rows))
        weight = self.layers[0][0].weight
        found = weight[:, self.rows] * weight[:, self.columns]
        found[:, self.diagonal] *= 0.5
        return found

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
        back = self._back(bends, len(x))  # of the logits, by what comes out of each layer; the last is by the inputs
        if not self.softmax:
            first.copy_(back[-1])
            if second is not None:
                self._curvature(bends, [own * bend.twice[:, None] for own, bend in zip(back, bends, strict=False)])
                second.copy_(self._read(len(x)))
            return
        p = torch.softmax(value, dim=1)[:, :, None]
        off = back[-1] - (p * back[-1]).sum(1, keepdim=True)  # the derivative of each log probability
        torch.mul(off, p, out=first)
        if second is not None:
            own = p[:, : self.own]
            weights = [
                (one - (p * one).sum(1, keepdim=True))[:, : self.own].mul_(own).mul_(bend.twice[:, None])
                for one, bend in zip(back, bends, strict=False)
            ]
            self._curvature(bends, weights, p, off)
            found = self._read(len(x))
            second[:, : self.own] = found
            torch.sum(found, 1, out=second[:, self.own]).neg_()

    def _forward(self, x: Tensor) -> tuple[Tensor, list[Bend]]:
        value, found = x, list[Bend]()
        for number, ((weight, bias), derived) in enumerate(self.layers):
            slopes = self._slopes(found[-1], number, weight) if number and self.second else None
            value, once, twice = derived(torch.addmm(bias, value, weight.T))
            found.append(Bend(once, twice, slopes))
        return torch.addmm(self.last.bias, value, self.last.weight.T), found

    def _slopes(self, before: Bend, number: int, weight: Tensor) -> Tensor:
        n, width = before.once.shape
        entered = self.layers[0][0].weight.T if before.slopes is None else before.slopes
        bent = self.bent.view(-1)[: n * self.inputs * width].view(n, self.inputs, width)
        torch.mul(entered, before.once[:, None], out=bent)
        found = self.slopes[number - 1][:n]
        flat = found.view(n * self.inputs, -1)[:, : len(weight)]
        torch.mm(bent.view(n * self.inputs, width), weight.T, out=flat)
        return found

    def _back(self, bends: list[Bend], n: int) -> list[Tensor]:
        """Return (n, outputs, m) of each hidden layer, the first one first, then by the inputs (n, outputs, d)."""
        found = [self.last.weight.expand(n, -1, -1)]
        for (affine, _), bend in zip(reversed(self.layers), reversed(bends), strict=True):
            through = (found[-1] * bend.once[:, None]).flatten(0, 1) @ affine.weight
            found.append(through.view(n, self.outputs, -1))
        return [*found[-2::-1], found[-1]]

    def _curvature(
        self, bends: list[Bend], weights: list[Tensor], p: Tensor | None = None, off: Tensor | None = None
    ) -> None:
        """Write the quadratic forms of some events to `pairs`: `weights` (n, own, m) of each layer. A softmax of
        probabilities `p` (n, outputs, 1) bends itself, by p_o (delta_oc - p_c) times the square of each `off`."""
        n = len(weights[0]) if weights else (0 if off is None else len(off))
        size, d = self.own * self.inputs, self.inputs
        forms = self.forms.view(-1)[: n * size * d].view(n, size, d)
        parts = [(bend.slopes, weight) for bend, weight in zip(bends, weights, strict=True) if bend.slopes is not None]
        if p is not None and off is not None:
            own = (torch.diag_embed(p[:, :, 0]) - p * p.transpose(1, 2))[:, : self.own]
            if parts:
                slopes, weight = parts[-1]
                slopes[:, :, weight.shape[2] :] = off.transpose(1, 2)
                parts[-1] = slopes, torch.cat([weight, own], 2)
            else:
                parts = [(off.transpose(1, 2), own)]
        for number, (slopes, weight) in enumerate(parts):
            self._add(forms, slopes, weight, number > 0)
        pairs = self.pairs[: n * self.own]
        if parts:
            torch.index_select(forms.view(n * self.own, d * d), 1, self.flat, out=pairs)
            pairs[:, self.diagonal] *= 0.5
        if bends:
            pairs.addmm_(weights[0].reshape(n * self.own, -1), self.square, beta=float(bool(parts)))
        elif not parts:
            pairs.zero_()

    def _add(self, forms: Tensor, slopes: Tensor, weight: Tensor, more: bool) -> None:
        """Write, or add where there is `more` already, slopes^T weight slopes to the forms of each output."""
        d = slopes.shape[1]
        for few in range(0, len(slopes), LEAST_EVENTS):  # so that all of it stays in the nearest cache
            part, heavy = slopes[few : few + LEAST_EVENTS], weight[few : few + LEAST_EVENTS]
            scaled = self.scaled.view(-1)[: part.numel()].view_as(part)
            turned = part.transpose(1, 2)
            for k in range(self.own):
                torch.mul(part, heavy[:, k, None], out=scaled)
                own = forms[few : few + LEAST_EVENTS, k * d : (k + 1) * d]
                torch.baddbmm(own, scaled, turned, beta=float(more), out=own)

    def _read(self, n: int) -> Tensor:
        return self.pairs[: n * self.own].view(n, self.own, -1)
