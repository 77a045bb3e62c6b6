"""A chunk of events as a batch: columns, weights with their variations, the region of the earlier analysis, truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.simulate.search.one_lepton.columns import COLUMNS, PROCESSES, SHIFTED
from lynkeus.simulate.search.one_lepton.fast import events, tail_weight
from lynkeus.simulate.search.one_lepton.settings import Wanted

UNKNOWN = -1
TAIL_ROUNDS = 200  # draws of events that a falling tail rejects
# Angles between W and lepton above which the earlier analysis searched, by LT in GeV.
ANGLES = ((450.0, 1.0), (600.0, 0.75), (np.inf, 0.5))


def raw_events(process: str, masses: Floats, asked: Wanted, seed: tuple[int, ...]) -> dict[str, Floats]:
    """Return the columns of selected events, one for each row of `masses`, with the tail of W+jets bent in data."""
    found = _made(process, masses, asked, (*seed, 0))
    if not (asked.data and asked.tail and process == "wjets"):
        return found
    rng = np.random.default_rng((*seed, 999_983))
    bad = np.arange(len(masses))  # events that a draw has not kept yet
    for k in range(1, TAIL_ROUNDS):
        weight = tail_weight(process, found["truth_w_pt"][bad], asked.tail) / 2.0 ** max(0.0, -asked.tail)
        bad = bad[rng.random(len(bad)) > weight]
        if not len(bad):
            break
        again = _made(process, masses[bad], asked, (*seed, k))
        for name, column in again.items():
            found[name][bad] = column
    return found


def _made(process: str, masses: Floats, asked: Wanted, seed: tuple[int, ...]) -> dict[str, Floats]:
    if asked.engine == "pythia":
        from lynkeus.simulate.search.one_lepton.pythia.make import events as by_pythia

        return by_pythia(process, masses, asked.scale, seed)
    return events(process, masses, asked.scale, seed)


def batch_of(
    own: Schema, asked: Wanted, columns: Mapping[str, Floats], label: Array, masses: Floats, weight: Floats,
    event: Array,
) -> Batch:  # fmt: skip
    """Return the events; of data the process is in meta `truth_process` only."""
    values = np.column_stack([*(columns[name] for name in COLUMNS), masses])
    names = np.array(PROCESSES)[label]
    if not asked.data and asked.tail:
        own_tail = tail_weight("wjets", columns["truth_w_pt"], asked.tail)
        weight = weight * np.where(label == PROCESSES.index("wjets"), own_tail, 1.0)
    shifted = {f"{name}_jec_{way}": columns[f"{name}_jec_{way}"] for name in SHIFTED for way in ("up", "down")}
    meta: dict[str, Array] = {
        "process": np.full(len(label), "data") if asked.data else names,
        "region": region_of(columns["lt"], columns["dphi_w_l"]), "event": event,
    }  # fmt: skip
    if not asked.data:
        meta |= weights_of(columns, label, weight)
    meta |= shifted | {"truth_process": names} if asked.data else shifted
    meta |= {name: column for name, column in columns.items() if name.startswith("truth_")}
    truth = np.full(len(label), UNKNOWN) if asked.data else label
    return Batch(own, values, truth=truth, weight=weight, meta=meta)


def region_of(lt: Floats, angle: Floats) -> Array:
    """Return (n,) the region of the earlier analysis: low or high angle between the W and its lepton."""
    least = np.select([lt < edge for edge, _ in ANGLES], [value for _, value in ANGLES], ANGLES[-1][1])
    return np.where(angle > least, "high_dphi", "low_dphi")


def weights_of(columns: Mapping[str, Floats], label: Array, weight: Floats) -> dict[str, Floats]:
    """Return weights one sigma up and down: b tags (3 % each), the initial state, leptons (2 %), and the scale of
    W+jets, which bends its spectrum."""
    b = 1.0 + 0.03 * (columns["n_b"] - 1.0)
    initial = 1.0 + 0.15 * np.tanh(columns["truth_recoil"] / 200.0)
    w = label == PROCESSES.index("wjets")
    scale = np.where(w, 1.0 + 0.10 * np.tanh((columns["truth_w_pt"] - 300.0) / 300.0), 1.0)
    found = {}
    for name, up in {"btag": b, "isr": initial, "lepton": np.full(len(weight), 1.02), "wscale": scale}.items():
        found[f"weight_{name}_up"] = weight * up
        found[f"weight_{name}_down"] = weight * np.maximum(2.0 - up, 0.0)
    return found
