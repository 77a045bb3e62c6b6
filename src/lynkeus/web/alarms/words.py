"""An alarm in words: how rare, what to do next, which were like it, and where the model comes from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lynkeus.core.words import EXTRAPOLATION_LIMIT, is_lowest, short
from lynkeus.monitor.records import AlarmFile, StoredAlarm
from lynkeus.web.alarms.evidence import finite
from lynkeus.web.words import count, duration, utc

OUT = 4.0  # sigmas: a channel is out of what is usual
LOUD = 0.2  # of the largest evidence: a channel speaks for an alarm
ALONE = 0.6  # share of the evidence that makes one channel the one to look at
SHOWN = 10


def interval(file: AlarmFile) -> tuple[float, float] | None:
    """The interval (90 %) of the rate at the peak of an alarm, in alarms per hour; None where it is not known."""
    rate, given = file.stored.alarm.alarms_per_hour, file.evidence
    found = _interpolated(given.get("intervals"), rate)
    if found is None:
        pair = given.get("interval")
        if isinstance(pair, list) and len(pair) == 2 and all(finite(one) is not None for one in pair):
            found = (float(pair[0]), float(pair[1]))
    # an interval that does not hold the rate was that of another score
    return found if found is not None and found[0] <= rate <= found[1] else None


def _interpolated(table: Any, rate: float) -> tuple[float, float] | None:
    if not isinstance(table, Mapping) or not rate > 0:
        return None
    columns = [table.get(name) for name in ("rate", "low", "high")]
    if not all(isinstance(column, list) and len(column) == len(columns[0] or ()) for column in columns):
        return None
    rows = np.array([[finite(one) or 0.0 for one in column or ()] for column in columns]).T
    rows = np.log(rows[(rows > 0).all(axis=1)])
    if not len(rows):
        return None
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    low, high = (float(np.exp(np.interp(math.log(rate), rows[:, 0], rows[:, k]))) for k in (1, 2))
    return low, high


def hours_of(file: AlarmFile) -> float | None:
    """Return the hours of good data that the rate of an alarm is known from, None where that is not known."""
    return file.monitor.reference_hours(file.stored.alarm.output)


def beyond(file: AlarmFile) -> str:
    """Say where a rate is rarer than the reference can have seen, or nothing."""
    hours, rate = hours_of(file), file.stored.alarm.alarms_per_hour
    if hours:
        if not rate * hours < 1.0:
            return ""
        return f"The reference, {duration(3600 * hours)} of good data, is too short to have seen this: " + (
            f"nothing is called rarer than once in {EXTRAPOLATION_LIMIT:,.0f} times that; this may be rarer."
            if is_lowest(rate, hours)
            else "the rate is extrapolated from its rarest scores."
        )
    if file.evidence.get("extrapolated"):
        return "The reference is too short to have seen this: the rate is extrapolated."
    return ""


def never(file: AlarmFile) -> str:
    """Say in how much good data what an alarm is of never happened, of one that is no matter of a score; or nothing."""
    hours = hours_of(file)
    if not file.evidence.get("never"):
        return ""
    return f"{duration(3600 * hours)} of good data" if hours else "good data"


def check_silent(where: str) -> str:
    """What to look at first where channels give nothing new."""
    return f"What {where} measures is not known since then: check its power, cable and readout, and who reads it out."


def check_frame(where: str) -> str:
    """What to look at first where the alarm is of a frame."""
    at = f" at {where}" if where else ""
    return f"Look at the frame{at}: is it the beam, or the camera, its light and its window?"


def check(rows: Sequence[Mapping[str, Any]], where: str) -> str:
    """What to look at first, by which channels are out of what is usual for them."""
    known = [row for row in rows if row["deviation"] is not None]
    out = [row["channel"] for row in known if abs(row["deviation"]) > OUT]
    if not known:
        return f"Look at {where}." if where else "Look at the channels with the strongest evidence."
    speaks = {row["channel"]: abs(row.get("evidence") or 0.0) for row in rows}
    alone = speaks.get(where, 0.0) / (sum(speaks.values()) or 1.0)
    if out == [where] or (len(out) == 1 and not where):
        return (
            f"Only {out[0]} is out of what is usual for it: first check its sensor, cable and readout, then what it "
            "measures."
        )
    if alone > ALONE:
        others = len(set(out) - {where})
        first = f"{where} alone speaks for it ({100 * alone:.0f}\N{NO-BREAK SPACE}% of the evidence): first check its "
        if not others:
            return f"{first}sensor, cable and readout, then what it measures."
        return (
            f"{first}sensor, cable and readout. Other channels that are not where they were in the good data "
            f"({others} of {len(known)}) say how the machine runs now; this alarm is not of them."
        )
    loud = [name for name in speaks if 0 < max(speaks.values()) * LOUD <= speaks[name]]
    if len(loud) > max(len(out), 2):
        return f"{len(loud)} of {len(known)} channels speak for it ({_some(loud)}): look for what they have in common."
    if len(out) == 1:
        return f"{out[0]} is out of what is usual for it: look at its sensor, cable and readout, and at {where}."
    if out:
        return (
            f"{len(out)} of {len(known)} channels are out of what is usual for them ({_some(out)}): look for what they "
            "have in common."
        )
    first = where or (rows[0]["channel"] if rows else "")
    return (
        f"No channel is out of what is usual for it alone: look at the noise of {first}, and at how it goes with the "
        "others."
    )


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:4])}{', ...' if len(names) > 4 else ''}"


def past(stored: StoredAlarm, alike: Sequence[StoredAlarm], place: str) -> str:
    """How often the same has happened, and what people said of it."""
    before = [one for one in alike if one.alarm.start_ns < stored.alarm.start_ns]
    if not before:
        return f"This is the first alarm of {place} in this store."
    words = Counter(one.verdict or "not judged" for one in before)
    judged = ", ".join(f"{number} {word}" for word, number in words.most_common())
    return f"{place} had {len(before)} alarm{'s' if len(before) > 1 else ''} before this one: {judged}."


def lineage_words(lineage: Mapping[str, Any]) -> list[str]:
    """Where the model comes from, a sentence each: on what it was fitted, what was left out, when and by what."""
    sentences = []
    scorer, learned = lineage.get("scorer"), _learned_from(lineage)
    if scorer:
        sentences.append(f"Scored by {scorer}{f', which learned from {learned}' if learned else ''}.")
    left = _left_out(lineage)
    if left:
        sentences.append(left)
    aside = lineage.get("set_aside")
    if isinstance(aside, Mapping) and aside:
        named = "; ".join(f"{name} ({why})" for name, why in list(aside.items())[:SHOWN])
        more = f" and {len(aside) - SHOWN} more" if len(aside) > SHOWN else ""
        sentences.append(f"Channels that were set aside and are not watched: {named}{more}.")
    at, version = lineage.get("fitted_at"), lineage.get("version")
    if at or version:
        when = f" on {str(at).replace('T', ' ').replace('+00:00', ' UTC')}" if at else ""
        sentences.append(f"Fitted{when}{f' by Lynkeus {version}' if version else ''}.")
    return sentences


def _learned_from(lineage: Mapping[str, Any]) -> str:
    data = lineage.get("data")
    files = [str(one.get("path") or one.get("file") or "") for one in (data if isinstance(data, list) else [data])
             if isinstance(one, Mapping)]  # fmt: skip
    names = [name.rpartition("/")[2] for name in files if name]
    text = f"{', '.join(names[:3])}{f' and {len(names) - 3} more files' if len(names) > 3 else ''}"
    text = text or (data if isinstance(data, str) else "")
    hours, samples, channels = (finite(lineage.get(key)) for key in ("reference_hours", "samples", "channels"))
    facts = [
        f"{duration(3600 * hours)} of good data" if hours else "",
        f"{count(int(samples))} samples" if samples else "",
    ]
    facts.append(f"{count(int(channels))} channels" if channels else "")
    start, end = lineage.get("start_ns"), lineage.get("end_ns")
    if isinstance(start, int) and isinstance(end, int):
        facts.append(f"{utc(start)} to {utc(end)}")
    told = ", ".join(fact for fact in facts if fact)
    return f"{text} ({told})" if text and told else text or told


def _left_out(lineage: Mapping[str, Any]) -> str:
    excluded = lineage.get("excluded")
    if isinstance(excluded, str):
        return f"Left out as odd: {excluded}."
    if not isinstance(excluded, Mapping):
        return ""
    parts = [one for one in excluded.values() if isinstance(one, Mapping)]
    incidents = sum(int(finite(one.get("incidents")) or 0) for one in parts)
    seconds = sum(finite(one.get("seconds")) or 0.0 for one in parts)
    if not incidents:
        return "Nothing of that was left out as odd."
    some = f"{incidents} incidents" if incidents > 1 else "One incident"
    return f"{some} of that ({duration(seconds)} in all) {'were' if incidents > 1 else 'was'} left out as odd."


def lineage_rows(lineage: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(name, value) pairs, nested ones with a dot between their names; times in words, what is empty left out."""
    rows: list[tuple[str, str]] = []
    for key, value in lineage.items():
        if isinstance(value, Mapping):
            rows += lineage_rows(value, f"{prefix}{key}.")
        elif isinstance(value, int) and key.endswith("_ns"):
            rows.append((f"{prefix}{key.removesuffix('_ns')}".replace("_", " "), utc(value)))
        elif value not in ([], (), None):
            parts = value if isinstance(value, list | tuple) else [value]
            rows.append((f"{prefix}{key}".replace("_", " "), "; ".join(map(_in_one_line, parts[:SHOWN]))))
    return rows


def _in_one_line(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {text}" for name, text in lineage_rows(value))


def number(value: float | None, unit: str = "") -> str:
    """ "4.52 K", or a dash."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:.4g}\N{NO-BREAK SPACE}{unit}".rstrip()


def sigmas(value: float | None) -> str:
    """ "+9.1 σ", or a dash."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    size = short(abs(value)) if abs(value) < 1000 else f"{abs(value):.1e}"
    return f"{'+' if value >= 0 else MINUS}{size}\N{NO-BREAK SPACE}σ"


MINUS = "\N{MINUS SIGN}"
