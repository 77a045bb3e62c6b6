"""What speaks for one output of a scorer, asked the same way of all scorers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Evidence, Floats, Scorer, Tracking


def explanation(scorer: Scorer, batch: Batch, output: str) -> Evidence:
    """Return the evidence for an output, in the shape of the values of the batch.

    A scorer of one output whose `explain` takes a batch alone, as plug-ins were once told to write it, is asked so.
    """
    explain: Any = scorer.explain
    if len(inspect.signature(explain).parameters) < 2:
        found: Evidence = explain(batch)
        return found
    found = explain(batch, output)
    return found


def explanation_of_rows(scorer: Scorer, batch: Batch, rows: Array, output: str) -> Evidence:
    """Return the evidence of some samples of a batch; a scorer that follows its instrument must see all before them."""
    if isinstance(scorer, Tracking):
        return explanation(scorer, batch, output)[rows]
    return explanation(scorer, batch[rows], output)


def per_channel(evidence: Evidence) -> Floats:
    """Return evidence (n, channel): of windows and images the largest over their shots or pixels, with its sign."""
    if evidence.ndim == 2:
        return evidence
    flat = evidence.reshape(*evidence.shape[:2], -1)
    return np.take_along_axis(flat, np.abs(flat).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
