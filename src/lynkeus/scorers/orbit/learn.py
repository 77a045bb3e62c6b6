"""What `orbit` learns from a reference: the scale of quiet deviations, and every channel's own tails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, Source
from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.folds import Folds, in_memory, order_of, others_of, starts_of
from lynkeus.scorers.orbit.judge import MEMORY
from lynkeus.scorers.orbit.sight import Sight
from lynkeus.scorers.orbit.tails import Kept, fit_tails
from lynkeus.transforms.conditional import ConditionalModel, fit_conditional
from lynkeus.transforms.thinned import Thinned

GATE_WIDTHS, NOTICE_WIDTHS = 6.0, 2.0  # robust sigmas of the energy of all channels
MOST_VALUES = 10_000_000  # of a reference of which each part is looked at by what all is learned of the others
# Of n rows of c channels the energy of all is less than in rows that were not learned from, by c^1.5 / (1.4 n) of
# its sigmas. From 350 c^1.5 rows on, of which one in ten says something new, that is .02.
MOST_ROWS = 350.0


def learn(source: Source, pace: Pace) -> tuple[Sight, OrbitBaseline, Folds | None]:
    """Return what windows are looked at with, the state after the last of them, and how they would be looked at unseen,
    where there are enough."""
    model = fit_conditional(source, few_modes=True)
    sight, state, kept, order = _learn(source, model, pace)
    channels = len(model.centre)
    few = in_memory(source, min(MOST_VALUES, int(MOST_ROWS * channels**2.5)))
    if few is None:
        return sight, state, Folds.of(sight, kept, order)
    sights, starts = [], starts_of(order)
    for others in others_of(few, starts):
        own = replace(fit_conditional(others, like=model), centre=model.centre)
        sights.append(_like(sight, others, own))
    return sight, state, Folds(sight, tuple(sights), starts)


def _like(sight: Sight, source: Source, model: ConditionalModel) -> Sight:
    """Return a sight with another model and the tails of windows by it, that notices and waits as a given one does."""
    own = Sight.of(model, sight.pace)
    gate = replace(sight.gate, correlation=own.geometry.correlation, to_jitter=own.geometry.to_jitter)
    own = replace(own, gate=gate)
    kept, _, _ = _walk_through(source, own, _first_baseline(source, own))
    return own.but(gate, fit_tails(kept, gate))


def _learn(
    source: Source, model: ConditionalModel, pace: Pace
) -> tuple[Sight, OrbitBaseline, Kept, npt.NDArray[np.int64]]:  # fmt: skip
    """Return what windows are looked at with, the state after the last of them, and what was kept of them, with their
    order."""
    sight = Sight.of(model, pace)
    for _ in range(2):  # the first walk finds the scale of quiet deviations, the second walks by it
        start = _first_baseline(source, sight)
        kept, _, _ = _walk_through(source, sight, start)
        quiet = kept.energy <= np.quantile(kept.energy, 0.9)
        spread = np.diff(np.quantile(kept.deviation[quiet], [0.16, 0.84], axis=0), axis=0)[0] / 2
        gate = Gate(np.maximum(spread, 1e-3).astype(np.float32), 6.0, np.inf, sight.geometry.correlation)
        energy = gate.energies(kept.deviation)
        middle = float(np.median(energy))
        width = 1.4826 * float(np.median(np.abs(energy - middle)))
        sight = sight.but(replace(gate, energy=middle + GATE_WIDTHS * width, notice=middle + NOTICE_WIDTHS * width))
    for _ in range(2):  # from the first tails the walk knows when the orbit is elsewhere
        kept, order, state = _walk_through(source, sight, start)
        sight = sight.but(sight.gate, fit_tails(kept, sight.gate))
    state.known = state.known[:0]
    return sight, state, kept, order


def window_seconds(source: Source) -> float:
    """Return how long a window (or row) is, in seconds; 0 where nothing says it."""
    for batch in source:
        if batch.time_ns is not None and len(batch) > 1:
            return float(np.median(np.diff(batch.time_ns[:100]))) / 1e9
        break
    return 1.0 / source.schema.sample_rate_hz if source.schema.sample_rate_hz else 0.0


def _first_baseline(source: Source, sight: Sight) -> OrbitBaseline:
    """Return a baseline at the median of the first twenty windows of the source."""
    channels = len(sight.model.centre)
    level = np.zeros(channels, np.float32)
    for batch in source:
        level = np.median(sight.statistics(batch[:20]).mean, axis=0)
        break
    centres = np.repeat(level[None], len(CENTRE_WINDOWS), axis=0)
    recent = np.zeros((len(MEMORY), channels), np.float32)
    return OrbitBaseline(level, centres, np.zeros(channels, np.float32), level[None][:0], recent)


def _walk_through(
    source: Source, sight: Sight, start: OrbitBaseline
) -> tuple[Kept, npt.NDArray[np.int64], OrbitBaseline]:  # fmt: skip
    """Return the statistics of the reference along the moving baseline, their order, and the state after it."""
    state, kept, passed = start.afresh(), Thinned(), 0
    for batch in source:
        statistics = sight.statistics(batch)
        walked = sight.walk(state, batch, statistics)
        given = np.flatnonzero(~statistics.mostly_missing())
        sway = np.square(walked.away[given] @ sight.geometry.to_jitter).sum(axis=1)
        deviation, spread = walked.deviation[given], statistics.spread[given]
        if statistics.missing is not None:  # what is filled in scatters less than good data do
            filled = statistics.missing[given] > 0.5 * statistics.length
            deviation, spread = (np.where(filled, np.float32(np.nan), each) for each in (deviation, spread))
        order = order_of(batch, passed)[given]
        kept.add(deviation, walked.energy[given], sway, spread, statistics.repeats[given], order)
        passed += len(batch)
    deviation, energy, sway, spread, repeats, order = kept.columns
    found = Kept(_as_others(deviation), energy, sway, _as_others(spread), repeats, statistics.length)
    return found, order, state


def _as_others(kept: Floats) -> Floats:
    """Return statistics (n, c) of windows with NaN replaced by those of other windows of the same channel, in turn; 1
    where it has none."""
    missing = np.isnan(kept)
    if not missing.any():
        return kept
    kept = kept.copy()
    for channel in np.flatnonzero(missing.any(axis=0)):
        gone = missing[:, channel]
        known = kept[~gone, channel]
        kept[gone, channel] = np.resize(known, gone.sum()) if len(known) else 1.0
    return kept
