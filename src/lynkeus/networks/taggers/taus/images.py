"""DeepTau: images of cells around the tau axis, the way of the tau identification of CMS (arXiv:2201.08458).

Two grids: inner cells of 0.02, outer cells of 0.05. In each cell and of each type (electrons and photons, muons,
hadrons) the hardest particle counts; maps of single cells (1x1) bring its features down, maps of 3x3 cells without
padding bring the grid down to one, and dense layers join both with numbers of the whole candidate. Differences from
the published network: cells that are empty take no part in the first map, the outer grid ends where an AK4 jet does,
it is narrower, and inputs are those of JetClass and not of the CMS detector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.ragged import Groups
from lynkeus.networks.taggers.taus.candidate import JETCLASS, NUMBERS, Candidate, Columns, largest
from lynkeus.networks.taggers.taus.graph import OWN, by_portions, normed, own_numbers


@dataclass(frozen=True)
class Grid:
    """`cells` in a row (odd: one is in the middle), of so many rad."""

    cells: int
    size: float


@dataclass(frozen=True)
class DeepTauSizes:
    """Grids; channels of the particle of each type (`particle`) and of a cell (`cell`); width of dense layers."""

    grids: tuple[Grid, ...] = (Grid(11, 0.02), Grid(17, 0.05))
    particle: int = 24
    cell: int = 32
    dense: int = 100
    dropout: float = 0.1


class Image(nn.Module):
    """Particles of a candidate to numbers (n, cell), through one grid."""

    def __init__(self, features: int, grid: Grid, sizes: DeepTauSizes, columns: Columns) -> None:
        super().__init__()
        self.grid, self.types, self.channels = grid, columns.types, sizes.cell
        self.first = nn.ModuleList(
            nn.Sequential(nn.Linear(features, sizes.particle), nn.ReLU(), nn.Linear(sizes.particle, sizes.cell))
            for _ in columns.types
        )
        self.joint = nn.BatchNorm2d(sizes.cell)
        self.cell = nn.Conv2d(sizes.cell, sizes.cell, 1)
        self.convolutions = nn.ModuleList(nn.Conv2d(sizes.cell, sizes.cell, 3) for _ in range(grid.cells // 2))

    def forward(self, of: Candidate, x: Tensor) -> Tensor:
        """Return (n, cell) of standardised features x (rows, features)."""
        side = self.grid.cells
        inside, cell = self.cells(of)
        cell = of.jet * side * side + cell
        image = x.new_zeros(of.jets * side * side, self.channels)
        for flags, layer in zip(self.types, self.first, strict=True):
            own = (inside & (of.features[:, list(flags)] > 0.5).any(dim=1)).nonzero()[:, 0]
            own = hardest(own, cell[own], of.pt[own], len(image))
            image = image.index_add(0, cell[own], layer(x[own]))
        return self.convolved(image.view(of.jets, side, side, self.channels))

    def cells(self, of: Candidate) -> tuple[Tensor, Tensor]:
        """Return which particles lie in the grid (rows,), and the number of the cell of each (rows,)."""
        side = self.grid.cells
        place = torch.floor(of.points / self.grid.size + side / 2).long()
        return ((place >= 0) & (place < side)).all(dim=1), place[:, 0] * side + place[:, 1]

    def convolved(self, image: Tensor) -> Tensor:
        """Return (n, cell) of images (n, side, side, cell)."""
        image = image.permute(0, 3, 1, 2)
        image = torch.relu(self.cell(torch.relu(self.joint(image))))
        for convolution in self.convolutions:
            image = torch.relu(convolution(image))
        return image.flatten(1)


class DeepTau(nn.Module):
    """Tau candidates to logits (n, classes), and of those that are taus (n, modes); reads what `TauGraph` reads."""

    def __init__(
        self, features: int, classes: int, modes: int = 0, sizes: DeepTauSizes = DeepTauSizes(),
        columns: Columns = JETCLASS,
    ) -> None:  # fmt: skip
        super().__init__()
        self.columns = columns
        self.input_norm = nn.BatchNorm1d(features + OWN)
        self.images = nn.ModuleList(Image(features + OWN, grid, sizes, columns) for grid in sizes.grids)
        self.number_norm = nn.BatchNorm1d(NUMBERS)
        self.numbers = nn.Sequential(nn.Linear(NUMBERS, sizes.cell), nn.ReLU())
        wide, dense = (len(sizes.grids) + 1) * sizes.cell, sizes.dense
        self.dense = nn.Sequential(
            nn.Linear(wide, dense), nn.ReLU(), nn.Dropout(sizes.dropout),
            nn.Linear(dense, dense), nn.ReLU(), nn.Dropout(sizes.dropout), nn.Linear(dense, dense), nn.ReLU(),
        )  # fmt: skip
        self.classes = nn.Linear(dense, classes)
        self.modes = nn.Linear(dense, modes) if modes else None

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
        return self.seen(of, list(self.images))

    def seen(self, of: Candidate, images: Sequence[Callable[[Candidate, Tensor], Tensor]]) -> Tensor:
        """Return (n, dense) of candidates by their `images`."""
        x = normed(self.input_norm, torch.cat([of.features, own_numbers(of)], dim=1))
        parts = [image(of, x) for image in images]
        parts.append(self.numbers(normed(self.number_norm, of.numbers())))
        found: Tensor = self.dense(torch.cat(parts, dim=1))
        return found


def hardest(rows: Tensor, cell: Tensor, pt: Tensor, cells: int) -> Tensor:
    """Return those of the rows that are the hardest of their cell, one for each cell."""
    most = rows[pt >= largest(pt, cell, cells)[cell]]
    place = cell[pt >= largest(pt, cell, cells)[cell]]
    # Of two that are equally hard the first one.
    first = torch.ones_like(place, dtype=torch.bool)
    order = torch.argsort(place, stable=True)
    first[order[1:]] = place[order][1:] != place[order][:-1]
    return most[first]
