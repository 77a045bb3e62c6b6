"""Edges in training: the way there and back in pieces that stay in the cache, with little kept in between.

What PyTorch keeps of a layer of linear map, batch normalisation and ReLU is two numbers for each number. Here only what
comes out of each linear map is kept, of the first layer nothing: the rest is computed again on the way back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function


class _Layer(NamedTuple):
    """A layer by number: `weight` None for the first; z of it becomes relu(z * scale + shift)."""

    weight: Tensor | None
    mean: Tensor
    rate: Tensor  # 1 / sqrt(variance + eps)
    scale: Tensor
    shift: Tensor

    def active(self, z: Tensor, out: Tensor | None = None) -> Tensor:
        """Return what the layer gives on, written into `out` where it is given."""
        found: Tensor = torch.addcmul(self.shift, z, self.scale, out=out)
        return found.clamp_(min=0)


class Moments:
    """Mean and variance over rows that come in pieces (Chan et al. 1979), in double precision."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean, self.squares = torch.zeros(channels, dtype=torch.float64), torch.zeros(channels, dtype=torch.float64)

    def add(self, z: Tensor) -> None:
        """Count rows (edges, channels)."""
        mean, variance = (part.double() for part in torch.batch_norm_update_stats(z, None, None, 0.0))
        total = self.count + len(z)
        off = mean - self.mean
        self.squares += variance * len(z) + off**2 * (self.count * len(z) / total)
        self.mean += off * (len(z) / total)
        self.count = total

    def variance(self) -> Tensor:
        """Return that of all rows, the biased one, by which batch normalisation divides."""
        return self.squares / max(1, self.count)


class _Pieces(NamedTuple):
    """Where edges begin and end, particle by particle."""

    own: Tensor
    other: Tensor
    neighbours: Tensor
    piece: int

    def __iter__(self) -> Any:
        return iter(range(0, len(self.own), self.piece))

    def particles(self, begin: int) -> slice:
        return slice(begin, min(begin + self.piece, len(self.own)))

    def edges(self, begin: int) -> slice:
        k, here = self.neighbours.shape[1], self.particles(begin)
        return slice(here.start * k, here.stop * k)

    def first(self, begin: int) -> Tensor:
        """What comes out of the first map: gathered, and added up."""
        here = self.particles(begin)
        neighbours = self.neighbours[here]
        z = self.other.index_select(0, neighbours.reshape(-1)).view(*neighbours.shape, -1)
        return z.add_(self.own[here, None]).flatten(0, 1)


class TrainedEdges(Function):
    """Own and other parts of the first map, and the later layers, to the mean over the edges of each particle.

    apply(own (rows, c), other (rows + 1, c), neighbours (rows, k), eps, piece, scale and shift of the first
    normalisation, then weight, scale and shift of each later layer) gives the mean (rows, channels) and mean and biased
    variance of the edges before each normalisation.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, other: Tensor, neighbours: Tensor, *given: Any) -> tuple[Tensor, ...]:
        """See the class; `given` is eps, piece and the parameters."""
        eps, piece, *parameters = given
        pieces = _Pieces(own, other, neighbours, piece)
        moments = Moments(own.shape[1])
        for begin in pieces:
            moments.add(pieces.first(begin))
        layers = [_normalised(None, moments, parameters[0], parameters[1], eps)]
        kept: list[Tensor] = []
        statistics = [moments]
        for at in range(2, len(parameters), 3):
            weight, scale, shift = parameters[at : at + 3]
            z, moments = own.new_empty(neighbours.numel(), len(weight)), Moments(len(weight))
            room = own.new_empty(min(piece * neighbours.shape[1], neighbours.numel()), weight.shape[1])
            for begin in pieces:
                before = pieces.first(begin) if not kept else kept[-1][pieces.edges(begin)]
                torch.mm(layers[-1].active(before, room[: len(before)]), weight.T, out=z[pieces.edges(begin)])
                moments.add(z[pieces.edges(begin)])
            kept.append(z)
            statistics.append(moments)
            layers.append(_normalised(weight, moments, scale, shift, eps))
        mean = own.new_empty(len(own), len(layers[-1].scale))
        for begin in pieces:
            last = layers[-1].active(kept[-1][pieces.edges(begin)] if kept else pieces.first(begin))
            torch.mean(last.view(-1, neighbours.shape[1], last.shape[1]), dim=1, out=mean[pieces.particles(begin)])
        ctx.save_for_backward(
            own, other, neighbours, *kept, *(tensor for layer in layers for tensor in _tensors(layer))
        )
        ctx.piece, ctx.layers = piece, len(layers)
        found = [t.to(own.dtype) for one in statistics for t in (one.mean, one.variance())]
        ctx.mark_non_differentiable(*found)
        return mean, *found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of own, other and all parameters."""
        own, other, neighbours, *rest = ctx.saved_tensors
        pieces = _Pieces(own, other, neighbours, ctx.piece)
        kept, packed = rest[: ctx.layers - 1], rest[ctx.layers - 1 :]
        layers = [_Layer(None, *packed[:4])]
        layers += [_Layer(*packed[at : at + 5]) for at in range(4, len(packed), 5)]
        return _Back(pieces, layers, list(kept)).run(gradients[0])


def _normalised(weight: Tensor | None, moments: Moments, scale: Tensor, shift: Tensor, eps: float) -> _Layer:
    rate = (moments.variance() + eps).rsqrt()
    slope = scale.double() * rate
    level = shift.double() - moments.mean * slope
    kind = scale.dtype
    return _Layer(weight, moments.mean.to(kind), rate.to(kind), slope.to(kind), level.to(kind))


