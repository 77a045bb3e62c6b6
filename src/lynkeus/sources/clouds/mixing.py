"""Mixing: samples of many files, or of one that is ordered by class, drawn from everywhere at once and always alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Batch, concatenate

OPEN = 16  # stretches that are read at the same time: files that are open, and pieces in memory
BLOCK = 32  # samples that are drawn from one of them at a time


@dataclass(eq=False)
class _Pile:
    """A stretch that is being read: what is left of its last piece; `due`: when it is its turn next, which comes the
    more often the more samples it has."""

    pieces: Iterator[Batch]
    size: int
    due: float
    held: Batch | None = None
    at: int = 0

    def draw(self) -> Batch | None:
        """Return the next few samples, None where there are no more."""
        while self.held is None or self.at >= len(self.held):
            self.held, self.at = next(self.pieces, None), 0
            if self.held is None:
                return None
        drawn = self.held[self.at : self.at + BLOCK]
        self.at, self.due = self.at + BLOCK, self.due + 1.0 / self.size
        return drawn


def mixed(stretches: Sequence[tuple[int, Callable[[], Iterator[Batch]]]], rows: int, seed: int) -> Iterator[Batch]:
    """Yield batches of about `rows` samples that are drawn from stretches, given with how many samples each has: from
    each in proportion, beginning at a random place of the turn, and shuffled. Each sample comes once; the same
    stretches and the same seed give the same order."""
    rng = np.random.default_rng(seed)
    queue = [stretches[k] for k in rng.permutation(len(stretches))]
    piles: list[_Pile] = []
    drawn: list[Batch] = []
    now = 0.0
    while queue or piles:
        while queue and len(piles) < OPEN:
            size, read = queue.pop()
            piles.append(_Pile(read(), max(size, 1), now + float(rng.random()) / max(size, 1)))
        pile = min(piles, key=lambda own: own.due)
        now, block = pile.due, pile.draw()
        if block is None:
            piles.remove(pile)
            continue
        drawn.append(block)
        if sum(map(len, drawn)) >= rows:
            yield _shuffled(drawn, rng)
            drawn = []
    if drawn:
        yield _shuffled(drawn, rng)


def _shuffled(drawn: Sequence[Batch], rng: np.random.Generator) -> Batch:
    whole = concatenate(drawn)
    return whole[rng.permutation(len(whole))]
