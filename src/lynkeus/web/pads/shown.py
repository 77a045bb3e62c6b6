"""ShownPads: a table of pads and its spectra, as the pages ask for them; read again where it was written anew."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Floats, LynkeusError
from lynkeus.monitor.opinions import Opinion, opinions
from lynkeus.monitor.store import Store
from lynkeus.pads.table import PadTable, read_pad_table

MOST_CLUSTERS = 200
PITCH = 1.0
NUMBERS = ("x", "y", "gain", "gain_error", "gain_by_correlation", "counts", "sector", "row", "pad", "card", "change")


class ShownPads:
    """One table of pads, and what a page draws of it. Raises SourceError where it is none."""

    def __init__(self, path: Path) -> None:
        self.table: PadTable = read_pad_table(path)
        self.stamp = path.stat().st_mtime_ns

    @property
    def within(self) -> str:
        """Return under which name opinions on these pads are kept: their spectra, else the table."""
        return str(self.table.about.get("data") or self.table.path)

    def names(self) -> tuple[str, ...]:
        """Return the columns of numbers that can be drawn."""
        own = [name for name in NUMBERS if name in self.table.columns or name in ("x", "y")]
        return (*own, *self.table.probabilities)

    def column(self, name: str) -> Floats:
        """Return (n,) numbers of a column as float32."""
        columns = self.table.columns
        if name in ("x", "y") and not {"x", "y"} <= set(columns):
            return self._grid[0 if name == "x" else 1]
        return np.asarray(columns[name], np.float32)

    @cached_property
    def _grid(self) -> tuple[Floats, Floats]:
        """Return x and y by row and pad, the sectors beside each other, where the table has no places."""
        columns = self.table.columns
        wide = float(columns["pad"].max()) + 6.0
        sector = np.unique(columns["sector"], return_inverse=True)[1]
        return (columns["pad"] + sector * wide).astype(np.float32), (3.0 * columns["row"]).astype(np.float32)

    @cached_property
    def sizes(self) -> tuple[Floats, Floats]:
        """Return (n,) width and length of each pad, by the distance of neighbours where the table does not say."""
        columns = self.table.columns
        if {"width", "length"} <= set(columns):
            return self.column("width"), self.column("length")
        x, y, sector, row = self.column("x"), self.column("y"), columns["sector"], columns["row"]
        beside = np.abs(np.diff(x))[(np.diff(row) == 0) & (np.diff(sector) == 0)]
        rows = np.unique(np.round(y[sector == sector[0]], 2))
        width = float(np.median(beside)) if len(beside) else PITCH
        length = float(np.median(np.diff(rows))) if len(rows) > 1 else width
        return np.full(len(x), width, np.float32), np.full(len(x), length, np.float32)

    @cached_property
    def classes(self) -> Array:
        """Return (n,) the class of each pad as a number of `table.classes`."""
        number = {name: k for k, name in enumerate(self.table.classes)}
        found, place = np.unique(self.table["class"], return_inverse=True)
        return np.array([number[str(name)] for name in found], np.uint8)[place.reshape(-1)]

    @cached_property
    def clusters(self) -> list[dict[str, Any]]:
        """Return the clusters of problematic pads, the largest first: size, class, card, and the frame around them."""
        from lynkeus.transforms.pads.clusters import clusters_of

        columns = self.table.columns
        found = clusters_of(columns, ~columns["good"].astype(bool), columns["class"])
        x, y = self.column("x"), self.column("y")
        width, length = self.sizes
        shown = []
        for one in found[:MOST_CLUSTERS]:
            own = one.pads
            frame = [float(v) for v in ((x - width / 2)[own].min(), (y - length / 2)[own].min(),
                                        (x + width / 2)[own].max(), (y + length / 2)[own].max())]  # fmt: skip
            shown.append({"size": len(own), "kind": one.kind, "card": one.card, "frame": frame, "first": int(own[0]),
                          "sector": int(columns["sector"][own[0]])})  # fmt: skip
        return shown

    @cached_property
    def order(self) -> Array:
        """Return pads by how much a label of them would teach: the least sure first, of one class not all at once."""
        from lynkeus.transforms.pads.order import least_sure

        good = self.column(self.table.probabilities[0]) if self.table.probabilities else np.zeros(len(self.table))
        return least_sure(good, self.classes)

    @cached_property
    def _batch(self) -> Batch | None:
        from lynkeus.sources import open_source

        data, layout = self.table.about.get("data"), self.table.about.get("layout")
        if not data:
            return None
        try:
            batch = next(iter(open_source(data, _layout(layout))))
        except LynkeusError:
            return None
        same = len(batch) == len(self.table) and (batch.meta["pad"] == self.table["pad"]).all()
        return batch if same else None

    @cached_property
    def _near(self) -> Array:
        from lynkeus.transforms.pads.neighbours import neighbours_of

        return neighbours_of(self.table.columns, 8)

    @cached_property
    def mean(self) -> Floats:
        """Return (bins,) the mean spectrum of the good pads."""
        assert self._batch is not None
        good = self.table["good"].astype(bool)
        chosen = np.flatnonzero(good) if good.any() else np.arange(len(good))
        return self._batch.values[chosen[:: max(1, len(chosen) // 20_000)], 1:-1].mean(axis=0)

    def spectrum(self, number: int) -> dict[str, Any] | None:
        """Return the spectrum of a pad, the mean of its neighbours and of all good pads; None where the spectra are
        not where they were."""
        from lynkeus.transforms.pads.spectra import edges_of

        if self._batch is None:
            return None
        counts = self._batch.values[:, 1:-1]
        near = self._near[number]
        near = near[near >= 0]
        around = counts[near].mean(axis=0) if len(near) else np.zeros(counts.shape[1])
        return {"edges": edges_of(self._batch.schema).tolist(), "counts": counts[number].tolist(),
                "neighbours": around.tolist(), "mean": self.mean.tolist()}  # fmt: skip

    def facts(self, number: int) -> dict[str, Any]:
        """Return what the table says of a pad, as plain JSON types."""
        found: dict[str, Any] = {}
        for name, column in self.table.columns.items():
            value = column[number].item()
            found[name] = None if isinstance(value, float) and not np.isfinite(value) else value
        return found

    def name_of(self, number: int) -> str:
        """Return the name of a pad under which opinions are kept."""
        return "/".join(str(int(self.table[part][number])) for part in ("sector", "row", "pad"))

    def said(self, store: Store) -> list[Opinion]:
        """Return what people said of these pads, oldest first."""
        return opinions(store, "pad", self.within)


def _layout(given: Any) -> Any:
    from lynkeus.sources import Layout

    return Layout.from_dict(given) if given else "tpc_pads"


class PadsNow:
    """The table of pads as it is now: read again where the file was written anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shown = ShownPads(path)
        self._lock = threading.Lock()

    def now(self) -> ShownPads:
        """Return the table; that of before where the new one cannot be read."""
        with self._lock:
            try:
                if self.path.stat().st_mtime_ns != self._shown.stamp:
                    self._shown = ShownPads(self.path)
            except (OSError, LynkeusError):
                pass
            return self._shown


def labels_of(said: Sequence[Opinion]) -> dict[str, str]:
    """Return the latest label of each pad, by its name."""
    return {one.name: one.label for one in said}
