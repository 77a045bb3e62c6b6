"""What the study looks at: the working point on later events, tracks before and after the filter, and drift."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import finished, save
from lynkeus.core import Array, Batch, Findings, Floats, Outcome, concatenate
from lynkeus.simulate.tpc.hits.event import Event
from lynkeus.simulate.tpc.hits.momentum import Tracking, compare, joined
from lynkeus.simulate.tpc.hits.source import TpcHits
from lynkeus.simulate.tpc.hits.tracker import find_tracks
from lynkeus.simulate.tpc.hits.volume import Volume
from lynkeus.sources.hits.prepared import PreparedHits
from lynkeus.transforms.hits.neighbours import Scales, neighbourhood

EVENTS_PER_S = 1700.0  # of the readout of NA61/SHINE since 2022
Lines = list[tuple[str, ...]]


@dataclass(frozen=True)
class FilterLook:
    """`later`: the simulation of the test events; `others` by name: events under other conditions;
    `scales` of the neighbourhood that filters were fitted with."""

    later: TpcHits
    others: Mapping[str, TpcHits]
    scales: Scales

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        """Return tables of working points, tracks and drift, and a figure of noise removed against signal lost."""
        filters = [outcome for outcome in outcomes if outcome.scorer is not None]
        metrics: dict[str, float] = {}
        points: Lines = [POINTS]
        tracks: Lines = [TRACKS]
        events = list(islice(self.later.simulate(), int(filters[0].test.meta["event"].max()) + 1))
        volume, near = self.later.conditions().volume, _near_seconds(filters[0].test, self.scales)
        before, slow = _tracking(volume, events, filters[0].test, np.zeros(len(filters[0].test), bool))
        tracks.append(_track_line("all hits", before, slow))
        for outcome in filters:
            own = _point(outcome, near)
            after, fast = _tracking(volume, events, outcome.test, own["remove"])
            own |= {
                "tracks_kept": after.efficiency / max(before.efficiency, 1e-9), "fake_rate": after.fake_rate,
                "resolution": after.resolution, "time_saved": 1.0 - fast / slow,
            }  # fmt: skip
            points.append(_point_line(outcome.name, own))
            tracks.append(_track_line(f"after {outcome.name}", after, fast))
            metrics |= {f"{outcome.name}.{key}": float(value) for key, value in own.items() if key != "remove"}
        best = filters[0]
        drift: Lines = [DRIFT]
        for name, other in self.others.items():
            lost, removed, share = _elsewhere(best, other, self.scales)
            metrics |= {f"drift.{name}.lost": lost, f"drift.{name}.removed": removed}
            drift.append((name, f"{100 * lost:.2f} %", f"{100 * removed:.1f} %", f"{100 * share:.1f} %"))
        _figure(outcomes, folder / "removed.svg")
        tables = {"The working point on later events": points, "Tracks before and after": tracks,
                  f"The working point of {best.name} elsewhere": drift}  # fmt: skip
        caption = "Noise removed against signal lost on later events; the stated loss is the dotted line"
        return Findings({"removed.svg": caption}, metrics, tables)


POINTS = ("method", "stated", "signal lost", "68 % interval of the fit", "the same of signal that the tracker missed",
          "hits labelled on a track", "noise removed", "cut on charge and width", "hits/s on one core",
          "cores for 1.7 kHz")  # fmt: skip
TRACKS = ("hits", "tracks of 12 hits or more that are found", "found tracks that are none",
          "resolution of the momentum", "seconds an event")  # fmt: skip
DRIFT = ("conditions", "signal lost", "noise removed", "hits removed")


def _near_seconds(test: Batch, scales: Scales) -> float:
    """Return processor seconds in which the neighbourhood of hits is computed."""
    names = list(test.schema.names)
    row, pad, when = (test.values[:, names.index(name)].astype(float) for name in ("row", "pad", "time"))
    begun = time.process_time()
    neighbourhood(test.meta["event"], row, pad, when, scales)
    return time.process_time() - begun


def _point(outcome: Outcome, near_s: float) -> dict[str, Any]:
    scorer: Any = outcome.scorer
    test = outcome.test
    assert test.truth is not None
    remove = scorer.further(test)["remove"]
    signal, on = test.truth == 0, test.meta["on_track"] == 1
    speed = len(test) / max(outcome.score_s + near_s, 1e-9)
    events = len(np.unique(test.meta["event"]))
    low, high = scorer.point_.lost_interval
    return {
        "remove": remove, "lost": remove[signal & on].mean(), "lost_missed": remove[signal & ~on].mean(),
        "lost_all": remove[signal].mean(), "lost_labelled": remove[on].mean(), "removed": remove[~signal].mean(),
        "cut": scorer.chosen_.cut, "hits_per_s": speed, "cores": EVENTS_PER_S * len(test) / events / speed,
        "low": low, "high": high, "stated": float(scorer.signal_loss),
    }  # fmt: skip


def _point_line(name: str, own: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name, f"{100 * own['stated']:g} %", f"{100 * own['lost']:.2f} %",
        f"{100 * own['low']:.2f} to {100 * own['high']:.2f} %", f"{100 * own['lost_missed']:.0f} %",
        f"{100 * own['lost_labelled']:.2f} %", f"{100 * own['removed']:.1f} %", f"{100 * own['cut']:.1f} %",
        f"{own['hits_per_s']:,.0f}", f"{own['cores']:.0f}",
    )  # fmt: skip


def _track_line(name: str, found: Tracking, seconds: float) -> tuple[str, ...]:
    return (
        name, f"{100 * found.efficiency:.1f} % of {found.tracks}", f"{100 * found.fake_rate:.1f} %",
        f"{100 * found.resolution:.2f} %", f"{seconds:.3f}",
    )  # fmt: skip


def _tracking(volume: Volume, events: Sequence[Event], test: Batch, remove: Array) -> tuple[Tracking, float]:
    """Return what the tracker makes of the hits that are kept, and its processor time an event."""
    parts, seconds = [], 0.0
    for number, event in enumerate(events):
        own = np.flatnonzero(test.meta["event"] == number)
        kept = ~remove[own]
        row, pad, when = event.clusters.row[kept], event.clusters.pad[kept], event.clusters.time[kept]
        begun = time.process_time()
        found = find_tracks(row, pad, when)
        seconds += time.process_time() - begun
        counts = np.bincount(event.track[event.track >= 0], minlength=len(event.tracks.momentum))
        parts.append(compare(volume, (row, pad, event.track[kept], found), event.tracks.momentum, counts))
    return joined(parts), seconds / len(events)


def _elsewhere(outcome: Outcome, other: TpcHits, scales: Scales) -> tuple[float, float, float]:
    """Return signal lost (of hits that the tracker has put on tracks), noise and hits removed under other
    conditions."""
    scorer: Any = outcome.scorer
    batch = concatenate(list(PreparedHits(other, scales=scales, near=True)))
    assert batch.truth is not None
    remove = scorer.further(batch)["remove"]
    signal = batch.truth == 0
    return (
        float(remove[signal & (batch.meta["on_track"] == 1)].mean()), float(remove[~signal].mean()),
        float(remove.mean()),
    )  # fmt: skip


def _figure(outcomes: Sequence[Outcome], path: Path) -> None:
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for outcome in outcomes:
        assert outcome.test.truth is not None
        lost, removed = _curve(outcome.scores[:, 0], outcome.test.truth)
        axes.plot(100 * lost, 100 * removed, label=outcome.name)
    axes.axvline(5.0, linestyle=":", color="black", linewidth=0.8)
    axes.set(xlim=(0, 20), ylim=(0, 101), xlabel="signal lost [%]", ylabel="noise removed [%]")
    axes.legend(loc="lower right")
    save(finished(figure), path)


def _curve(scores: Floats, truth: Array) -> tuple[Floats, Floats]:
    order = np.argsort(-scores)
    signal = truth[order] == 0
    return np.cumsum(signal) / signal.sum(), np.cumsum(~signal) / (~signal).sum()
