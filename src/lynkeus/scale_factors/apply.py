"""Weights of simulated events from a file of corrections, by working points (method 1a) or jet by jet.

Method 1a: with the simulated efficiency e and the factor s of each jet, an event weighs

    product over tagged jets of s, times product over the others of (1 - s e) / (1 - e),

so that simulation has the efficiencies of data, and no event is moved to another number of tagged jets. With several
working points a jet between two of them weighs (s1 e1 - s2 e2) / (e1 - e2).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, SettingsError, SourceError
from lynkeus.core.extras import needing

CENTRAL, EFFICIENCY = "central", "_efficiency"
GZIP = b"\x1f\x8b"
RAREST = 1e-6  # share of jets between two working points, below which such a jet keeps its weight
Columns = Mapping[str, npt.ArrayLike]  # flavor, pt, eta; discriminant for reshaping


def read_corrections(path: Path | str) -> Any:
    """Return the corrections of a JSON file (plain or .gz) by name. Raises SourceError for another file."""
    with needing("a file of corrections", "hep"):
        import correctionlib
    if not Path(path).is_file():
        raise SourceError(f"{path}: there is no such file; give one of lynkeus scale-factors")
    try:
        return correctionlib.CorrectionSet.from_file(str(path))
    except (RuntimeError, ValueError, KeyError) as error:
        says = " ".join(str(error).split())
        raise SourceError(
            f"{path}: is no file of corrections ({says}); give JSON of correctionlib, schema 2"
        ) from error


def sources_of(path: Path | str, name: str) -> list[str]:
    """Return the sources of uncertainty of a correction in a file: SOURCE of each up_SOURCE that it knows.

    Raises SettingsError where there is no such correction.
    """
    raw = Path(path).read_bytes()
    document = json.loads(gzip.decompress(raw) if raw[:2] == GZIP else raw)
    data = {item["name"]: item["data"] for item in document["corrections"]}
    if name not in data:
        raise SettingsError(f"{path}: no correction {name!r}; there are: {', '.join(data)}")
    of_systematic = isinstance(data[name], dict) and data[name].get("input") == "systematic"
    keys = [str(item["key"]) for item in data[name]["content"]] if of_systematic else []
    return [key.removeprefix("up_") for key in keys if key.startswith("up_")]


def factors(correction: Any, jets: Columns, systematic: str = CENTRAL) -> Floats:
    """Return (n,) the factor of each jet under a systematic: central, up, down, up_SOURCE or down_SOURCE.

    `jets`: columns flavor, pt, eta, and discriminant for a reshaping. Also the efficiencies of a correction without
    systematics. Raises SettingsError naming the input that is lacking, or what has no value: a flavour, an |eta|.
    """
    given: list[Any] = []
    for item in correction.inputs:
        if item.name == "systematic":
            given.append(systematic)
        elif item.name == "abseta":
            given.append(np.abs(_column(jets, "eta", float)))
        else:
            given.append(_column(jets, item.name, int if item.type == "int" else float))
    try:
        return np.asarray(correction.evaluate(*given), float)
    except (IndexError, RuntimeError) as error:
        says = " ".join(str(error).split())
        raise SettingsError(
            f"{correction.name}, {systematic}: {says}; leave out such jets, or give that value"
        ) from error


def _column(jets: Columns, name: str, kind: type) -> Array:
    if name not in jets:
        raise SettingsError(f"jets have no column {name!r}; there are: {', '.join(jets)}")
    return np.asarray(jets[name]).astype(kind)


def jet_weights(
    corrections: Any, working_points: Sequence[str], jets: Columns, passed: npt.ArrayLike, systematic: str = CENTRAL,
    efficiencies: Mapping[str, npt.ArrayLike] | None = None,
) -> Floats:  # fmt: skip
    """Return (n,) what each jet contributes to the weight of its event, by method 1a.

    `working_points`: names of corrections from the loosest to the tightest. `passed` (n,): how many of them a jet
    passes, 0 to their number. `efficiencies`: of each correction (n,) the simulated efficiency of your own sample;
    without them those in the file (NAME_efficiency). Raises SettingsError for a name that is not there, or where
    efficiencies rise from a looser point to a tighter one.
    """
    reached = np.asarray(passed).astype(int)
    if ((reached < 0) | (reached > len(working_points))).any():
        raise SettingsError(f"passed: a number from 0 to {len(working_points)}, how many working points a jet passes")
    own = dict(efficiencies or {})
    in_simulation, in_data = [np.ones(len(reached))], [np.ones(len(reached))]
    for name in working_points:
        efficiency = own[name] if name in own else factors(_named(corrections, name + EFFICIENCY), jets)
        found = np.clip(np.asarray(efficiency, float), 0.0, 1.0)
        if (found > in_simulation[-1] + 1e-9).any():
            raise SettingsError(f"{name}: its efficiency is larger than that of the point before; give loose to tight")
        in_simulation.append(found)
        in_data.append(np.clip(found * factors(_named(corrections, name), jets, systematic), 0.0, 1.0))
    in_simulation.append(np.zeros(len(reached)))
    in_data.append(np.zeros(len(reached)))
    simulated, data = np.array(in_simulation), np.array(in_data)
    row = np.arange(len(reached))
    share = simulated[reached, row] - simulated[reached + 1, row]
    wanted = np.maximum(data[reached, row] - data[reached + 1, row], 0.0)
    return np.where(share > RAREST, wanted / np.where(share > RAREST, share, 1.0), 1.0)


def event_weights(jet_weight: npt.ArrayLike, event: npt.ArrayLike, events: int) -> Floats:
    """Return (events,) products of the weights of the jets of each event; 1 for an event without jets.

    `event` (n,): number of the event of each jet, 0 to events - 1. Raises SettingsError for another number.
    """
    weights, number = np.asarray(jet_weight, float), np.asarray(event).astype(np.int64)
    if len(number) != len(weights) or (len(number) and (number.min() < 0 or number.max() >= events)):
        raise SettingsError(f"event: give for each of {len(weights)} jets the number of its event, 0 to {events - 1}")
    found = np.ones(events)
    np.multiply.at(found, number, weights)
    return found


def tag_efficiencies(jets: Columns, passed: npt.ArrayLike, bins: Any, weight: npt.ArrayLike | None = None) -> Floats:
    """Return (n,) the share of simulated jets of the same flavour in the same bin of pt and |eta| that pass.

    The efficiencies of your own sample, for `jet_weights`. `bins`: `Bins`; jets outside of them count to the nearest.
    """
    pt = np.clip(_column(jets, "pt", float), bins.pt[0], np.nextafter(bins.pt[-1], 0))
    eta = np.clip(np.abs(_column(jets, "eta", float)), bins.abseta[0], np.nextafter(bins.abseta[-1], 0))
    _, kind = np.unique(_column(jets, "flavor", int), return_inverse=True)
    cell = kind * len(bins) + bins.of(pt, eta)
    counts = np.ones(len(cell)) if weight is None else np.asarray(weight, float)
    whole = np.bincount(cell, counts)
    return (np.bincount(cell, counts * np.asarray(passed, bool), len(whole)) / np.where(whole > 0, whole, 1.0))[cell]


def _named(corrections: Any, name: str) -> Any:
    if name not in list(corrections):
        mend = "; give efficiencies, those of your own sample" if name.endswith(EFFICIENCY) else ""
        raise SettingsError(f"no correction {name!r} in the file{mend}; there are: {', '.join(corrections)}")
    return corrections[name]
