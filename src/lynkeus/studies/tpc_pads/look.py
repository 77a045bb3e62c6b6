"""Wrong decisions, right classes and gains of the pads of a study, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Array, Findings, Floats, Outcome, Source, concatenate
from lynkeus.metrics.rates import wilson_interval
from lynkeus.simulate.tpc.faults import CLASSES
from lynkeus.studies.tpc_pads.baselines import dense_network
from lynkeus.studies.tpc_pads.labels import Rows, label_curve

CUT = 0.98  # of good pads that a baseline without probabilities keeps


@dataclass(frozen=True)
class PadLook:
    """What is asked of each case: share of wrong decisions good or problematic, with its interval, and gains. `train`:
    the pads that a dense network learns from, where they are labelled; `curve`: pads of which more and more are
    labelled, and others to judge."""

    train: Source | None
    curve: tuple[Source, Source] | None = None

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        """Return the tables and metrics of one case."""
        rows: list[tuple[str, ...]] = [("method", "wrong decisions", "90 % interval", "missed", "false", "class right")]
        metrics: dict[str, float] = {}
        test = outcomes[0].test
        for one in outcomes:
            if one.scorer is not None:
                further = one.scorer.further(test)  # type: ignore[attr-defined]
                right = float((further["class"] == np.array(CLASSES)[test.truth]).mean())
                rows.append(_row(one.name, ~further["good"], test.truth, metrics, right))
                metrics |= _gains(one, further, test.meta, test.truth)
            else:
                # The cut that keeps so many good pads of this very sample, which is kind to the baseline.
                limit = np.quantile(one.scores[test.truth == 0, 0], CUT)
                rows.append(_row(one.name, one.scores[:, 0] > limit, test.truth, metrics))
        if self.train is not None:
            batch = concatenate(list(self.train))
            truth = np.asarray(batch.truth)
            bad = dense_network(batch.values[truth >= 0], truth[truth >= 0] != 0, test.values)
            rows.append(_row("dense network", bad > 0.5, test.truth, metrics))
        gains: Rows = [
            ("gains", "value"),
            *((name, f"{metrics[name]:.4f}") for name in metrics if name.startswith("gain.")),
        ]
        tables: dict[str, Rows] = {f"Decisions, {case}": rows, f"Gains, {case}": gains}
        if self.curve is not None:
            table, more = label_curve(*self.curve)
            tables["Wrong decisions by the number of labels"] = table
            metrics |= more
        return Findings(metrics=metrics, tables=tables)


def _row(name: str, bad: Array, truth: Any, metrics: dict[str, float], right: float = float("nan")) -> tuple[str, ...]:
    wrong = bad != (truth != 0)
    low, high = wilson_interval(int(wrong.sum()), len(wrong))
    metrics[f"{name}.wrong"] = float(wrong.mean())
    metrics[f"{name}.class_right"] = right
    share = "" if np.isnan(right) else f"{right:.2%}"
    return (name, f"{wrong.mean():.2%}", f"{low:.2%} to {high:.2%}", f"{(wrong & ~bad).mean():.2%}",
            f"{(wrong & bad).mean():.2%}", share)  # fmt: skip


def _gains(one: Outcome, further: Any, meta: Any, truth: Any) -> dict[str, float]:
    """Return bias and spread of the gains of good pads with 500 to 4,000 decays, the latter over the Cramer-Rao
    bound."""
    rows = further["good"] & (truth == 0) & (meta["truth_decays"] >= 500)
    ratio: Floats = further["gain"][rows] / meta["truth_gain"][rows]
    ratio = ratio / np.median(ratio)
    bound = float(np.sqrt(np.mean((further["gain_error"][rows] / further["gain"][rows]) ** 2)))
    return {
        "gain.bias": float(abs(ratio.mean() - 1)),
        "gain.spread": float(ratio.std()),
        "gain.over_bound": float(ratio.std() / bound),
    }
