"""TauGraph: a small graph network of the particles of a tau candidate, with pair features and a decay-mode head.

Each particle hears from its nearest neighbours, through what they are and what they are together: distance, kT, share
of momentum, mass - two photons of a neutral pion, two pions of a rho give themselves away there. A few thousand
parameters do what images of cells need more than a hundred thousand for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.edge_conv import with_zeros
from lynkeus.networks.taggers.neighbours import nearest
from lynkeus.networks.taggers.ragged import Groups, joined, portions, role, take
from lynkeus.networks.taggers.taus.candidate import JETCLASS, NUMBERS, Candidate, Columns, length, pair_numbers

PAIR = 5  # numbers of a pair
ROWS = 2048  # particles that go through at a time where nothing is trained
OWN = 3  # numbers of a particle besides its features: distance from the tau axis, log of its share of pT, charged


@dataclass(frozen=True)
class TauGraphSizes:
    """`k` neighbours of a particle, channels of a particle (`width`), `rounds` of messages, `dense` after the sum."""

    k: int = 8
    width: int = 20
    rounds: int = 2
    dense: int = 32


class Neighbours(NamedTuple):
    """Of each particle the `rows` (rows, k) of those that it hears, which of them are `there` (1 or 0), how many."""

    rows: Tensor
    there: Tensor
    count: Tensor

    @classmethod
    def of(cls, candidate: Candidate, k: int) -> Neighbours:
        """Return the k nearest of the same candidate, or all others where they are fewer."""
        rows = nearest(candidate.points, candidate.offsets, k)
        there = (rows < len(rows)).to(candidate.pt.dtype)
        return cls(rows, there, there.sum(dim=1).clamp(min=1))

    def pairs(self, norm: nn.BatchNorm1d, candidate: Candidate) -> Tensor:
        """Return (rows, k, PAIR) standardised numbers of all pairs; of one that is not there, any."""
        own = torch.arange(self.rows.shape[0], device=self.rows.device)[:, None]
        other = torch.where(self.there > 0, self.rows, own)
        found = pair_numbers(candidate, own, other)
        if norm.training:
            real = self.there > 0
            return found.new_zeros(found.shape).index_put((real,), normed(norm, found[real]))
        return normed(norm, found.flatten(0, 1)).view(found.shape)


class Messages(nn.Module):
    """One round: particles (rows, width) and their pairs to particles (rows, width), by the mean and the strongest of
    the messages of their neighbours. The first map of an edge is linear in both ends, so it is taken once a particle.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.pair = nn.Linear(PAIR, width, bias=False)
        self.edge, self.out = nn.Linear(width, width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, pairs: Tensor, to: Neighbours) -> Tensor:
        """Return x and what came in; `pairs` (rows, k, PAIR)."""
        rows, k = to.rows.shape
        other = with_zeros(self.other(x)).index_select(0, to.rows.reshape(-1)).view(rows, k, x.shape[1])
        message = torch.relu(self.edge(torch.relu(self.own(x)[:, None] + other + self.pair(pairs))))
        message = message * to.there[:, :, None]
        # Messages are at least 0, so that a particle without neighbours hears 0.
        mean, most = message.sum(dim=1) / to.count[:, None], message.amax(dim=1)
        return x + torch.relu(self.out(torch.cat([mean, most], dim=1)))


class TauGraph(nn.Module):
    """Tau candidates to logits (n, classes), and of those that are taus (n, modes).

    forward(groups) reads groups that end in "points" (deta, dphi from the axis of the jet, rad), "features" (those of
    JetClass, see `Columns`) and "vectors" (px, py, pz, E in GeV).
    """

    def __init__(
        self, features: int, classes: int, modes: int = 0, sizes: TauGraphSizes = TauGraphSizes(),
        columns: Columns = JETCLASS,
    ) -> None:  # fmt: skip
        super().__init__()
        self.sizes, self.columns = sizes, columns
        width = sizes.width
        self.input_norm, self.pair_norm = nn.BatchNorm1d(features + OWN), nn.BatchNorm1d(PAIR)
        self.enter = nn.Linear(features + OWN, width)
        self.rounds = nn.ModuleList(Messages(width) for _ in range(sizes.rounds))
        self.attention = nn.Linear(width, 1)
        self.number_norm = nn.BatchNorm1d(NUMBERS)
        self.dense = nn.Linear(2 * width + NUMBERS, sizes.dense)
        self.classes = nn.Linear(sizes.dense, classes)
        self.modes = nn.Linear(sizes.dense, modes) if modes else None

    def forward(self, groups: Groups, modes: bool = False) -> Any:
        """Return logits (n, classes); with `modes` what `both` does."""
        return self.both(groups) if modes else self.classes(self.embed(groups))

    def both(self, groups: Groups) -> tuple[Tensor, Tensor | None]:
        """Return logits of classes (n, classes) and of decay modes (n, modes), None without a decay-mode head."""
        x = self.embed(groups)
        return self.classes(x), None if self.modes is None else self.modes(x)

    def embed(self, groups: Groups) -> Tensor:
        """Return (n, dense): what both heads read."""
        return by_portions(lambda part: self._embed(Candidate.of(part, self.columns)), groups)

    def _embed(self, of: Candidate) -> Tensor:
        return self.heard(of, Neighbours.of(of, self.sizes.k))

    def heard(self, of: Candidate, to: Neighbours) -> Tensor:
        """Return (n, dense) of candidates and the neighbours of their particles."""
        x = torch.relu(self.enter(normed(self.input_norm, torch.cat([of.features, own_numbers(of)], dim=1))))
        pairs = to.pairs(self.pair_norm, of)
        for one in self.rounds:
            x = one(x, pairs, to)
        weight = (self.attention(x)[:, 0]).clamp(-10, 10).exp()
        total = of.total(weight).clamp(min=1e-9)
        mean = of.total(x * weight[:, None]) / total[:, None]
        numbers = normed(self.number_norm, of.numbers())
        return torch.relu(self.dense(torch.cat([mean, of.largest(x), numbers], dim=1)))


def own_numbers(of: Candidate) -> Tensor:
    """Return (rows, OWN) of a particle: distance from the tau axis, log of its share of pT, and whether it is
    charged."""
    share = of.pt / of.total(of.pt).clamp(min=1e-6)[of.jet]
    return torch.stack([length(of.points[:, 0], of.points[:, 1]), share.clamp(min=1e-6).log(), of.charged], dim=1)


def normed(norm: nn.BatchNorm1d, values: Tensor) -> Tensor:
    """Standardise by running statistics where there is at most one row to learn them from."""
    if norm.training and len(values) < 2:
        return nn.functional.batch_norm(values, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    found: Tensor = norm(values)
    return found


def by_portions(function: Callable[[Groups], Tensor], groups: Groups) -> Tensor:
    """Return a function of candidates; where nothing is trained some at a time, which stay in the cache."""
    if torch.is_grad_enabled():
        return function(groups)
    three = {name: role(groups, name) for name in ("points", "features", "vectors")}
    parts = portions(three["points"][1], ROWS)
    found = [function({name: take(group, jets) for name, group in three.items()}) for jets in parts]
    return joined(found, parts)
