"""Pairs of particles of the same jet, one after the other: which they are, and what is known of each (ParT)."""

from __future__ import annotations

from math import pi
from typing import NamedTuple

import torch
from torch import Tensor

from lynkeus.networks.taggers.ragged import Block, lengths_of

LEAST = 1e-8  # below which logarithms are cut, as in weaver
NAMES = ("ln kT", "ln z", "ln dR", "ln m2")


class Pairs(NamedTuple):
    """Rows `first` and `second` of each pair (first at or after second, a particle with itself too), and `begins` (n,):
    where the pairs of each jet begin. The pair of places i >= j of a jet is its number i (i + 1) / 2 + j."""

    first: Tensor
    second: Tensor
    begins: Tensor

    @classmethod
    def of(cls, offsets: Tensor) -> Pairs:
        """Return all pairs of all jets."""
        lengths = lengths_of(offsets)
        many = lengths * (lengths + 1) // 2
        begins = torch.cat([many.new_zeros(1), many.cumsum(0)])
        number = torch.arange(int(begins[-1]), device=offsets.device) - torch.repeat_interleave(begins[:-1], many)
        longest = int(lengths.max()) if len(lengths) else 0
        places = torch.tril_indices(longest, longest, device=offsets.device)
        start = torch.repeat_interleave(offsets[:-1], many)
        return cls(start + places[0][number], start + places[1][number], begins[:-1])

    def square(self, block: Block) -> Tensor:
        """Return (m, p, p): the pair of each two places of a block, the number of all pairs where there is none."""
        place = torch.arange(block.rows.shape[1], device=block.rows.device)
        larger, smaller = torch.maximum(place[:, None], place), torch.minimum(place[:, None], place)
        number = self.begins[block.jets][:, None, None] + (larger * (larger + 1) // 2 + smaller)
        return torch.where(block.real[:, :, None] & block.real[:, None, :], number, len(self.first))


@torch.no_grad()
def pair_features(vectors: Tensor, pairs: Pairs) -> Tensor:
    """Return (pairs, 4): ln kT, ln z, ln dR and ln m2 (of kT in GeV, m2 in GeV²) of vectors (rows, 4) of px, py, pz, E
    in GeV.

    kT = min(pT) dR and z = min(pT) / (pT_i + pT_j), with dR in rapidity and azimuth; each cut at 1e-8 before the
    logarithm. The same operations in the same order and precision as weaver-core 0.5.3: the mass of a pair is a small
    difference of large numbers, and networks were trained on how it is rounded.
    """
    px, py, pz, energy = vectors.unbind(1)
    pt = torch.sqrt(px.square() + py.square())
    rapidity = 0.5 * torch.log(1 + (2 * pz) / (energy - pz).clamp(min=1e-20))
    phi = torch.atan2(py, px)
    first, second = pairs.first, pairs.second
    one, other = pt[first], pt[second]
    turned = (phi[first] - phi[second] + pi) % (2 * pi) - pi
    distance = ((rapidity[first] - rapidity[second]) ** 2 + turned**2).sqrt()
    softer = torch.minimum(one, other)
    both = [part[first] + part[second] for part in (px, py, pz, energy)]
    momentum = both[0].square() + both[1].square() + both[2].square()
    found = [
        (softer * distance).clamp(min=LEAST),
        (softer / (one + other).clamp(min=LEAST)).clamp(min=LEAST),
        distance.clamp(min=LEAST),
        (both[3].square() - momentum).clamp(min=LEAST),
    ]
    return torch.stack(found, dim=1).log_()
