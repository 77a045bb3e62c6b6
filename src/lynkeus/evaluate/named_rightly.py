"""How many samples of known class a scorer of classes names rightly, with intervals: a table and metrics of a study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lynkeus.core import Array, Floats, Outcome
from lynkeus.metrics.rates import wilson_interval


def rightly(outcome: Outcome) -> Array:
    """Return (n,) whether the more probable of two classes is the right one; the first score is that of not being the
    first class."""
    assert outcome.test.truth is not None
    found: Array = (outcome.scores[:, 0] > 0.5) == (outcome.test.truth == 1)
    return found


def named_rightly(outcomes: Sequence[Outcome], groups: Array | None = None) -> tuple[dict[str, float], list[list[str]]]:
    """Return metrics (`NAME.accuracy`, and by group `NAME.GROUP.accuracy`) and lines of a table, the head first;
    intervals are of 90 %."""
    names = [] if groups is None else list(dict.fromkeys(groups.tolist()))
    metrics, lines = dict[str, float](), [["method", "named rightly, all", *map(str, names)]]
    for outcome in outcomes:
        right = rightly(outcome)
        cells = [_cell(right)]
        metrics[f"{outcome.name}.accuracy"] = float(right.mean())
        for name in names:
            own = right[groups == name]
            metrics[f"{outcome.name}.{name}.accuracy"] = float(own.mean())
            cells.append(_cell(own))
        lines.append([outcome.name, *cells])
    return metrics, lines


def _cell(right: Floats) -> str:
    low, high = wilson_interval(int(np.count_nonzero(right)), len(right))
    return f"{right.mean():.3f} ({low:.3f} to {high:.3f})"