def _tensors(layer: _Layer) -> tuple[Tensor, ...]:
    return layer[1:] if layer.weight is None else layer


class _Back:
    """The way back: for each layer, from the last one, first the sums that its normalisation needs, then its gradient.

    The sums of a layer are taken while the gradient of the one after it is computed: each piece is visited once.
    """

    def __init__(self, pieces: _Pieces, layers: list[_Layer], kept: list[Tensor]) -> None:
        self.pieces, self.layers, self.kept = pieces, layers, kept
        self.k = pieces.neighbours.shape[1]
        self.edges = pieces.neighbours.numel()
        self.found: list[tuple[Tensor | None, Tensor, Tensor]] = []
        self.room: dict[tuple[str, int], Tensor] = {}

    def z(self, at: int, begin: int) -> Tensor:
        """What came out of the map of a layer."""
        return self.kept[at - 1][self.pieces.edges(begin)] if at else self.pieces.first(begin)

    def scratch(self, channels: int, begin: int, name: str) -> Tensor:
        """Room for one piece of edges, the same for all pieces: new memory costs as much as what is done with it."""
        edges = self.pieces.edges(begin)
        whole = self.room.get((name, channels))
        if whole is None:
            rows = min(self.pieces.piece * self.k, self.edges)
            whole = self.room[name, channels] = self.pieces.own.new_empty(rows, channels)
        return whole[: edges.stop - edges.start]

    def run(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients in the order of the arguments."""
        last, channels = len(self.layers) - 1, gradient.shape[1]
        flowing, sums = gradient.new_empty(self.edges, channels), self._sums(last)
        for begin in self.pieces:
            edges, part = self.pieces.edges(begin), gradient[self.pieces.particles(begin)] / self.k
            spread = part[:, None].expand(-1, self.k, -1).reshape(-1, channels)
            z = self.z(last, begin)
            active = self.layers[last].active(z, self.scratch(channels, begin, "active"))
            self._through(z, active, spread, flowing[edges], sums)
        for at in range(last, 0, -1):
            flowing, sums = self._layer(at, flowing, sums)
        own, other = self._first(flowing, sums)
        self.found.reverse()
        (_, *first), later = self.found[0], self.found[1:]
        return own, other, None, None, None, *first, *(tensor for layer in later for tensor in layer)

    def _sums(self, at: int) -> Tensor:
        return torch.zeros(2, len(self.layers[at].scale), dtype=torch.float64)

    def _through(self, z: Tensor, active: Tensor, gradient: Tensor, out: Tensor, sums: Tensor) -> None:
        """Take a gradient through the ReLU whose output is `active` into `out`, and count it for the normalisation of
        z; `active` is used up."""
        torch.ops.aten.threshold_backward.grad_input(gradient, active, 0, grad_input=out)
        sums[0] += out.sum(dim=0)
        sums[1] += torch.mul(out, z, out=active).sum(dim=0)

    def _before(self, at: int, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How the gradient before a normalisation is made of z and of the one after it; keeps its own parameters'."""
        layer = self.layers[at]
        mean, rate, slope = layer.mean.double(), layer.rate.double(), layer.scale.double()
        shift = sums[0]
        scale = (sums[1] - mean * sums[0]) * rate
        self.found.append((None, scale.to(layer.scale.dtype), shift.to(layer.scale.dtype)))
        of_z = -slope * rate * scale / self.edges
        level = -slope * shift / self.edges - of_z * mean
        return of_z.to(layer.scale.dtype), layer.scale, level.to(layer.scale.dtype)

    def _layer(self, at: int, flowing: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """One later layer: the gradient of its weight, and what flows on through the ReLU of the layer before it."""
        of_z, slope, level = self._before(at, sums)
        weight = self.layers[at].weight
        assert weight is not None
        made, given = weight.shape
        of_weight, sums = torch.zeros_like(weight), self._sums(at - 1)
        on = flowing if made == given else flowing.new_empty(len(flowing), given)
        for begin in self.pieces:
            edges = self.pieces.edges(begin)
            gradient = torch.addcmul(level, self.z(at, begin), of_z, out=self.scratch(made, begin, "gradient"))
            gradient.addcmul_(flowing[edges], slope)
            z = self.z(at - 1, begin)
            active = self.layers[at - 1].active(z, self.scratch(given, begin, "active"))
            of_weight.addmm_(gradient.T, active)
            back = torch.mm(gradient, weight, out=self.scratch(given, begin, "back"))
            self._through(z, active, back, on[edges], sums)
        self.found[-1] = (of_weight, *self.found[-1][1:])
        return on, sums

    def _first(self, flowing: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """The first layer: gradients of what each particle gave as itself, and as a neighbour."""
        of_z, slope, level = self._before(0, sums)
        own, other = torch.empty_like(self.pieces.own), torch.zeros_like(self.pieces.other)
        for begin in self.pieces:
            z = self.z(0, begin)
            gradient = torch.addcmul(level, z, of_z, out=self.scratch(z.shape[1], begin, "gradient"))
            gradient.addcmul_(flowing[self.pieces.edges(begin)], slope)
            here = self.pieces.particles(begin)
            torch.sum(gradient.view(-1, self.k, gradient.shape[1]), dim=1, out=own[here])
            other.index_add_(0, self.pieces.neighbours[here].reshape(-1), gradient)
        return own, other
