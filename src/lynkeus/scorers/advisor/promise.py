"""When an action may be taken without asking: as rarely wrong as promised, on tasks that were not learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from lynkeus.core import Array, Floats

STEPS = 60
STARTS = (0.05, 0.2, 0.4, 0.6, 0.8)  # shares of the most confident samples from which thresholds are tried
NEVER = 2.0  # a confidence that no advice has


class Promise(NamedTuple):
    """Advice of at least `confidence` may be applied: it was wrong in `errors` of `applied` cases, at most in `bound`
    of them with the confidence of the interval. Where the data support no such promise it is NEVER."""

    confidence: float
    applied: int
    errors: int
    bound: float

    def says(self, most: float, sure: float) -> str:
        """Return it in a sentence."""
        if self.confidence >= NEVER:
            return (
                f"nothing is applied without asking: the data do not support that at most {100 * most:g} % of it would "
                f"be wrong ({100 * sure:g} % confidence); give more tasks, or allow more errors (--set max_error=...)"
            )
        return (
            f"advice of at least {self.confidence:.3f} may be applied: wrong in {self.errors} of {self.applied} cases, "
            f"at most {100 * self.bound:.2g} % with {100 * sure:g} % confidence"
        )


def upper_bound(errors: int, cases: int, sure: float) -> float:
    """Return the share of errors that is not exceeded, with confidence `sure` (Clopper & Pearson 1934)."""
    return 1.0 if errors >= cases else float(beta.ppf(sure, errors + 1, cases - errors))


def promise(confidence: Floats, right: Array, most: float, sure: float, least: float = 0.0) -> Promise:
    """Return the lowest confidence from which advice is wrong in at most a share `most`, with confidence `sure`.

    `confidence` (n,) and whether the advice was `right` (n,) of samples that were not learned from; none below `least`,
    which the costs ask for. Thresholds are tried downwards and the first that fails ends it, so that trying many costs
    nothing of the confidence; to try that from several STARTS does, and is paid for (fixed sequence testing with
    Bonferroni's correction; Angelopoulos et al. 2021, arXiv:2110.01052).
    """
    order = np.argsort(-confidence, kind="stable")
    level, wrong = confidence[order], np.cumsum(~np.asarray(right, bool)[order])
    found = Promise(NEVER, 0, 0, 1.0)
    for share in STARTS:
        own = _from(level, wrong, max(int(share * len(level)), 1), most, 1.0 - (1.0 - sure) / len(STARTS), least)
        found = own if own.confidence < found.confidence else found
    return found


def _from(level: Floats, wrong: Array, first: int, most: float, sure: float, least: float) -> Promise:
    """Return the lowest confidence that passes, beginning with the `first` most confident samples."""
    found = Promise(NEVER, 0, 0, 1.0)
    for cases in np.unique(np.linspace(first, len(level), STEPS).astype(int)):
        # Samples of one confidence are applied together.
        cases = int(np.searchsorted(-level, -level[cases - 1], side="right"))
        bound = upper_bound(int(wrong[cases - 1]), cases, sure)
        if bound > most or level[cases - 1] < least:
            break
        found = Promise(float(level[cases - 1]), cases, int(wrong[cases - 1]), bound)
    return found
