"""What is known of a tau candidate before a network sees it: its axis, and a few numbers of the whole candidate.

A hadronic tau is one or three charged pions and what its neutral pions became, in a narrow cone; around it there is
little. Everything here is of packed tensors (`ragged`), and does not change when a jet is turned around the beam.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from lynkeus.networks.taggers.ragged import Groups, jet_of, lengths_of, role

SIGNAL = 0.1  # the largest radius of a signal cone (CMS HPS: 3 GeV / pT, within 0.05 and 0.1)
ISOLATION = 0.4  # of what lies around it: all of an AK4 jet
SMALL = 1e-6
NUMBERS = 10  # that `numbers` gives of a candidate


@dataclass(frozen=True)
class Columns:
    """Where features say what a particle is: columns of `charge`, and of flags, one tuple for each type of cells
    (electrons and photons, muons, hadrons). The order is that of JetClass features."""

    charge: int = 5
    types: tuple[tuple[int, ...], ...] = ((8, 9), (10,), (6, 7))


JETCLASS = Columns()


@dataclass(frozen=True)
class Candidate:
    """A batch of candidates: `points` (rows, 2) from the tau axis in rad, `features` (rows, f), `vectors` (rows, 4)
    px, py, pz, E in GeV, `pt` (rows,), `charged` (rows,) 0 or 1, `jet` (rows,) whose it is, `offsets` (n + 1,).

    The form with padding (`padded/taus.py`) takes its sums otherwise, and all else is the same.
    """

    points: Tensor
    features: Tensor
    vectors: Tensor
    pt: Tensor
    charged: Tensor
    jet: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, groups: Groups, columns: Columns = JETCLASS) -> Candidate:
        """Read the groups that end in "points", "features" and "vectors" and turn the points to the tau axis."""
        (points, offsets), (features, _), (vectors, _) = (role(groups, n) for n in ("points", "features", "vectors"))
        jet, pt = jet_of(offsets), length(vectors[:, 0], vectors[:, 1])
        charged = (features[:, columns.charge].abs() > SMALL).to(points.dtype)
        return cls(points[:, :2], features, vectors, pt, charged, jet, offsets).turned()

    def turned(self) -> Self:
        """Return it with points from the tau axis instead of that of the jet."""
        return replace(self, points=self.points - self.axis()[self.jet])

    @property
    def jets(self) -> int:
        """Return how many candidates there are."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """Return (n,) how many particles each has."""
        return lengths_of(self.offsets)

    def total(self, values: Tensor) -> Tensor:
        """Return (n, ...): the sum of values (rows, ...) over the particles of each candidate."""
        return values.new_zeros(self.jets, *values.shape[1:]).index_add(0, self.jet, values)

    def largest(self, values: Tensor) -> Tensor:
        """Return (n, ...): the largest of values (rows, ...) of each candidate, 0 where it has no particle."""
        return largest(values, self.jet, self.jets)

    def numbers(self) -> Tensor:
        """Return (n, NUMBERS) of the whole candidate: what classical tau identification looks at.

        log pT (GeV); shares of pT: the hardest track, signal tracks, other signal, around them charged and neutral;
        mass (GeV, as a logarithm) and pT-weighted width (rad) of the signal; log of 1 + tracks, and of 1 + all.
        """
        radius = length(self.points[:, 0], self.points[:, 1])
        inside = (radius < SIGNAL).to(self.pt.dtype)
        track = self.pt * self.charged
        pt = self.total(self.pt).clamp(min=SMALL)
        square = self._mass_squared(self.pt * inside)
        shares = [
            self.largest(track),
            self.total(track * inside),
            self.total((self.pt - track) * inside),
            self.total(track * (1 - inside)),
            self.total((self.pt - track) * (1 - inside)),
        ]
        width = self.total(self.pt * inside * radius) / self.total(self.pt * inside).clamp(min=SMALL)
        lengths = self.lengths.to(pt.dtype)
        return torch.stack(
            [
                pt.log(), *(share / pt for share in shares), 0.5 * square.clamp(min=1e-4).log(), width / SIGNAL,
                self.total(self.charged).log1p(), lengths.log1p(),
            ],
            dim=1,
        )  # fmt: skip

    def axis(self) -> Tensor:
        """Return (n, 2): the pT-weighted mean of what lies within SIGNAL of the hardest track, in the coordinates of
        `points`. Without a track: of the hardest particle."""
        # A track counts before anything neutral, however soft.
        order = self.pt + self.charged * self.largest(self.pt)[self.jet]
        hardest = (order >= self.largest(order)[self.jet]).to(self.pt.dtype)
        # Two that are equally hard: their mean.
        count = self.total(hardest).clamp(min=1)
        seed = self.total(self.points * hardest[:, None]) / count[:, None]
        away = self.points - seed[self.jet]
        near = self.pt * (length(away[:, 0], away[:, 1]) < SIGNAL)
        return seed + self.total(away * near[:, None]) / self.total(near).clamp(min=SMALL)[:, None]

    def _mass_squared(self, pt: Tensor) -> Tensor:
        """Return (n,) the squared mass in GeV^2 of massless particles with these momenta: from angles to the axis, as
        E^2 - p^2 in single precision would be rounding for what is narrow and hard."""
        eta, phi = self.points[:, 0], self.points[:, 1]
        more, less = 2 * pt * torch.sinh(eta / 2) ** 2, 2 * pt * torch.sin(phi / 2) ** 2
        parts = torch.stack([pt, more, less, pt * torch.sinh(eta), pt * torch.sin(phi)], dim=1)
        total, more, less, along, across = self.total(parts).unbind(1)
        return (more + less) * (2 * total + more - less) - along**2 - across**2


def length(x: Tensor, y: Tensor) -> Tensor:
    """Return the length of vectors in a plane, by operations that ONNX has."""
    return (x.square() + y.square()).sqrt()


def largest(values: Tensor, jet: Tensor, jets: int) -> Tensor:
    """Return (jets, ...) the largest of values (rows, ...), 0 where there is none."""
    index = jet if values.ndim == 1 else jet[:, None].expand_as(values)
    return values.new_zeros(jets, *values.shape[1:]).scatter_reduce(0, index, values, "amax", include_self=False)


def tau_axis(points: Tensor, pt: Tensor, charged: Tensor, jet: Tensor, jets: int) -> Tensor:
    """Return (jets, 2): see `Candidate.axis`; `points` are eta and phi from the axis of the jet, rad."""
    offsets = torch.cat([jet.new_zeros(1), torch.bincount(jet, minlength=jets).cumsum(0)])
    return Candidate(points[:, :2], points, points, pt, charged, jet, offsets).axis()


def pair_numbers(candidate: Candidate, i: Tensor, j: Tensor) -> Tensor:
    """Return (..., 5) of the particles in rows i and j: logs of their distance (rad), of kT = min(pT) distance (GeV),
    of z = min(pT) / sum(pT) and of their mass (GeV), and the product of charge flags. All are the same for (j, i)."""
    away = candidate.points[i] - candidate.points[j]
    distance = length(away[..., 0], away[..., 1]).clamp(min=1e-4)
    softer = torch.minimum(candidate.pt[i], candidate.pt[j]).clamp(min=SMALL)
    share = softer / (candidate.pt[i] + candidate.pt[j]).clamp(min=SMALL)
    # From angles: E^2 - p^2 of single precision would be rounding at 100 GeV.
    square = 2 * candidate.pt[i] * candidate.pt[j] * (torch.cosh(away[..., 0]) - torch.cos(away[..., 1]))
    mass = 0.5 * square.clamp(min=1e-6).log()
    charges = candidate.charged[i] * candidate.charged[j]
    return torch.stack([distance.log(), (softer * distance).log(), share.log(), mass, charges], dim=-1)
