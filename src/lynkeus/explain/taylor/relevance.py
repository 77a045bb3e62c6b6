"""Relevance: Taylor coefficients over all events of a process: mean, mean of absolute values, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats

COPIES = 200  # of the events, drawn with replacement, of which an interval is made
COVERAGE = 0.68
ALL = "all"  # what all processes together are called


def products(inputs: int, order: int) -> list[tuple[int, ...]]:
    """Return which inputs each coefficient of one order stands before: (0, 0), (0, 1), ... for pairs."""
    return list(combinations_with_replacement(range(inputs), order))


@dataclass
class Relevance:
    """Sums over events of the coefficients of `outputs` on `inputs`, up to `order`, of each of the `processes`.

    `add` takes events in any number of parts; bounded memory. Intervals are from a bootstrap in which every
    event counts a Poisson number of times (Hanley & MacGibbon 2006), so that it can be taken in parts as well.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    processes: Sequence[str]
    order: int
    seed: int = 0
    _sums: dict[str, Floats] = field(default_factory=dict, init=False)
    _weights: dict[str, Floats] = field(default_factory=dict, init=False)
    events: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._draw = np.random.default_rng(self.seed)

    def add(self, coefficients: Floats, process: npt.NDArray[Any] | None, weight: Floats | None = None) -> None:
        """Add the coefficients (n, outputs, all) of some events; `process` (n,) numbers of processes, -1 where it is
        not known; `weight` (n,): how much each counts."""
        n = len(coefficients)
        heavy = np.ones(n) if weight is None else np.asarray(weight, float)
        copies = np.concatenate([np.ones((1, n)), self._draw.poisson(1.0, (COPIES, n))]) * heavy
        flat = np.asarray(coefficients, float).reshape(n, -1)
        both = np.concatenate([np.abs(flat), flat], axis=1)
        for name, chosen in self._chosen(n, process):
            total = copies[:, chosen] @ both[chosen]
            self._sums[name] = self._sums.get(name, 0.0) + total
            self._weights[name] = self._weights.get(name, 0.0) + copies[:, chosen].sum(axis=1)
            self.events[name] = self.events.get(name, 0) + int(np.count_nonzero(chosen))

    def _chosen(self, n: int, process: npt.NDArray[Any] | None) -> list[tuple[str, npt.NDArray[np.bool_]]]:
        found = [(ALL, np.ones(n, bool))]
        if process is not None:
            found += [(name, process == k) for k, name in enumerate(self.processes) if (process == k).any()]
        return found

    def rows(self, sigma: Floats) -> list[dict[str, object]]:
        """Return a row for each output, process and product of inputs.

        `mean_abs` and `mean` are in units of the inputs; `relevance`: the mean of absolute values for inputs in sigmas
        (`sigma` (d,)), which can be compared; `interval`: of `mean_abs`, 68 %; `signed_interval`: of `mean`.
        """
        which = [own for order in range(1, self.order + 1) for own in products(len(self.inputs), order)]
        scale = np.array([np.prod(sigma[list(own)]) for own in which])
        found: list[dict[str, object]] = []
        for process in (name for name in (ALL, *self.processes) if name in self._sums):
            mean = self._sums[process] / np.maximum(self._weights[process], 1e-300)[:, None]
            shaped = mean.reshape(COPIES + 1, 2, len(self.outputs), len(which))
            low, high = np.quantile(shaped[1:], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
            for k, output in enumerate(self.outputs):
                for c, own in enumerate(which):
                    names = [self.inputs[i] for i in own] + [""] * (3 - len(own))
                    found.append({
                        "output": output, "process": process, "order": len(own), "input": names[0],
                        "second_input": names[1], **({"third_input": names[2]} if self.order > 2 else {}),
                        "mean_abs": shaped[0, 0, k, c], "mean": shaped[0, 1, k, c],
                        "interval": [low[0, k, c], high[0, k, c]], "signed_interval": [low[1, k, c], high[1, k, c]],
                        "relevance": shaped[0, 0, k, c] * scale[c], "events": self.events[process],
                    })  # fmt: skip
        return found
