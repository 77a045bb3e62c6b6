"""Planting into rows in time: which faults go where in which pass; many kinds and sizes share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lynkeus.commission.jitter import Jitter
from lynkeus.commission.plant.planter import Kind
from lynkeus.commission.settings import CommissionSettings
from lynkeus.core import SourceError
from lynkeus.transforms.faults import FAULTS, Fault, plan_faults

# In jitters of the channel (gain: share of the deviation); a kind without a size has the single entry 1.
_SIZES: Mapping[str, tuple[float, ...]] = {
    "noisy": (0.5, 1.0, 2.0, 3.0, 5.0),
    "offset": (0.5, 1.0, 2.0, 3.0, 5.0),
    "drift": (1.0, 2.0, 5.0),
    "gain": (0.5, 1.0, 2.0),
    "kick": (1.0, 2.0, 5.0, 10.0, 20.0),
    "step": (1.0, 2.0, 5.0, 10.0, 20.0),
}
_UNITS = {"gain": "share of the deviation"}
KINDS: Mapping[str, Kind] = {
    name: Kind(
        fault.says, _SIZES.get(name, (1.0,)), _UNITS.get(name, "jitters") if name in _SIZES else "",
        concerns=fault.concerns,
    )
    for name, fault in FAULTS.items()
}  # fmt: skip
PER_CASE, BRIEF = 60, 15


def plan_passes(settings: CommissionSettings, known: Jitter, channels: Sequence[int]) -> list[tuple[Fault, ...]]:
    """Return the faults of each pass in time order: one in each stretch of rows, all cases mixed, equally often
    in total.

    Long data need few passes and are planted thinly; short data are passed often. Raises SourceError where the data
    hold no stretch.
    """
    slots, cases = known.rows // settings.every, settings.cases(KINDS, "rows in time", signed=True)
    if not slots:
        raise SourceError(
            f"{known.rows} rows are fewer than the {settings.every} rows of which each carries a fault: give more data"
        )
    wanted = settings.count(PER_CASE, BRIEF) * len(cases)
    passes = -(-wanted // slots)
    used = -(-wanted // passes)
    rng = np.random.default_rng(settings.seed)
    rounds = [rng.permutation(len(cases)) for _ in range(-(-passes * used // len(cases)))]
    order = np.concatenate(rounds)[:wanted].tolist()
    every = known.rows // used
    planned = []
    for number in range(passes):
        chosen = [cases[index] for index in order[number * used : (number + 1) * used]]
        faults = [_plan(case, slot, every, settings.length, channels, rng) for slot, case in enumerate(chosen)]
        planned.append(tuple(_with_pattern(fault, known, rng) for fault in faults))
    return [faults for faults in planned if faults]


def _plan(
    case: tuple[str, float], slot: int, every: int, length: int, channels: Sequence[int], rng: np.random.Generator
) -> Fault:
    kind, size = case
    (fault,) = plan_faults(kind, size, every, length, every, channels, int(rng.integers(2**32)))
    return replace(fault, start=fault.start + slot * every)


def _with_pattern(fault: Fault, known: Jitter, rng: np.random.Generator) -> Fault:
    """A kick follows one of the strongest directions of the data, a step any mixture of them."""
    if fault.kind == "kick":
        return replace(fault, pattern=tuple(known.directions[rng.integers(len(known.directions))].tolist()))
    if fault.kind == "step":
        return replace(fault, pattern=tuple(known.mixture(rng).tolist()))
    return fault
