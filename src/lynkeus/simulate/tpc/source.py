"""TpcPads: charge spectra of all pads of a time projection chamber, by krypton or by collisions, with the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema, concatenate
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.tpc.faults import CLASSES, MIX, at_border, drawn, mix_of, spoil
from lynkeus.simulate.tpc.lines import ADC_MOST, LINES, Line, lines_of
from lynkeus.simulate.tpc.planes import PadPlane, pad_plane
from lynkeus.transforms.pads.spectra import pad_schema

BATCH = 8192
NOMINAL_C, NOMINAL_HPA = 20.0, 970.0
LIMITS = {
    "resolution": (0.005, 0.3), "faults": (0.0, 0.9), "wrong": (0.0, 0.5), "bins": (16, 4096), "noise": (0.0, 0.5),
    "most": (100.0, ADC_MOST * 100),
}  # fmt: skip
PER_DENSITY = 4.5  # relative change of the gain for a relative change of T / p


@dataclass
class TpcPads:
    """Spectra of `n` pads (0 all) of a `plane` (na61, one of its chambers, alice), one batch after the other.

    `by` krypton or collisions; `decays`: clusters a pad, "500-4000" or a number; `lines`, `resolution` (sigma at
    41.55 keV), `resolution_spread` from pad to pad, `threshold` and `threshold_width` in ADC, `noise`: share of all
    clusters that are noise in good pads; `bins` up to `most` ADC. `gain_sigma` of single pads, `structure` of wires,
    sector edges and cards; `temperature` (C), `pressure` (hPa), of which each chamber has its own small offset.
    `faults`: share of problematic pads of the `mix`; `swapped`: pairs of cards that are plugged crosswise. `labels`:
    pads of an eye-scan (0: none), of which a share `wrong` has a wrong label. `seed`: of spectra; `chamber_seed`: of
    gains and faults, the same detector in another run where it is the same (None: as `seed`). In meta: identity, place
    and card of each pad, `label` of the eye-scan, truth_class, truth_gain, truth_decays.
    """

    n: int = 0
    seed: int = 0
    plane: str = "na61"
    by: str = "krypton"
    decays: str | float = "500-4000"
    lines: str = LINES
    resolution: float = 0.05
    resolution_spread: float = 0.03
    threshold: float = 45.0
    threshold_width: float = 8.0
    noise: float = 0.01
    bins: int = 160
    most: float = 1000.0
    gain_sigma: float = 0.06
    structure: float = 0.05
    temperature: float = NOMINAL_C
    pressure: float = NOMINAL_HPA
    faults: float = 0.12
    mix: str = MIX
    swapped: int = 0
    labels: int = 0
    wrong: float = 0.0
    chamber_seed: int | None = None

    def __post_init__(self) -> None:
        self._shape = Line(*lines_of(self.lines), self.resolution, self.threshold, self.threshold_width,
                           np.linspace(0.0, self.most, int(self.bins) + 1))  # fmt: skip
        self._mix = mix_of(self.mix)
        if self.by not in ("krypton", "collisions"):
            raise SettingsError(f"by {self.by!r}: must be krypton or collisions")
        for name, (least, highest) in LIMITS.items():
            if not least <= float(getattr(self, name)) <= highest:
                raise SettingsError(f"{name} must lie from {least:g} to {highest:g}, got {getattr(self, name)!r}")
        try:
            ends = [float(one) for one in str(self.decays).split("-")]
            self._decays = (ends[0], ends[-1])
        except ValueError as error:
            raise SettingsError(f"decays {self.decays!r}: must be like 2000 or 500-4000") from error
        if self.n < 0 or self.labels < 0 or not 0 < self._decays[0] <= self._decays[1]:
            raise SettingsError("n and labels must not be negative, decays must rise from above 0")

    @property
    def schema(self) -> Schema:
        """Return spectra of one edge list, see `pad_schema`."""
        return pad_schema(self._shape.edges, "ADC")

    def __len__(self) -> int:
        return len(self._pads)

    def of_length(self, samples: int) -> TpcPads:
        """Return the first so many pads of the same detector."""
        return TpcPads(**{f.name: getattr(self, f.name) for f in fields(self)} | {"n": samples})

    @cached_property
    def _pads(self) -> PadPlane:
        whole = pad_plane(self.plane)
        if self.n > len(whole):
            raise SettingsError(f"n {self.n}: the plane {self.plane} has {len(whole)} pads")
        return whole[: self.n] if self.n else whole

    @cached_property
    def _truth(self) -> dict[str, Array]:
        """Return gain, class, decays and eye-scan of each pad."""
        rng = np.random.default_rng([11, self.seed if self.chamber_seed is None else self.chamber_seed])
        pads, n = self._pads, len(self._pads)
        chambers = np.unique(pads.chamber, return_inverse=True)[1]
        gain = self._structure(rng) * rng.normal(1.0, self.gain_sigma, n)
        warm = self.temperature + rng.normal(0.0, 0.3, chambers.max() + 1)[chambers]
        gain *= ((warm + 273.15) / (NOMINAL_C + 273.15) * NOMINAL_HPA / self.pressure) ** PER_DENSITY
        truth = drawn(pads, self.faults, self._mix, rng)
        run = np.random.default_rng([12, self.seed])
        decays = run.uniform(*self._decays, n) if self._decays[1] > self._decays[0] else np.full(n, self._decays[0])
        return {"gain": np.maximum(gain, 0.3), "class": truth, "decays": decays, "temperature": warm,
                "label": self._eye_scan(truth, run)}  # fmt: skip

    def _structure(self, rng: np.random.Generator) -> Floats:
        """Return (n,) what wires, sector edges and cards do to the gain, about 1."""
        pads = self._pads
        wave = np.sin(2 * np.pi * pads.x / 97.0 + rng.uniform(0, 6.28)) * 0.5
        border = -2.0 * at_border(pads)
        card = rng.normal(0.0, 0.5, int(pads.card.max()) + 1)[pads.card]
        sector = rng.normal(0.0, 0.5, int(pads.sector.max()) + 1)[pads.sector]
        return 1.0 + self.structure * (wave + border + card + sector)

    def _eye_scan(self, truth: Array, rng: np.random.Generator) -> Array:
        """Return (n,) labels in words, '' for pads that nobody looked at."""
        n = len(truth)
        found = np.full(n, "", dtype="U16")
        seen = rng.permutation(n)[: self.labels]
        said = truth[seen].copy()
        mistaken = rng.random(len(seen)) < self.wrong
        # Who errs takes good for problematic or the other way round, as the next class of the list.
        other = np.where(said == 0, rng.integers(1, len(CLASSES), len(seen)), 0)
        said[mistaken] = other[mistaken]
        found[seen] = np.array(CLASSES)[said]
        return found

    def __iter__(self) -> Iterator[Batch]:
        pads, truth = self._pads, self._truth
        source = np.arange(len(pads))
        if self.swapped:
            source = _swapped(pads, self.swapped, np.random.default_rng([13, self.seed]))
        parts = []
        for start in range(0, len(pads), BATCH):
            rows = np.arange(start, min(start + BATCH, len(pads)))
            parts.append(self._batch(rows, source[rows], np.random.default_rng([14, self.seed, start]), pads, truth))
        yield concatenate(parts)  # as one: each pad has its neighbours

    def _batch(self, rows: Array, own: Array, rng: np.random.Generator, pads: PadPlane, truth: Any) -> Batch:
        """`own`: the pads whose spectra are read out where those of `rows` should be."""
        gain, decays, kind = truth["gain"][own], truth["decays"][own], truth["class"][own]
        if self.by == "collisions":
            expected, gain = self._of_collisions(gain, decays, kind, rng)
        else:
            expected, gain = spoil(self._varied(rng), kind, gain, decays, rng)
            expected += (self.noise * decays * (kind != 1))[:, None] * self._shape.noise(np.full(len(own), 25.0))
        counts = np.zeros((len(rows), len(self._shape.edges) + 1), np.float32)
        counts[:, 1:-1] = rng.poisson(np.maximum(expected, 0.0))
        meta = dict(pads[rows].columns())
        meta |= {"temperature_c": truth["temperature"][own], "pressure_hpa": np.full(len(rows), self.pressure)}
        if self.labels:
            meta["label"] = truth["label"][rows]
        meta |= {"truth_class": np.array(CLASSES)[kind], "truth_gain": gain, "truth_decays": decays}
        meta |= {"truth_swapped": own != rows} if self.swapped else {}
        return Batch(self.schema, counts, meta=meta)

    def _varied(self, rng: np.random.Generator) -> Line:
        own = {f.name: getattr(self._shape, f.name) for f in fields(Line)}
        return _Varied(**own, spread=self.resolution_spread, rng=rng)

    def _of_collisions(
        self, gain: Floats, decays: Floats, kind: Array, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        shape = self._varied(rng)
        return spoil(_Collisions(*[getattr(shape, f.name) for f in fields(Line)]), kind, gain, decays, rng)


@dataclass(frozen=True)
class _Varied(Line):
    """Lines whose resolution differs from pad to pad."""

    spread: float = 0.0
    rng: Any = None

    def expected(self, gain: Floats, resolution: Floats | None = None) -> Floats:
        """Return the same with another resolution of each pad."""
        own = self.resolution * np.exp(self.spread * self.rng.normal(size=len(gain)))
        return super().expected(gain, own)


class _Collisions(Line):
    """Clusters on tracks in place of lines; saturation and the rest as there."""

    def expected(self, gain: Floats, resolution: Floats | None = None) -> Floats:
        """Return the shares of clusters of pions."""
        return self.collisions(gain)


def _swapped(pads: PadPlane, pairs: int, rng: np.random.Generator) -> Array:
    """Return (n,) which pad is read out in place of each, where `pairs` of whole cards are plugged crosswise."""
    found = np.arange(len(pads))
    cards, sizes = np.unique(pads.card, return_counts=True)
    whole = rng.permutation(cards[sizes == sizes.max()])
    for one, other in zip(whole[:pairs], whole[pairs : 2 * pairs], strict=False):
        a, b = np.flatnonzero(pads.card == one), np.flatnonzero(pads.card == other)
        found[a], found[b] = b, a
    return found
