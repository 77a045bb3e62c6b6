"""A HistFactory workspace, as pyhf reads it: channels of bins, samples, and what is uncertain of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Floats, SettingsError

SIGNAL_STRENGTH = "mu"
VERSION = "1.0.0"
LEAST = 1e-9  # a bin that expects nothing has no likelihood: what a sample expects at least, in all


class Variation(NamedTuple):
    """What a sample has when a systematic is one sigma `up` and `down`, (bins,) each."""

    up: Floats
    down: Floats


@dataclass(frozen=True)
class Sample:
    """A process in one channel: `counts` (bins,), their `variance` of limited simulation, `systematics` by name,
    `factors`: names of free normalisations that it has."""

    name: str
    counts: Floats
    variance: Floats
    systematics: Mapping[str, Variation] = field(default_factory=dict)
    factors: Sequence[str] = ()


@dataclass(frozen=True)
class Channel:
    """A region with its bins: its samples, and how many events were `observed` in each bin."""

    name: str
    samples: Sequence[Sample]
    observed: Floats


def workspace(channels: Sequence[Channel], strength: str = SIGNAL_STRENGTH) -> dict[str, Any]:
    """Return the workspace, a plain dictionary: its measurement is of the factor `strength`.

    A systematic becomes one nuisance parameter in all channels and samples that have it: its normalisation a `normsys`,
    what is left of its shape a `histosys`. Raises SettingsError for a bin that is negative or without any expectation,
    or a systematic of another binning.
    """
    for channel in channels:
        _check(channel)
    return {
        "version": VERSION,
        "channels": [{"name": c.name, "samples": [_sample(s, c.name) for s in c.samples]} for c in channels],
        "observations": [{"name": c.name, "data": _list(c.observed)} for c in channels],
        "measurements": [{"name": "search", "config": {"poi": strength, "parameters": []}}],
    }


def _check(channel: Channel) -> None:
    total = np.sum([sample.counts for sample in channel.samples], axis=0)
    for sample in channel.samples:
        for k in np.flatnonzero(sample.counts < 0):
            raise SettingsError(
                f"region {channel.name}, bin {k + 1}: the weights of {sample.name} add up to {sample.counts[k]:.3g}; "
                "join it with a neighbour, or give more simulation"
            )
        for name, (up, down) in sample.systematics.items():
            if len(up) != len(sample.counts) or len(down) != len(sample.counts):
                raise SettingsError(
                    f"region {channel.name}: {name} of {sample.name} has {len(up)} and {len(down)} bins, the nominal "
                    f"{len(sample.counts)}; use one binning"
                )
    for k in np.flatnonzero(total <= LEAST):
        raise SettingsError(f"region {channel.name}, bin {k + 1} expects nothing: join it with a neighbour")


def _sample(sample: Sample, channel: str) -> dict[str, Any]:
    modifiers: list[dict[str, Any]] = [{"name": name, "type": "normfactor", "data": None} for name in sample.factors]
    for name, variation in sample.systematics.items():
        modifiers += _modifiers(name, sample.counts, variation)
    if (sample.variance > 0).any():
        data = _list(np.sqrt(np.maximum(sample.variance, 0.0)))
        modifiers.append({"name": f"staterror_{channel}", "type": "staterror", "data": data})
    return {"name": sample.name, "data": _list(sample.counts), "modifiers": modifiers}


def _modifiers(name: str, nominal: Floats, variation: Variation) -> list[dict[str, Any]]:
    """Return the change of the total as a factor, which cannot become negative, and what is left of the shape."""
    total = nominal.sum()
    if total <= 0:
        return []
    high, low = (max(float(part.sum() / total), 1e-3) for part in variation)
    found: list[dict[str, Any]] = [{"name": name, "type": "normsys", "data": {"hi": high, "lo": low}}]
    up, down = (np.maximum(part, 0.0) / factor for part, factor in zip(variation, (high, low), strict=True))
    if len(nominal) > 1 and not (np.allclose(up, nominal, rtol=1e-6) and np.allclose(down, nominal, rtol=1e-6)):
        data = {"hi_data": _list(up), "lo_data": _list(down)}
        found.append({"name": name, "type": "histosys", "data": data})
    return found


def _list(values: Floats) -> list[float]:
    return [float(value) for value in values]
