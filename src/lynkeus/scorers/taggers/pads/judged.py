"""Verdicts: of each pad its class and whether it is good, what its gain is, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from lynkeus.core import Array, Batch, Floats
from lynkeus.scorers.taggers.pads.context import context_odds
from lynkeus.scorers.taggers.pads.evidence import Evidence
from lynkeus.scorers.taggers.pads.gain_table import GainTable, gain_table
from lynkeus.scorers.taggers.pads.learn import GOOD, SHIFTED
from lynkeus.scorers.taggers.pads.reasons import NOT_ENOUGH, reasons
from lynkeus.transforms.pads.gains import correlated_gains
from lynkeus.transforms.pads.neighbours import median_of
from lynkeus.transforms.pads.plant import CLASSES
from lynkeus.transforms.pads.template import Template

NEAR = 1e-6
FEW_CLASSES = (CLASSES.index("dead"), CLASSES.index("low statistics"))
DOUBTFUL = 0.04


@dataclass(frozen=True)
class Verdicts:
    """Of pads: `probability` (n, classes), `chosen` (n,) class by number, `few` (n,): too few counts to tell; `gains`;
    `why` in words; `counts`."""

    probability: Floats
    chosen: Array
    few: Array
    gains: GainTable
    why: list[str]
    counts: Floats

    @property
    def good(self) -> Array:
        """Return (n,) whether a pad is good."""
        return (self.chosen == GOOD) & ~self.few

    def columns(self, names: tuple[str, ...], batch: Batch) -> dict[str, Array]:
        """Return the columns of the table of pads, with the class by its name."""
        verdict = np.where(self.few, NOT_ENOUGH, np.where(self.good, "GOOD", "PROBLEMATIC"))
        found: dict[str, Array] = {
            "class": np.array(names)[self.chosen], "verdict": verdict, "good": self.good, "gain": self.gains.gain,
            "gain_error": self.gains.error, "gain_source": self.gains.source, "gain_by_correlation": self.gains.second,
            "counts": self.counts, "reason": np.array(self.why),
        }  # fmt: skip
        if "label" in batch.meta and batch.meta["label"].dtype.kind == "U":
            found["label_doubtful"] = self._doubtful(names, batch.meta["label"])
        return found

    def _doubtful(self, names: tuple[str, ...], labels: Array) -> Array:
        """Return (n,) whether a label of one of the classes is hardly probable."""
        number = {name: k for k, name in enumerate(names)}
        own = np.array([number.get(str(label), -1) for label in labels])
        said = self.probability[np.arange(len(own)), np.maximum(own, 0)]
        bad = (own > GOOD) & (self.probability[:, GOOD] < 0.5)
        return (own >= 0) & (said < np.where(bad, DOUBTFUL / 20, DOUBTFUL))


def verdicts(
    own: Evidence, probability: Floats, residual: Floats, batch: Batch, template: Template, unit: float, fewest: int
) -> Verdicts:
    """Return verdicts on pads by their probabilities (n, classes), after the pads around them and on their cards have
    been heard."""
    counts = batch.values[:, 1:-1].sum(axis=1)
    bad = 1 - probability[:, GOOD]
    bad_now = expit(logit(np.clip(bad, NEAR, 1 - NEAR)) + context_odds(bad, own.near, own.card))
    probability = probability * (bad_now / np.maximum(bad, NEAR))[:, None]
    probability[:, GOOD] = 1 - bad_now
    probability /= probability.sum(axis=1, keepdims=True)
    few = counts < fewest
    chosen = np.where(bad_now < 0.5, GOOD, probability[:, 1:].argmax(axis=1) + 1)
    # Too few counts to say anything of the shape: dead, or low statistics.
    of_few = np.array(FEW_CLASSES)[probability[:, FEW_CLASSES].argmax(axis=1)]
    chosen = np.where(few, of_few, chosen)
    few &= chosen != FEW_CLASSES[0]
    good = (chosen == GOOD) & ~few
    fitted = good | ((chosen == SHIFTED) & ~few)
    usual = batch.values[good, 1:-1].sum(axis=0) if good.any() else counts
    second = correlated_gains(batch.values[:, 1:-1], template, usual) if good.any() else np.full(len(counts), np.nan)
    gains = gain_table(own, fitted & np.isfinite(own.gains.sigma), good, unit, second)
    around = np.expm1(median_of(own.log_counts, own.near, good)) if good.any() else counts
    why = reasons(own.shape, chosen, counts, residual, few, around)
    return Verdicts(probability, chosen, few, gains, why, counts)
