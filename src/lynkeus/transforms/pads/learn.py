"""Learn the template of good pads from all pads, of which many may be problematic and none is known."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SourceError
from lynkeus.transforms.pads.gains import fit_gains
from lynkeus.transforms.pads.template import STEP, TINY, Template, first_gains, learn_shape, range_of

MOST_PADS = 6000  # that a template is learned from
ROUNDS = 3
FEWEST_PADS = 30


def expected_of(template: Template, log_gain: Floats, shapes: Floats) -> Floats:
    """Return (n, bins) the shape at each gain, by interpolation between the gains of `shapes`."""
    at = np.clip((np.nan_to_num(log_gain) - template.gains[0]) / STEP, 0, len(shapes) - 1.001)
    low = at.astype(int)
    part = (at - low)[:, None]
    found: Floats = (1 - part) * shapes[low] + part * shapes[low + 1]
    return found


def misfit(counts: Floats, expected: Floats) -> Floats:
    """Return (n,) the deviance of counts (n, bins) from what is expected of them, per count that is expected of it by
    chance: 1 where it fits."""
    seen = np.maximum(counts, 0)
    deviance = 2 * (seen * np.log(np.maximum(seen, TINY) / np.maximum(expected, TINY)) - seen + expected)
    chance = np.where(expected > 1, 1.0, expected * (1 - np.log(np.maximum(expected, 1e-6))) * 1.2)
    return deviance.sum(axis=1) / np.maximum(chance.sum(axis=1), 1.0)


def learn_template(counts: Floats, edges: Floats, trusted: Array | None = None) -> tuple[Template, Array]:
    """Return the template and (n,) which pads it was learned from. `trusted` (n,): pads that may be (None: all).

    In rounds: a shape of the pads that fit best, gains by it, and the pads that fit best by those. Raises SourceError
    where fewer than FEWEST_PADS have enough counts.
    """
    total = counts.sum(axis=1)
    allowed = total > 0 if trusted is None else trusted & (total > 0)
    if allowed.sum() < FEWEST_PADS:
        raise SourceError(f"only {int(allowed.sum())} pads have counts; a template needs at least {FEWEST_PADS}")
    enough = allowed & (total > 0.3 * np.median(total[allowed])) & (total < 3 * np.median(total[allowed]))
    chosen = np.flatnonzero(enough)
    chosen = chosen[np.random.default_rng(0).permutation(len(chosen))[:MOST_PADS]]
    own = np.asarray(counts[chosen], np.float64)
    peak, log_gain = first_gains(own, edges)
    centre, spread = np.median(log_gain), 1.4826 * np.median(np.abs(log_gain - np.median(log_gain)))
    good = np.abs(log_gain - centre) < max(4 * spread, 0.1)
    template = Template(peak, np.ones(1), np.ones(1), edges, 0)
    for turn in range(ROUNDS):
        template = learn_shape(own[good], edges, peak, log_gain[good], 60 if turn < ROUNDS - 1 else 150)
        shapes = template.shapes()
        # Gains by the range where the threshold takes nothing, until it is known.
        safe = int(np.searchsorted(edges, 0.4 * peak))
        template = template._replace(lowest=min(safe, len(edges) - 3))
        gains = fit_gains(own, template, shapes)
        log_gain = gains.log_gain
        expected = expected_of(template, log_gain, shapes)
        above = slice(template.lowest, None)
        size = gains.entries / np.maximum(expected[:, above].sum(axis=1), TINY)
        worse = misfit(own[:, above], size[:, None] * expected[:, above])
        limit = np.median(worse) + 3 * 1.4826 * np.median(np.abs(worse - np.median(worse)))
        centre = np.median(log_gain[good])
        spread = 1.4826 * np.median(np.abs(log_gain[good] - centre))
        good = (worse < limit) & (np.abs(log_gain - centre) < 4 * spread)
    expected *= size[:, None]
    template = template._replace(lowest=range_of(template, own[good], expected[good]))
    used = np.zeros(len(counts), bool)
    used[chosen[good]] = True
    return template, used
