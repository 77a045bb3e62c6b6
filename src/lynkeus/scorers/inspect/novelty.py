"""How unlike all good images a place of an image is, in three ways, from pretrained features.

Against a memory bank of patches from anywhere (as PatchCore, arXiv:2106.08265), against a Gaussian of its own place
(as PaDiM, arXiv:2011.08785), and against the same place in the good images that are most like this one, or that were
taken at the same position. An image that was learned from is compared with the others only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Floats
from lynkeus.scorers.inspect.features import smoothed

SIZE = 64  # whitened components that are compared
REFERENCE_SIZE = 32  # of which the references keep the first, in 8 bits
NOISE = 0.02  # of the mean variance, added before whitening
BANK, CANDIDATES = 2000, 20_000  # patches kept, and those they are chosen from
GRID = 24  # places along each side that have a Gaussian of their own
LEAST_VARIANCE = 0.05  # of whitened components: fewer images than components leave a covariance singular
LEAST_LEFT = 1e-3  # of a precision without an image
DESCRIBED = 6  # parts along each side by whose mean an image is known
NEAREST = 4  # references that a place is compared with
UNIT = 20.0  # steps of a reference in one sigma
REFERENCE_BYTES = 64_000_000
FLOOR = 1e-3  # of a distance before its logarithm: a patch may lie in the bank itself


@dataclass(frozen=True)
class Novelty:
    """`centre` (f,), `basis` (f, SIZE) of whitening; `bank` (m, SIZE) with `bank_image` (m,) and
    `bank_cell` (m, 2) row and column; `place_mean`,
    `place_precision` (GRID, GRID, SIZE[, SIZE]) of `images` (1,); `references` (cells, REFERENCE_SIZE) int8 of images
    with `reference_shape` (r, 2), number `reference_image` (r,) and `described` (r, DESCRIBED^2 SIZE)."""

    centre: Floats
    basis: Floats
    bank: Floats
    bank_image: Array
    bank_cell: Array
    place_mean: Floats
    place_precision: Floats
    images: Array
    references: Array
    reference_shape: Array
    reference_image: Array
    described: Floats

    @classmethod
    def fit(cls, features: Sequence[Array], seed: int) -> Self:
        """Learn from features (rows, columns, f) of good images."""
        random = np.random.default_rng(seed)
        centre, basis = _whitening(features, random)
        whole = [_white(smoothed(torch.from_numpy(one).float()), centre, basis) for one in features]
        bank, owner, cell = _bank(whole, random)
        mean, precision = _places(whole)
        every = max(1, -(-sum(one[..., 0].numel() for one in whole) * REFERENCE_SIZE // REFERENCE_BYTES))
        kept = list(range(0, len(whole), every))
        steps = [(whole[index][..., :REFERENCE_SIZE] * UNIT).round().clamp(-127, 127) for index in kept]
        return cls(
            centre, basis, bank, owner, cell, mean, precision, np.array([len(whole)]),
            torch.cat([one.reshape(-1, REFERENCE_SIZE) for one in steps]).to(torch.int8).numpy(),
            np.array([one.shape[:2] for one in steps]), np.array(kept),
            np.stack([_description(whole[index]) for index in kept]),
        )  # fmt: skip

    def white(self, smooth: Tensor) -> Tensor:
        """Return smoothed features (rows, columns, f) whitened: (rows, columns, SIZE)."""
        return _white(smooth, self.centre, self.basis)

    def distances(
        self, white: Tensor, where: Where, nearest: Sequence[int], own: int = -1, learned: Tensor | None = None
    ) -> Tensor:
        """Return log distances (rows, columns, 3) to the memory bank, to the Gaussian of the place, and to the same
        place in the references `nearest`.

        `own`: number of the image among those learned from, which is left out; `learned`: what was learned from it, see
        `at_places` (None: it is the image itself).
        """
        if own >= 0 and learned is None:
            learned = self.at_places(white)
        parts = (
            self._from_memory_bank(white, own),
            self._from_place(white, where, learned),
            self._from_same(white, where, nearest),
        )
        return torch.log(torch.stack(parts, dim=2) + FLOOR)

    def nearest_references(self, white: Tensor, own: int = -1, allowed: Array | None = None) -> list[int]:
        """Return the indices of the references nearest to a whole image, of the `allowed` ones (r,) where there are
        any. For a new image one less than there are, as many as an image that was learned from has: both are then the
        nearest of equally many."""
        far = ((self.described - _description(white)) ** 2).sum(axis=1)
        usable = self.reference_image != own
        if allowed is not None and (usable & allowed).any():
            usable &= allowed
        order = np.argsort(np.where(usable, far, np.inf), kind="stable")
        count = min(NEAREST, int(usable.sum()) - (own not in self.reference_image))
        return [int(index) for index in order[: max(count, 1)] if usable[index]]

    def _from_memory_bank(self, white: Tensor, own: int) -> Tensor:
        """Return the distance (rows, columns) of each cell to the nearest patch of the memory bank, but those of image
        `own`."""
        bank = torch.from_numpy(self.bank)
        flat = white.reshape(-1, SIZE)
        found = torch.addmm((bank**2).sum(dim=1), flat, bank.T, alpha=-2.0)
        if own >= 0:
            found[:, torch.from_numpy(self.bank_image == own)] = torch.inf
        return (found.amin(dim=1) + (flat**2).sum(dim=1)).clamp(min=0).sqrt().reshape(white.shape[:2])

    @staticmethod
    def at_places(white: Tensor) -> Tensor:
        """Return the cells (GRID, GRID, SIZE) of a whole image that lie in the middle of the places."""
        rows, columns = (((torch.arange(GRID) + 0.5) / GRID * length).long() for length in white.shape[:2])
        return white[rows][:, columns]

    def _from_place(self, white: Tensor, where: Where, own: Tensor | None) -> Tensor:
        """Return the Mahalanobis distance (rows, columns) to the Gaussian of each place, from which `own` (GRID, GRID,
        SIZE) is taken out by a rank-one update (Sherman & Morrison 1950)."""
        mean, precision = torch.from_numpy(self.place_mean), torch.from_numpy(self.place_precision)
        rows, columns = where.places(GRID)
        others = int(self.images[0]) - 1
        if own is not None:
            mean = mean - (own - mean) / others
        off = white - mean[rows][:, columns]
        found = torch.empty(white.shape[:2])
        places, together = _by_place(columns)
        for row in rows.unique():
            here = torch.nonzero(rows == row)
            part = off[here[..., None], together].permute(1, 0, 2, 3).flatten(1, 2)
            far = (torch.bmm(part, precision[row][places]) * part).sum(dim=2)
            found[here[..., None], together] = far.view(len(places), len(here), -1).transpose(0, 1)
        if own is not None:
            apart = (own - mean) * others / (others + 1)  # from the mean with it
            along = torch.einsum("rcij,rcj->rci", precision, apart)
            left = (others - (along * apart).sum(dim=2)).clamp(min=LEAST_LEFT * others)
            found += (along[rows][:, columns] * off).sum(dim=2) ** 2 / left[rows][:, columns]
            found *= others / (others + 1)
        return found.clamp(min=0).sqrt()

    def _from_same(self, white: Tensor, where: Where, nearest: Sequence[int]) -> Tensor:
        """Return the distance (rows, columns) to the nearest of the same place and its eight neighbours in the
        references."""
        part = white[..., :REFERENCE_SIZE]
        best = torch.full(part.shape[:2], torch.inf)
        ends = np.cumsum(np.prod(self.reference_shape, axis=1))
        for index in nearest:
            shape = tuple(self.reference_shape[index])
            flat = self.references[ends[index] - shape[0] * shape[1] : ends[index]]
            one = torch.from_numpy(flat).float().div_(UNIT).reshape(*shape, REFERENCE_SIZE)
            rows, columns = (_around(at, length) for at, length in zip(where.nearest(shape), shape, strict=True))
            one = one.index_select(0, rows[0]).index_select(1, columns[0])
            for down in rows[1]:
                for across in columns[1]:
                    best = torch.minimum(best, (part - one[down][:, across]).square_().sum(dim=2))
        return torch.where(torch.isfinite(best), best, best.new_tensor(float(REFERENCE_SIZE))).sqrt()


def _by_place(at: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places (p,) that occur among those of columns, and the columns (p, m) in each, the last repeated where
    there are fewer than m: a matrix of a place is then read once for all of its columns."""
    places, counts = torch.unique_consecutive(at, return_counts=True)
    first = counts.cumsum(0) - counts
    each = torch.minimum(torch.arange(int(counts.max()))[None], counts[:, None] - 1)
    return places, first[:, None] + each


