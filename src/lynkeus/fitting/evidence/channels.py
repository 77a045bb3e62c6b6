"""Evidence of an alarm, written once when it opens: the sample, its nearest good reference, who speaks for it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Alarm, Calibration, Floats, Schema
from lynkeus.core.stated import Stated
from lynkeus.fitting.evidence.frames import pictures_of
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.reference import mean_sample
from lynkeus.sources.formats.tables import listed

TOP = 8
FITTING_SHARE = 0.9  # share of the channels, the best fitting ones, by which the nearest good reference is chosen
ENOUGH = 1000  # good samples that say what is usual
_QUANTILES = (0.01, 0.16, 0.5, 0.84, 0.99)
_HIGHER = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 40.0)  # peaks above the score at the opening


class ChannelPlace(NamedTuple):
    """Where a channel is: position along the beam line in m (None: not known), beam line, plane."""

    position_m: float | None
    line: str
    plane: str


def place_of(name: str, pattern: str) -> ChannelPlace:
    """Read the place from the groups `position`, `line` and `plane` of a regular expression that a site gives; where it
    does not match, only the plane is known, from what follows a slash."""
    found = re.search(pattern, name) if pattern else None
    if found is None:
        return ChannelPlace(None, "", name.rpartition("/")[2] if "/" in name else "")
    groups = {group: text or "" for group, text in found.groupdict().items()}
    return ChannelPlace(_metres(groups.get("position", "")), groups.get("line", ""), groups.get("plane", ""))


def _metres(text: str) -> float | None:
    """Return a position, None for a text that is no number: a pattern of a site may match more than it means."""
    try:
        return float(text)
    except ValueError:
        return None


def evidence(fitted: Fitted, scored: Scored, row: int, alarm: Alarm, place: str = "") -> dict[str, Any]:
    """Return what the alarm page shows of the window that opened an alarm: plain JSON types and NumPy arrays; `place`:
    how places are read from the names of channels."""
    k = fitted.scorer.outputs.index(alarm.output)
    explained = fitted.explain(scored.batch, alarm.output)
    speaks = per_channel(explained)[row]
    image = scored.batch.schema.kind == "image"
    frame = pictures_of(scored.batch.values[row], explained[row]) if image else {}
    calibration = fitted.calibrations[alarm.output]
    found = scored.found[k][row]
    says = found[0].says if found else ""
    shown = _shown(fitted, scored, row, speaks, place)
    own = found[0].where if found else ""
    where = own or ("no single pixel" if image else shown["top"][0]["channel"])
    return (
        shown
        | frame
        | {
            "evidence_label": _label(fitted.scorer, alarm.output),
            "text": f"{says or f'{where} speaks most for it'}.",
            "extrapolated": calibration.extrapolates(alarm.alarms_per_hour),
            "intervals": _intervals(calibration, alarm.peak_score),
        }
    )


def evidence_of_silence(
    fitted: Fitted, scored: Scored, gone: Sequence[str], stuck: Sequence[str], place: str = ""
) -> dict[str, Any]:
    """Return the same of an alarm for channels that are `gone`, without any value, or `stuck` at one."""
    names = np.array(scored.batch.schema.names, dtype=str)
    told = [
        f"{listed(own)} {'has' if len(own) == 1 else 'have'} {what}"
        for own, what in ((gone, "no values"), (stuck, "the same value again and again"))
        if own
    ]
    silent = np.isin(names, [*gone, *stuck]).astype(float)
    return _shown(fitted, scored, len(scored.batch) - 1, silent, place) | {
        "evidence_label": "gives nothing new",
        "never": True,
        "text": f"{', and '.join(told)}; for so long good data never do that.",
        "extrapolated": False,
        "intervals": {"rate": [], "low": [], "high": []},
    }


def _shown(fitted: Fitted, scored: Scored, row: int, speaks: Floats, place: str) -> dict[str, Any]:
    """Return a sample beside its nearest good reference, and what speaks for an alarm, channel by channel."""
    batch = scored.batch[np.array([row])]
    names, sample = batch.schema.names, mean_sample(batch)[0]
    places = [place_of(name, place) for name in names]
    order = np.argsort(-np.abs(speaks))[:TOP]
    references = fitted.reference["reference"]
    return {
        "unit": batch.schema.units[0] if len(set(batch.schema.units)) == 1 else "",
        "units": _units(batch.schema),
        "channels": list(names),
        "position_m": [one.position_m for one in places],
        "line": [one.line for one in places],
        "plane": [one.plane for one in places],
        "sample": sample,
        "reference": nearest_reference(references, sample),
        **usual(references, sample),
        "evidence": speaks,
        "top": [{"channel": names[i], "evidence": float(speaks[i])} for i in order],
    }


def usual(references: Floats, sample: Floats) -> dict[str, Floats]:
    """Say of each channel what is usual in good samples (n, channel): `low` and `high` hold 98 % of them, `deviation`
    is how far the sample (channel,) is from their middle, in their sigmas; NaN where good data never change, or are
    none."""
    if not len(references):
        return {name: np.full(len(sample), np.nan) for name in ("low", "high", "deviation")}
    some = references[:: -(-len(references) // ENOUGH)].astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel without any value has no quantiles
        low, below, middle, above, high = np.nanquantile(some, _QUANTILES, axis=0)
    sigma = (above - below) / 2
    deviation = (sample - middle) / np.where(sigma > 0, sigma, np.nan)
    return {"low": low, "high": high, "deviation": deviation}


def _units(schema: Schema) -> list[str]:
    """The unit of each channel."""
    return list(schema.units) if len(schema.units) != 1 else [schema.units[0]] * len(schema.names)


def _intervals(calibration: Calibration | Stated, score: float) -> dict[str, list[float]]:
    """Rates that the alarm may reach, from this score upwards, each with the interval in which it is known."""
    scores = score + abs(score) * np.array(_HIGHER)
    bounds = [calibration.alarms_per_hour_interval(float(one)) for one in scores]
    rates = calibration.alarms_per_hour(scores).tolist()
    return {"rate": rates, "low": [low for low, _ in bounds], "high": [high for _, high in bounds]}


def nearest_reference(references: Floats, sample: Floats) -> Floats:
    """The good sample (channel,) that is most alike where the sample is not odd: the odd channels do not choose it."""
    if not len(references):
        return np.full_like(sample, np.nan)
    scale = np.maximum(references.std(axis=0), 1e-12)
    distance = np.nan_to_num(((references - sample) / scale) ** 2, nan=0.0)
    kept = max(1, int(FITTING_SHARE * len(sample)))
    return references[np.partition(distance, kept - 1, axis=1)[:, :kept].sum(axis=1).argmin()]


def _label(scorer: object, output: str) -> str:
    labels: dict[str, str] = getattr(scorer, "evidence_labels", {})
    return labels.get(output, "evidence")


def line_positions(names: Sequence[str], place: str) -> tuple[float, ...]:
    """Return the position of every channel in m; empty where any is not known."""
    positions = [place_of(name, place).position_m for name in names]
    return () if None in positions else tuple(float(position or 0.0) for position in positions)
