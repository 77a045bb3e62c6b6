"""One event: tracks, charges and noise on the pads, the clusters that are found there, and what each of them is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.tpc.hits.charge import deposit, ionise
from lynkeus.simulate.tpc.hits.clusters import Clusters, digitise, find_clusters
from lynkeus.simulate.tpc.hits.noise import NoiseRates, bursts, electronic, sparks
from lynkeus.simulate.tpc.hits.tracker import find_tracks
from lynkeus.simulate.tpc.hits.tracks import Crossings, Tracks, crossings, deltas, draw_tracks
from lynkeus.simulate.tpc.hits.volume import Volume

KINDS = ("track", "delta", "spark", "burst", "noise")  # what gives most of the charge of a hit
NEAREST = (2.5, 4.0)  # pads, times within which the track of a hit crosses its row


class Event(NamedTuple):
    """`clusters`; of each of them `kind` (number in KINDS), the true `track` (-1: none) and the one that was `found`
    (-1: none); the true `tracks` and where they cross the rows."""

    clusters: Clusters
    kind: Array
    track: Array
    found: Array
    tracks: Tracks
    crossings: Crossings


class Conditions(NamedTuple):
    """What all events of a run have in common: the volume, rates of noise, noise and gain of each pad (rows, pads), and
    the mean number of tracks."""

    volume: Volume
    rates: NoiseRates
    hot: Floats
    gain: Floats
    tracks: float


def make_event(run: Conditions, random: np.random.Generator) -> Event:
    """Return one simulated event."""
    volume = run.volume
    many = int(random.poisson(run.tracks))
    tracks = draw_tracks(volume, many, random)
    vertex = np.array([random.normal(0.5 * volume.width_mm, 8.0), random.normal(0.5 * volume.drift_mm, 8.0)])
    crossed = crossings(volume, tracks, vertex)
    frames = _frames(run, crossed, tracks, random)
    counts = digitise(volume, sum(frames))  # type: ignore[arg-type]
    clusters = find_clusters(volume, counts)
    shares = np.stack([_around(frame, clusters) for frame in frames])
    kind = shares.argmax(axis=0)
    track = _true_track(volume, clusters, crossed, kind == KINDS.index("track"))
    found = find_tracks(clusters.row, clusters.pad, clusters.time)
    return Event(clusters, kind, track, found, tracks, crossed)


def _frames(run: Conditions, crossed: Crossings, tracks: Tracks, random: np.random.Generator) -> list[Floats]:
    """Return the ADC counts (rows, pads, times) of each of KINDS."""
    volume = run.volume
    frames = []
    for found, scale in ((crossed, 1.0), (deltas(volume, crossed, run.rates.deltas * run.rates.scale, random), 0.5)):
        frame = np.zeros((volume.rows, volume.pads, volume.times), np.float32)
        deposit(frame, volume, found, scale * ionise(volume, found, tracks.ionisation, random), random)
        frame *= run.gain[:, :, None].astype(np.float32)
        frames.append(frame)
    return [
        *frames, sparks(volume, run.rates, random), bursts(volume, run.rates, random),
        electronic(volume, run.hot, random),
    ]  # fmt: skip


def _around(frame: Floats, clusters: Clusters) -> Floats:
    """Return what a frame has in the nine cells around the highest one of each cluster, without what is below 0."""
    padded = np.pad(frame, ((0, 0), (1, 1), (1, 1)))
    total = np.zeros(len(clusters.row))
    for pad in range(3):
        for time in range(3):
            total += np.maximum(padded[clusters.row, clusters.peak_pad + pad, clusters.peak_time + time], 0.0)
    return total


def _true_track(volume: Volume, clusters: Clusters, crossed: Crossings, signal: Array) -> Array:
    """Return (k,) the track whose crossing of the row is nearest to each cluster that is of a track, -1 for others."""
    found = np.full(len(clusters.row), -1)
    pad, time = crossed.x_mm / volume.pad_mm, crossed.y_mm / volume.bin_mm
    for row in np.unique(clusters.row):
        own, there = np.flatnonzero((clusters.row == row) & signal), np.flatnonzero(crossed.row == row)
        if not (len(own) and len(there)):
            continue
        away = np.maximum(
            np.abs(clusters.pad[own, None] - pad[there]) / NEAREST[0],
            np.abs(clusters.time[own, None] - time[there]) / NEAREST[1],
        )
        best = away.argmin(axis=1)
        near = away[np.arange(len(own)), best] < 1.0
        found[own[near]] = crossed.track[there[best[near]]]
    return found
