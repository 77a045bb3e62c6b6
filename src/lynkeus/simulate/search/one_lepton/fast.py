"""Selected events by the fast generator: raw events in blocks, until there are as many as asked for."""

from __future__ import annotations

from functools import cache

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.search.one_lepton.columns import BACKGROUND_FB, SELECTED, SHIFTED, WHO, gluino_fb, masses_of
from lynkeus.simulate.search.one_lepton.detector import Shaken, measure
from lynkeus.simulate.search.one_lepton.hard import make

BLOCK, LEAST_BLOCK = 10_000, 500  # raw events at once
PILOT = (100_000, 10_000)  # raw events by which the share of selected ones is measured: of a background, of a signal
PATIENCE = 1_000_000  # raw events without a selected one
JEC = 0.03  # one sigma of the jets' energies
TAIL_AT, TAIL_WIDTH = 200.0, 500.0  # GeV


def block(process: str, masses: Floats, scale: float, rng: np.random.Generator) -> tuple[dict[str, Floats], Array]:
    """Return the columns of the selected events of a block of raw ones, with jets also one sigma up and down, and which
    raw ones they are."""
    made, rows = make(process, masses, rng)
    chance = Shaken.of(made, rng)
    columns, selected = measure(made, chance, scale)
    own = np.flatnonzero(selected)
    found = {name: np.asarray(column, float)[own] for name, column in columns.items()}
    found |= {"truth_w_pt": made.w_pt[own], "truth_recoil": made.recoil[own]}
    part, cut = made.cut(own), chance.cut(own)
    for way, factor in (("up", 1 + JEC), ("down", 1 - JEC)):
        moved, _ = measure(part, cut, scale * factor, tracks=False)
        found |= {f"{name}_jec_{way}": np.asarray(moved[name], float) for name in SHIFTED}
    return found, rows[own]


def events(process: str, masses: Floats, scale: float, seed: tuple[int, ...]) -> dict[str, Floats]:
    """Return a selected event for each row of `masses` (n, 2). Raises SettingsError where next to none is selected."""
    if process != "signal":
        return _alike(process, masses, scale, np.random.default_rng(seed))
    columns: dict[str, Floats] = {}
    points, which = np.unique(masses, axis=0, return_inverse=True)
    for k in range(len(points)):
        rows = np.flatnonzero(which.reshape(-1) == k)
        found = _alike(process, masses[rows], scale, np.random.default_rng((*seed, k)))
        for name, values in found.items():
            columns.setdefault(name, np.empty(len(masses)))[rows] = values
    return columns


def _alike(process: str, masses: Floats, scale: float, rng: np.random.Generator) -> dict[str, Floats]:
    """Return selected events of rows that are all alike."""
    parts, have, tried = list[dict[str, Floats]](), 0, 0
    while have < len(masses):
        share = have / tried if have else 0.1
        size = int(np.clip(1.15 * (len(masses) - have) / share, LEAST_BLOCK, BLOCK))
        found, own = block(process, np.resize(masses, (size, 2)), scale, rng)
        parts.append(found)
        have, tried = have + len(own), tried + size
        if tried > PATIENCE and not have:
            raise SettingsError(f"{WHO}: no event of {process} is selected in {tried} raw ones")
    return {name: np.concatenate([part[name] for part in parts])[: len(masses)] for name in parts[0]}


@cache
def expected(process: str, point: str, scale: float, tail: float) -> float:
    """Return how many events of a process are selected in 1/fb: by the table for what is usual, else by raw events of a
    seed of their own."""
    mass = np.array(masses_of(point) if point else (0.0, 0.0))
    cross_section = float(gluino_fb(mass[:1])[0]) if point else BACKGROUND_FB[process]
    known = SELECTED.get(point or process)
    if scale == 1.0 and (not tail or process != "wjets") and known is not None:
        return cross_section * known
    return cross_section * selected_share(process, mass, scale, tail, PILOT[process == "signal"])


def selected_share(process: str, mass: Floats, scale: float, tail: float, raw: int) -> float:
    """Return the share of raw events that are selected, counted in so many of them."""
    rng, passed = np.random.default_rng(20190916), 0.0
    for _ in range(-(-raw // BLOCK)):
        made, _ = make(process, np.tile(mass, (BLOCK, 1)), rng)
        _, selected = measure(made, Shaken.of(made, rng), scale, tracks=False)
        passed += float(tail_weight(process, made.w_pt[selected], tail).sum())
    return passed / (-(-raw // BLOCK) * BLOCK)


def tail_weight(process: str, w_pt: Floats, tail: float) -> Floats:
    """Return by how much the tail of W+jets is off, 1 of other processes."""
    if process != "wjets" or not tail:
        return np.ones(len(w_pt))
    return np.exp(-tail * (w_pt - TAIL_AT) / TAIL_WIDTH)