def _around(at: Tensor, length: int) -> tuple[Tensor, list[slice]]:
    """Return the indices of all that is taken along an axis of `length`, and where among them the indices `at` less
    one, `at`, and one more are; slices, which copy nothing, where these follow one another."""
    count = len(at)
    if bool((at == at[0] + torch.arange(count)).all()):
        whole = (at[0] - 1 + torch.arange(count + 2)).clamp(0, length - 1)
        return whole, [slice(start, start + count) for start in range(3)]
    whole = torch.cat([at - 1, at, at + 1]).clamp(0, length - 1)
    return whole, [slice(start * count, (start + 1) * count) for start in range(3)]


@dataclass(frozen=True)
class Where:
    """The cells of an image, or of a part of it: `size` (rows, columns) of the whole image in cells, `shape` of the
    part, and the cell at which it begins, `first`."""

    size: tuple[int, int]
    shape: tuple[int, int]
    first: tuple[int, int] = (0, 0)

    @classmethod
    def whole(cls, grid: Tensor) -> Self:
        """Return all cells of an image, given as a grid (rows, columns, ...)."""
        return cls((grid.shape[0], grid.shape[1]), (grid.shape[0], grid.shape[1]))

    def relative(self) -> tuple[Tensor, Tensor]:
        """Return the centres of the rows and of the columns, from 0 to 1 across the whole image."""
        parts = zip(self.first, self.shape, self.size, strict=True)
        rows, columns = ((torch.arange(start, start + count) + 0.5) / size for start, count, size in parts)
        return rows, columns

    def places(self, count: int) -> tuple[Tensor, Tensor]:
        """Return in which of `count` places along each side the rows and the columns lie, as indices."""
        rows, columns = ((axis * count).long().clamp(max=count - 1) for axis in self.relative())
        return rows, columns

    def nearest(self, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return the indices of the same rows and columns in a grid of another shape."""
        pairs = zip(self.relative(), shape, strict=True)
        rows, columns = ((axis * count).long().clamp(max=count - 1) for axis, count in pairs)
        return rows, columns

    def features(self) -> Tensor:
        """Return where in the image each cell is (rows, columns, 6): across it, and cells from each edge up to
        eight."""
        found = []
        for axis, (start, count, size) in enumerate(zip(self.first, self.shape, self.size, strict=True)):
            at = torch.arange(start, start + count).float()
            for part in ((at + 0.5) / size - 0.5, at.clamp(max=8) / 8, (size - 1 - at).clamp(max=8) / 8):
                found.append(part.view(*((-1, 1) if axis == 0 else (1, -1))).expand(self.shape))
        return torch.stack(found, dim=2)


def _whitening(features: Sequence[Array], random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return centre (f,) and basis (f, SIZE) of a PCA whitening of single cells; NOISE keeps weak components from
    counting in full."""
    each = max(2 * SIZE // len(features), 100_000 // len(features))
    rows = []
    for one in features:
        flat = smoothed(torch.from_numpy(one).float()).reshape(-1, one.shape[2]).numpy()
        rows.append(flat[random.permutation(len(flat))[:each]])
    cells = np.concatenate(rows)
    centre, sigma = cells.mean(axis=0), np.maximum(cells.std(axis=0), 1e-6)
    variance, direction = np.linalg.eigh(np.cov(((cells - centre) / sigma).T.astype(np.float64)))
    variance, direction = variance[::-1][:SIZE].clip(min=0), direction[:, ::-1][:, :SIZE]
    basis = direction / np.sqrt(variance + NOISE * variance.mean()) / sigma[:, None]
    return centre.astype(np.float32), np.ascontiguousarray(basis, np.float32)


def _white(smooth: Tensor, centre: Floats, basis: Floats) -> Tensor:
    matrix = torch.from_numpy(basis)
    flat = torch.addmm(-(torch.from_numpy(centre) @ matrix), smooth.reshape(-1, smooth.shape[2]), matrix)
    return flat.reshape(*smooth.shape[:2], -1)


def _bank(whole: Sequence[Tensor], random: np.random.Generator) -> tuple[Floats, Array, Array]:
    """Return a memory bank of at most BANK patches, and image and cell of each: a greedy k-centre coreset (farthest
    point first, as PatchCore), so that no good patch is far from all of them."""
    each = max(1, CANDIDATES // len(whole))
    flat = [one.reshape(-1, SIZE) for one in whole]
    chosen = [random.permutation(len(one))[:each] for one in flat]
    points = torch.cat([one[torch.from_numpy(index)] for one, index in zip(flat, chosen, strict=True)])
    owner = np.repeat(np.arange(len(whole)), [len(index) for index in chosen])
    cells = [np.stack(np.unravel_index(index, one.shape[:2]), 1) for index, one in zip(chosen, whole, strict=True)]
    kept = [int(random.integers(len(points)))]
    far = ((points - points[kept[0]]) ** 2).sum(dim=1)
    while len(kept) < min(BANK, len(points)):
        kept.append(int(far.argmax()))
        far = torch.minimum(far, ((points - points[kept[-1]]) ** 2).sum(dim=1))
    return points[kept].numpy(), owner[kept], np.concatenate(cells)[kept].astype(np.int32)


def _places(whole: Sequence[Tensor]) -> tuple[Floats, Floats]:
    """Return mean (GRID, GRID, SIZE) and inverse covariance (GRID, GRID, SIZE, SIZE) of each place over all images."""
    total, square = torch.zeros(GRID, GRID, SIZE), torch.zeros(GRID, GRID, SIZE, SIZE)
    for one in whole:
        here = Novelty.at_places(one)
        total += here
        square += here[..., :, None] * here[..., None, :]
    mean = total / len(whole)
    covariance = square / len(whole) - mean[..., :, None] * mean[..., None, :] + LEAST_VARIANCE * torch.eye(SIZE)
    return mean.numpy(), torch.linalg.inv(covariance).numpy()


def _description(white: Tensor) -> Floats:
    """Return the description (DESCRIBED^2 SIZE,) of an image: its whitened features, averaged over DESCRIBED x
    DESCRIBED parts."""
    parts = torch.nn.functional.adaptive_avg_pool2d(white.permute(2, 0, 1)[None], DESCRIBED)
    return np.asarray(parts.flatten().numpy())
