"""ROOT files of trees, ntuples, histograms and profiles, whose numbers and bytes are something else."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import boost_histogram as bh
import numpy as np
import uproot


def seeds(folder: Path, random: np.random.Generator) -> list[Path]:
    """Write a file of each kind, packed in every way."""
    made = []
    ways = {"zlib": uproot.ZLIB(1), "lzma": uproot.LZMA(1), "lz4": uproot.LZ4(1), "zstd": uproot.ZSTD(1), "none": None}
    for name, packing in ways.items():
        path = folder / f"{name}.root"
        with uproot.recreate(path, compression=packing) as file:
            number = random.normal(size=60)
            lists = ak.Array([[1.0] * (k % 3) for k in range(60)])
            file.mktree("events", {"x": number, "n": np.arange(60, dtype="i4"), "flag": number > 0, "jet": lists})
            file["dir/plot"] = bh.Histogram(bh.axis.Regular(10, 0, 1)).fill(random.random(100))
            file["dir/two"] = bh.Histogram(
                bh.axis.Regular(4, 0, 1), bh.axis.Regular(3, 0, 1), storage=bh.storage.Weight()
            )
        made.append(path)
        path = folder / f"{name}_plots.root"
        with uproot.recreate(path, compression=packing) as file:
            file["plot"] = bh.Histogram(bh.axis.Regular(10, 0, 1)).fill(random.random(100))
            file["words"] = bh.Histogram(bh.axis.StrCategory(["a", "b"])).fill(["a", "b", "a"])
        made.append(path)
    return made
