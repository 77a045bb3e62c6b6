"""Decay modes: how often each is named rightly, by scorer and by counting, and which are mistaken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lynkeus.core import Array, Batch, Findings, Tagged
from lynkeus.metrics.rates import wilson_interval
from lynkeus.studies.tau_id.baselines import MODES, counted_modes

COUNTING = "counting"
COLUMN = "truth_decay_mode"
CHUNK = 512


def decay_modes(test: Batch, tagged: Sequence[Tagged], folder: Path) -> Findings:
    """Return accuracy and confusion of decay modes, of taus whose mode is one of MODES."""
    codes = np.array(list(MODES))
    known = np.flatnonzero(np.isin(test.meta[COLUMN], codes))
    taus = test[known]
    true = np.searchsorted(codes, taus.meta[COLUMN])
    named: dict[str, list[Array]] = {COUNTING: [counted_modes(taus)]}
    for one in tagged:
        scorers = [model.scorer for model in one.models if hasattr(model.scorer, "decay_modes")]
        if scorers:
            named[one.name] = [_modes(scorer, taus) for scorer in scorers]
    metrics = {"decay_mode.chance": float(np.bincount(true).max() / len(true))}
    overall, tables = [("by", "rightly named", "90 % interval", "of the worst named mode")], {}
    for name, modes in named.items():
        right = float(np.mean([(own == true).mean() for own in modes]))
        low, high = wilson_interval(round(right * len(true)), len(true))
        confusion = _confusion(true, modes)
        shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        least = float(np.diag(shares).min())
        metrics |= {
            f"decay_mode.{name}.right": right, f"decay_mode.{name}.low": low, f"decay_mode.{name}.high": high,
            f"decay_mode.{name}.least": least,
        }  # fmt: skip
        overall.append((name, f"{right:.3f}", f"{low:.3f} to {high:.3f}", f"{least:.3f}"))
        rows = [(mode, *(f"{share:.3f}" for share in row)) for mode, row in zip(MODES.values(), shares, strict=True)]
        tables[f"Decay modes by {name}: share of each true mode (row) that is called so (column)"] = [
            ("true", *MODES.values()), *rows,
        ]  # fmt: skip
    said = f"Decay modes of {len(true)} taus, of which the most frequent is {metrics['decay_mode.chance']:.3f}"
    return Findings({}, metrics, {said: overall, **tables})


def _modes(scorer: object, taus: Batch) -> Array:
    own = scorer.decay_modes  # type: ignore[attr-defined]
    return np.concatenate([own(taus[k : k + CHUNK]).argmax(axis=1) for k in range(0, len(taus), CHUNK)])


def _confusion(true: Array, modes: Sequence[Array]) -> Array:
    counts = np.zeros((len(MODES), len(MODES)))
    for own in modes:
        np.add.at(counts, (true, own), 1)
    return counts
