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


class Kinematics(NamedTuple):
    """What pairs are made of, of each particle: px, py, pz, E and pT in GeV, rapidity and azimuth."""

    px: Tensor
    py: Tensor
    pz: Tensor
    energy: Tensor
    pt: Tensor
    rapidity: Tensor
    phi: Tensor

    @classmethod
    def of(cls, vectors: Tensor) -> Kinematics:
        """Return those of vectors (..., 4) of px, py, pz, E, each (...)."""
        px, py, pz, energy = vectors.unbind(-1)
        rapidity = 0.5 * torch.log(1 + (2 * pz) / (energy - pz).clamp(min=1e-20))
        return cls(px, py, pz, energy, torch.sqrt(px.square() + py.square()), rapidity, torch.atan2(py, px))


def of_two(one: Kinematics, other: Kinematics) -> Tensor:
    """Return (..., 4): ln kT, ln z, ln dR and ln m2 of two particles each.

    kT = min(pT) dR and z = min(pT) / (pT_i + pT_j), with dR in rapidity and azimuth; each cut at 1e-8 before the
    logarithm. The same operations in the same order and precision as weaver-core 0.5.3: the mass of a pair is a small
    difference of large numbers, and networks were trained on how it is rounded.
    """
    turned = (one.phi - other.phi + pi) % (2 * pi) - pi
    distance = ((one.rapidity - other.rapidity) ** 2 + turned**2).sqrt()
    softer = torch.minimum(one.pt, other.pt)
    momentum = (one.px + other.px).square() + (one.py + other.py).square() + (one.pz + other.pz).square()
    found = [
        (softer * distance).clamp(min=LEAST),
        (softer / (one.pt + other.pt).clamp(min=LEAST)).clamp(min=LEAST),
        distance.clamp(min=LEAST),
        ((one.energy + other.energy).square() - momentum).clamp(min=LEAST),
    ]
    return torch.stack(found, dim=-1).log()


@torch.no_grad()
def pair_features(vectors: Tensor, pairs: Pairs) -> Tensor:
    """Return (pairs, 4): ln kT, ln z, ln dR and ln m2 (of kT in GeV, m2 in GeV²) of vectors (rows, 4) of px, py, pz, E
    in GeV."""
    parts = Kinematics.of(vectors)
    return of_two(*(Kinematics(*(part[rows] for part in parts)) for rows in (pairs.first, pairs.second)))
