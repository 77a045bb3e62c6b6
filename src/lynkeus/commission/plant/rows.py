"""Planting into rows in time: which faults go where in which pass; many kinds and sizes share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

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
_SINGLE: Mapping[str, Kind] = {
    name: Kind(
        fault.says, _SIZES.get(name, (1.0,)), _UNITS.get(name, "jitters") if name in _SIZES else "",
        concerns=fault.concerns,
    )
    for name, fault in FAULTS.items()
}  # fmt: skip
SECOND, AFTER_STEP = "second ", " after a step"
STANDS = 5.0  # jitters by which another channel is off already
STEP = 5.0  # jitters of the most moved channel, by which the orbit moved
_BESIDE_SIZES = (1.0, 3.0)
_BESIDE: Mapping[str, Kind] = {
    **{
        f"{SECOND}{name}": Kind(
            f"{FAULTS[name].says}, while another channel is off by {STANDS:g} jitters: found where it is named",
            _BESIDE_SIZES, "jitters", concerns="channel",
        )
        for name in ("noisy", "offset")
    },
    **{
        f"{name}{AFTER_STEP}": Kind(
            f"{FAULTS[name].says}, after the orbit moved by {STEP:g} jitters and stayed", _BESIDE_SIZES, "jitters",
            concerns="channel",
        )
        for name in ("noisy", "offset")
    },
}  # fmt: skip
KINDS: Mapping[str, Kind] = {**_SINGLE, **_BESIDE}
PER_CASE, BRIEF = 60, 15
LEAD = 150  # rows at most by which a companion is there before a fault


@dataclass(frozen=True)
class Accompanied(Fault):
    """A fault that does not come alone: it is reported as `case`, and `companion` is there before it and longer."""

    case: str = ""
    companion: Fault | None = None

    @property
    def is_second(self) -> bool:
        """Whether another channel is wrong, too, so that it matters which one is named."""
        return self.case.startswith(SECOND)


def plan_passes(settings: CommissionSettings, known: Jitter, channels: Sequence[int]) -> list[tuple[Fault, ...]]:
    """Return the faults of each pass in time order: one in each stretch of rows, all cases mixed, equally often
    in total; those that do not come alone in passes of their own, as their companions would be there for others.

    Long data need few passes and are planted thinly; short data are passed often. Raises SourceError where the data
    hold no stretch.
    """
    if not known.rows // settings.every:
        raise SourceError(
            f"{known.rows} rows are fewer than the {settings.every} rows of which each carries a fault: give more data"
        )
    cases = settings.cases(KINDS, "rows in time", signed=True)
    alone = [case for case in cases if case[0] in _SINGLE]
    beside = [case for case in cases if case[0] in _BESIDE and len(channels) > 1]
    planned = []
    for own, rng in (
        (alone, np.random.default_rng(settings.seed)),
        (beside, np.random.default_rng([settings.seed, 1])),
    ):
        planned += _passes(own, settings, known, channels, rng) if own else []
    return planned


def _passes(
    cases: Sequence[tuple[str, float]], settings: CommissionSettings, known: Jitter, channels: Sequence[int],
    rng: np.random.Generator,
) -> list[tuple[Fault, ...]]:  # fmt: skip
    slots, wanted = known.rows // settings.every, settings.count(PER_CASE, BRIEF) * len(cases)
    passes = -(-wanted // slots)
    used = -(-wanted // passes)
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
    plain = kind.removeprefix(SECOND).removesuffix(AFTER_STEP)
    (fault,) = plan_faults(plain, size, every, length, every, channels, int(rng.integers(2**32)))
    if kind == plain:
        return replace(fault, start=fault.start + slot * every)
    # The companion comes up to LEAD rows earlier, or a quarter of the stretch, and stays for longer.
    room = every - length
    lead = min(every // 4, room, LEAD)
    start = slot * every + lead + fault.start * (room - lead) // max(room, 1)
    fault, end = replace(fault, start=start), start + length + min((slot * every + room - start) // 2, LEAD)
    begin = start - lead
    if kind.startswith(SECOND):
        others = [channel for channel in channels if channel != fault.channel]
        companion = Fault("offset", begin, end - begin, int(rng.choice(others)), STANDS)
    else:
        companion = Fault("step", begin, end - begin, size=STEP)
    own = {entry.name: getattr(fault, entry.name) for entry in fields(Fault)}
    return Accompanied(**own, case=kind, companion=companion)


def _with_pattern(fault: Fault, known: Jitter, rng: np.random.Generator) -> Fault:
    """A kick follows one of the strongest directions of the data, a step any mixture of them."""
    if isinstance(fault, Accompanied) and fault.companion is not None:
        return replace(fault, companion=_with_pattern(fault.companion, known, rng))
    if fault.kind == "kick":
        return replace(fault, pattern=tuple(known.directions[rng.integers(len(known.directions))].tolist()))
    if fault.kind == "step":
        return replace(fault, pattern=tuple(known.mixture(rng).tolist()))
    return fault
