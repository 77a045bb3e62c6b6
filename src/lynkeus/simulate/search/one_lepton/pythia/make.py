"""Selected events by Pythia, and how many are expected."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError
from lynkeus.core.progress import report_progress
from lynkeus.simulate.jets.pythia.events import record_of
from lynkeus.simulate.search.one_lepton.columns import WHO, gluino_fb, masses_of
from lynkeus.simulate.search.one_lepton.pythia.observe import observe
from lynkeus.simulate.search.one_lepton.pythia.processes import K_FACTOR, begin

AT_ONCE, PATIENCE = 200, 20_000  # collisions; without a selected event
PILOT = 1000  # collisions by which the share of selected ones is measured
FB = 1e12  # in a millibarn


def events(process: str, masses: Floats, scale: float, seed: tuple[int, ...]) -> dict[str, Floats]:
    """Return one selected event for each row of `masses` (n, 2), from a seed."""
    columns: dict[str, Floats] = {}
    points, which = np.unique(masses, axis=0, return_inverse=True) if process == "signal" else (masses[:1], None)
    for k, point in enumerate(points):
        rows = np.arange(len(masses)) if which is None else np.flatnonzero(which.reshape(-1) == k)
        found = _of_point(process, (float(point[0]), float(point[1])), len(rows), scale, (*seed, k))
        for name, values in found.items():
            columns.setdefault(name, np.empty(len(masses)))[rows] = values
    return columns


def _of_point(
    process: str, masses: tuple[float, float], count: int, scale: float, seed: tuple[int, ...]
) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    pythia, parts, have, tried = begin(process, masses, int(rng.integers(1, 900_000_000))), list[Any](), 0, 0
    while have < count:
        found, selected = observe(record_of(pythia.nextBatch(AT_ONCE)), scale, rng)
        parts.append({name: column[selected] for name, column in found.items()})
        have, tried = have + int(selected.sum()), tried + AT_ONCE
        report_progress(f"Pythia, {process}: {min(have, count)} of {count} events", min(have / count, 1.0))
        if tried >= PATIENCE and not have:
            raise SettingsError(f"{WHO}: no event of {process} is selected in {tried} collisions of Pythia")
    return {name: np.concatenate([part[name] for part in parts])[:count] for name in parts[0]}


@cache
def expected(process: str, point: str, scale: float) -> float:
    """Return how many events are selected in 1/fb: the cross section of Pythia times a K factor, of the signal the
    known one, times the share that is selected of a thousand collisions."""
    masses = masses_of(point) if point else (0.0, 0.0)
    pythia, rng = begin(process, masses, 20190916), np.random.default_rng(20190916)
    passed = sum(
        int(observe(record_of(pythia.nextBatch(AT_ONCE)), scale, rng)[1].sum()) for _ in range(PILOT // AT_ONCE)
    )
    if process == "signal":
        cross_section = float(gluino_fb(np.array(masses[:1]))[0])
    else:
        cross_section = (
            float(pythia.infoPython().sigmaGen()) * FB * K_FACTOR[process] * (2.0 if process == "tt1l" else 1.0)
        )
    return cross_section * max(passed, 0.5) / PILOT
