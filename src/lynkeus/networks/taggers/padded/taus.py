"""TauGraph and DeepTau on padded tensors: the networks themselves, with sums over the places of a candidate."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.taggers.padded.particle_net import AWAY, squared
from lynkeus.networks.taggers.taus.candidate import SMALL, Candidate, Columns, length
from lynkeus.networks.taggers.taus.graph import Neighbours, TauGraph
from lynkeus.networks.taggers.taus.images import DeepTau, Image


@dataclass(frozen=True)
class PaddedCandidate(Candidate):
    """Candidates whose rows are places, as many for each, of which those of `mask` (n, p) are particles."""

    mask: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.bool))

    @classmethod
    def of_tensors(cls, points: Tensor, features: Tensor, vectors: Tensor, mask: Tensor, columns: Columns) -> Candidate:
        """Return candidates of padded tensors (n, p, ...) and their mask."""
        vectors, points = (torch.where(mask[:, :, None], one, 0.0).flatten(0, 1) for one in (vectors, points[..., :2]))
        features = torch.where(mask[:, :, None], features, 0.0).flatten(0, 1)
        pt = length(vectors[:, 0], vectors[:, 1])
        charged = (features[:, columns.charge].abs() > SMALL).to(points.dtype)
        number = torch.arange(mask.shape[0], device=mask.device)
        jet = number[:, None].expand(mask.shape).flatten()
        return cls(points, features, vectors, pt, charged, jet, number, mask).turned()

    @property
    def jets(self) -> int:
        """Return how many candidates there are."""
        return self.mask.shape[0]

    @property
    def lengths(self) -> Tensor:
        """Return (n,) how many particles each has."""
        return self.mask.sum(dim=1)

    def total(self, values: Tensor) -> Tensor:
        """Return (n, ...): see Candidate."""
        there = self.mask.view(*self.mask.shape, *[1] * (values.ndim - 1))
        return torch.where(there, values.view(*self.mask.shape, *values.shape[1:]), 0.0).sum(dim=1)

    def largest(self, values: Tensor) -> Tensor:
        """Return (n, ...): see Candidate."""
        there = self.mask.view(*self.mask.shape, *[1] * (values.ndim - 1))
        found = torch.where(there, values.view(*self.mask.shape, *values.shape[1:]), -AWAY).amax(dim=1)
        return torch.where(found > -AWAY, found, 0.0)


class PaddedTauGraph(nn.Module):
    """points (n, p, 2), features (n, p, features), vectors (n, p, 4), mask (n, p) to logits (n, classes)."""

    groups = ("points", "features", "vectors")
    shared_mask = True

    def __init__(self, network: TauGraph) -> None:
        super().__init__()
        self.network = network

    def forward(self, points: Tensor, features: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        # As many places of padding as there are neighbours, so that there are always so many.
        spare = self.network.sizes.k
        points, features, vectors = (functional.pad(one, (0, 0, 0, spare)) for one in (points, features, vectors))
        mask = functional.pad(mask, (0, spare))
        of = PaddedCandidate.of_tensors(points, features, vectors, mask, self.network.columns)
        logits: Tensor = self.network.classes(self.network.heard(of, self._neighbours(of, mask)))
        return logits

    def _neighbours(self, of: Candidate, mask: Tensor) -> Neighbours:
        n, places = mask.shape
        place = torch.arange(places, device=mask.device)
        distances = squared(of.points.view(n, places, 2)).masked_fill(~mask[:, None, :], AWAY)
        distances = distances.masked_fill(place[:, None] == place, torch.inf)
        found = distances.topk(self.network.sizes.k, dim=-1, largest=False)
        rows = found.indices + places * torch.arange(n, device=mask.device)[:, None, None]
        there = (found.values < AWAY).to(of.pt.dtype).flatten(0, 1)
        return Neighbours(rows.flatten(0, 1), there, there.sum(dim=1).clamp(min=1))


class PaddedDeepTau(nn.Module):
    """points (n, p, 2), features (n, p, features), vectors (n, p, 4), mask (n, p) to logits (n, classes)."""

    groups = ("points", "features", "vectors")
    shared_mask = True

    def __init__(self, network: DeepTau) -> None:
        super().__init__()
        self.network = network
        self.images = nn.ModuleList(PaddedImage(one) for one in network.images)

    def forward(self, points: Tensor, features: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        of = PaddedCandidate.of_tensors(points, features, vectors, mask, self.network.columns)
        logits: Tensor = self.network.classes(self.network.seen(of, list(self.images)))
        return logits


class PaddedImage(nn.Module):
    """The same image of cells, each filled by the hardest particle of its type."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self.image = image

    def forward(self, of: PaddedCandidate, x: Tensor) -> Tensor:
        """Return (n, cell) of standardised features x (rows, features)."""
        image, side, (n, places) = self.image, self.image.grid.cells, of.mask.shape
        inside, number = image.cells(of)
        place = torch.arange(places, device=x.device).expand(n, places)
        filled = x.new_zeros(n, side * side + 1, image.channels)  # the last cell is outside
        for flags, layer in zip(image.types, image.first, strict=True):
            own = inside & (of.features[:, list(flags)] > 0.5).any(dim=1) & of.mask.flatten()
            cell = torch.where(own, number, side * side).view(n, places)
            pt = of.pt.view(n, places)
            most = pt.new_zeros(n, side * side + 1).scatter_reduce(1, cell, pt, "amax")
            late = torch.where(pt >= most.gather(1, cell), place, places)  # of two that are equally hard the first one
            first = torch.full_like(most, 1, dtype=torch.int64) * places
            first = first.scatter_reduce(1, cell, late, "amin")
            chosen = (place == first.gather(1, cell)) & own.view(n, places)
            value = torch.where(chosen[:, :, None], layer(x).view(n, places, -1), 0.0)
            filled = filled.scatter_add(1, cell[:, :, None].expand_as(value), value)
        return image.convolved(filled[:, :-1].unflatten(1, (side, side)))
