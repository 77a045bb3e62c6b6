"""What a scale factor is measured from: jets of simulation or of data as columns, and bins of pt and |eta|."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, SettingsError, SourceError

Whole = npt.NDArray[np.int64]
FORM = "pt=30:50:100:200,eta=0:1.2:2.4"


@dataclass(frozen=True)
class Jets:
    """Columns of n jets.

    `score` (n,) of the output that is cut on; `template` (n,) the variable that is fitted, NaN where a jet has none
    (no secondary vertex); `pt` (n,) in GeV; `eta` (n,); `flavour` (n,) index into the classes of the simulation, -1 in
    data; `weight` (n,), which may be negative (None: each jet counts once). `name` is what errors call them. Raises
    SourceError where lengths differ.
    """

    score: Floats
    template: Floats
    pt: Floats
    eta: Floats
    flavour: Whole
    weight: Floats | None = None
    name: str = "the jets"

    def __post_init__(self) -> None:
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, np.ndarray) and len(column) != len(self.score):
                raise SourceError(
                    f"{self.name}: {len(column)} entries in {field.name} for {len(self.score)} scores; give one per jet"
                )

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, index: Any) -> Jets:
        """The jets chosen by an index array or a mask, every column cut alike."""
        cut = {
            field.name: getattr(self, field.name)[index]
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        return replace(self, **cut)

    @property
    def weights(self) -> Floats:
        """Return (n,) weights, ones where there are none."""
        return np.ones(len(self)) if self.weight is None else self.weight


@dataclass(frozen=True)
class Bins:
    """Edges of pt (GeV) and |eta|, rising; a bin contains its lower edge. Raises SettingsError for edges that do not
    rise or, of |eta|, begin below 0."""

    pt: tuple[float, ...]
    abseta: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, edges in (("pt", self.pt), ("eta", self.abseta)):
            if len(edges) < 2 or not (np.diff(edges) > 0).all():
                raise SettingsError(f"--bins: the edges of {name} must rise and be two or more, such as {FORM}")
        if self.abseta[0] < 0 or self.pt[0] < 0:
            raise SettingsError("--bins: pt and eta (its absolute value) are binned from 0 on; give no negative edge")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "pt=30:50:100,eta=0:1.2:2.4". Raises SettingsError showing the form for anything else."""
        found: dict[str, tuple[float, ...]] = {}
        for part in text.split(","):
            name, _, edges = part.strip().partition("=")
            try:
                found[name.strip()] = tuple(float(edge) for edge in edges.split(":"))
            except ValueError:
                raise SettingsError(f"--bins {text}: {part.strip()!r} is not NAME=EDGE:EDGE; write {FORM}") from None
        if found.keys() != {"pt", "eta"}:
            raise SettingsError(f"--bins {text}: give edges of pt and of eta, and of nothing else: {FORM}")
        return cls(found["pt"], found["eta"])

    def __len__(self) -> int:
        return (len(self.pt) - 1) * (len(self.abseta) - 1)

    def of(self, pt: npt.ArrayLike, eta: npt.ArrayLike) -> Whole:
        """Return (n,) number of the bin of each jet, pt running fastest; -1 outside of all, or for NaN."""
        at_pt = np.searchsorted(self.pt, np.asarray(pt, float), "right") - 1
        at_eta = np.searchsorted(self.abseta, np.abs(np.asarray(eta, float)), "right") - 1
        inside = (at_pt >= 0) & (at_pt < len(self.pt) - 1) & (at_eta >= 0) & (at_eta < len(self.abseta) - 1)
        return np.where(inside, at_eta * (len(self.pt) - 1) + at_pt, -1).astype(np.int64)

    def place(self, number: int) -> tuple[int, int]:
        """Return (number in |eta|, number in pt) of a bin."""
        return divmod(number, len(self.pt) - 1)

    def words(self, number: int) -> str:
        """Name a bin: "pt 30-50, |eta| 0-1.2"."""
        eta, pt = self.place(number)
        low_pt, high_pt, low_eta, high_eta = self.pt[pt], self.pt[pt + 1], self.abseta[eta], self.abseta[eta + 1]
        return f"pt {low_pt:g}-{high_pt:g}, |eta| {low_eta:g}-{high_eta:g}"

    def joined(self, numbers: Sequence[int]) -> str:
        """Name neighbouring bins of pt that were fitted as one."""
        eta, first = self.place(numbers[0])
        last = self.place(numbers[-1])[1]
        eta_words = f"|eta| {self.abseta[eta]:g}-{self.abseta[eta + 1]:g}"
        return f"pt {self.pt[first]:g}-{self.pt[last + 1]:g}, {eta_words}"
