"""Histograms of a search as a ROOT file, for hist, cabinetry, Combine: a folder of each point and region, in it one of
each sample with its errors, and each variation that a sample has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Floats
from lynkeus.files.whole import beside

FILE = "histograms.root"
OBSERVED = "data_obs"  # what Combine calls it


def write_histograms(workspaces: Mapping[str, Any], blind: Sequence[str], folder: Path) -> list[str]:
    """Write the histograms of HistFactory workspaces by point, and return what was written; nothing without uproot.
    Data of the regions `blind` are not in the file."""
    if find_spec("uproot") is None:
        return ["no histograms.root: that needs the extra hep (uproot)"]
    import uproot

    path = folder / FILE
    with beside(path) as partial, uproot.recreate(partial) as file:
        for point, workspace in workspaces.items():
            seen = {one["name"]: one["data"] for one in workspace["observations"]}
            for channel in workspace["channels"]:
                where = f"{_name(point)}/{_name(channel['name'])}"
                for sample in channel["samples"]:
                    for name, (counts, variance) in _of(sample).items():
                        file[f"{where}/{name}"] = _drawn(name, counts, variance)
                if channel["name"] not in blind:
                    data = np.asarray(seen[channel["name"]], float)
                    file[f"{where}/{OBSERVED}"] = _drawn(OBSERVED, data, data)
    return [f"{path}: the histograms of all points, for hist and others"]


def _of(sample: Mapping[str, Any]) -> dict[str, tuple[Floats, Floats]]:
    """Return counts and variances of a sample by name, then with each systematic up and down."""
    counts, name = np.asarray(sample["data"], float), _name(sample["name"])
    kinds: dict[str, dict[str, Any]] = {}
    error = np.zeros(len(counts))
    for modifier in sample["modifiers"]:
        if modifier["type"] == "staterror":
            error = np.asarray(modifier["data"], float)
        elif modifier["type"] in ("normsys", "histosys"):
            kinds.setdefault(modifier["name"], {})[modifier["type"]] = modifier["data"]
    found: dict[str, tuple[Floats, Floats]] = {name: (counts, np.square(error))}
    for systematic, own in kinds.items():
        for way, factor, shape in (("Up", "hi", "hi_data"), ("Down", "lo", "lo_data")):
            varied = np.asarray(own["histosys"][shape], float) if "histosys" in own else counts
            size = float(own.get("normsys", {}).get(factor, 1.0))
            ratio = np.divide(size * varied, counts, out=np.ones(len(counts)), where=counts > 0)
            found[f"{name}_{_name(systematic)}{way}"] = size * varied, np.square(ratio * error)
    return found


def _drawn(name: str, counts: Floats, variance: Floats) -> Any:
    """Return a histogram with errors, as uproot writes it; its bins are numbered."""
    from uproot.writing.identify import to_TAxis, to_TH1x

    bins = len(counts)
    axis = to_TAxis("xaxis", "bin", fNbins=bins, fXmin=0.0, fXmax=float(bins))
    middle = np.arange(bins) + 0.5
    padded, errors = (np.concatenate([[0.0], own, [0.0]]) for own in (counts, variance))
    return to_TH1x(
        name, name, padded, float(bins), float(counts.sum()), float(variance.sum()), float(counts @ middle),
        float(counts @ middle**2), errors, axis,
    )  # fmt: skip


def _name(text: str) -> str:
    """Return a name without what separates folders and cycles in a ROOT file."""
    return "".join("_" if one in "/;" else one for one in text)
