"""Leaks: inputs that tell a class without error, as the truth does where it was left among the columns."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats


class Leaks:
    """The range of every column in every class, of events that are added in parts."""

    def __init__(self, classes: int, columns: int) -> None:
        self.low, self.high = np.full((classes, columns), np.inf), np.full((classes, columns), -np.inf)

    def add(self, values: Floats, truth: Array) -> None:
        """Take events (n, columns) with the numbers of their classes (n,)."""
        for k in np.unique(truth).tolist():
            own = values[truth == k]
            self.low[k] = np.fmin(self.low[k], np.fmin.reduce(own, axis=0))
            self.high[k] = np.fmax(self.high[k], np.fmax.reduce(own, axis=0))

    def says(self, names: tuple[str, ...], classes: tuple[str, ...], beside: tuple[str, ...] = ()) -> list[str]:
        """Return a line for each column, but those `beside`, that has a class on one side and all others on the
        other."""
        found = []
        for j, name in enumerate(names):
            for k, one in enumerate(classes):
                others = [i for i in range(len(classes)) if i != k]
                below = self.high[k, j] < self.low[others, j].min()
                above = self.low[k, j] > self.high[others, j].max()
                if name not in beside and (below or above):
                    found.append(
                        f"{name} alone tells {one} from all others, without an error: is it the truth? if it is, leave "
                        "the column out, or nothing else is learned"
                    )
                    break
        return found
