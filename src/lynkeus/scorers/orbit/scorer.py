"""The recommended scorer for beam orbits: which monitor disagrees with all the others, and did the orbit itself move.

Every channel is compared with what all other channels say of it (conditional residual), against a baseline that
follows slow drift but not faults. A window is tested for its mean, for too much and for too little spread, and for
repeated values; every channel's tails are calibrated by themselves, so that a channel with heavy tails does not
speak for the others. `monitor` is the evidence of the strongest channel, less what is left when that channel is
taken out: one broken monitor explains everything, a moved beam does not. `beam` is the evidence that the rest of
the orbit moved, froze, or was mirrored about a past orbit. Both are in nats: -ln of the chance in good data.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import (
    About,
    Array,
    Batch,
    Evidence,
    Finding,
    LastBatch,
    ModelError,
    Scores,
    SettingsError,
    Source,
    Standing,
    Unseen,
)
from lynkeus.files.arrays import arrays_of, part_of, read_folder, write_folder
from lynkeus.scorers.orbit.adopted import MAINTENANCE, NOT_YET, USED
from lynkeus.scorers.orbit.baseline import Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.context import Context, WithoutCauses
from lynkeus.scorers.orbit.folds import Folds
from lynkeus.scorers.orbit.learn import learn, window_seconds
from lynkeus.scorers.orbit.sight import Sight
from lynkeus.scorers.orbit.tails import Tails
from lynkeus.scorers.orbit.words import OrbitWords, WindowTests
from lynkeus.transforms.conditional import ConditionalModel
from lynkeus.transforms.rows import like_values

WORTH_SAYING = 2.0  # nats: one window in seven
BEFORE = {"settle": 0, "mask_after": 0}  # what models of earlier versions do not say of their pace
SURE_SIGMA, SURE_NATS = 8.0, 16.0  # beyond this no chance is left in weeks of windows


@dataclass
class Orbit:
    """Outputs `monitor` and `beam` for windows of a table (or single rows).

    A monitor that is off is news for `adopt_s` seconds, a moved orbit until it is quiet for `settle_s`; then its place
    is the reference, and the incident stands. A monitor whose spread is wrong for `mask_s` is left out of what the
    others are compared with. `pace` says the same in windows, and all else of how the baseline moves; None: as the
    seconds say. `context`: patterns of channels that cause, such as magnets and the mode of the machine; what follows
    from them is expected. Learned: `schema_`, `model_`, `tails_`, `gate_`, `pace_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("monitor", "beam")
    about: ClassVar[About] = About(
        ("table", "waveform"), False, "residual in sigmas", "seconds",
        titles={"monitor": "one channel", "beam": "many channels"},
        answers={"channel": "monitor", "all channels": "beam"},
    )  # fmt: skip
    evidence_labels: ClassVar[dict[str, str]] = {
        "monitor": "evidence against the channel (nats)",
        "beam": "shift against the baseline (sigma)",
    }
    pace: Pace | None = None
    adopt_s: float = 30.0
    settle_s: float = 30.0
    mask_s: float = 60.0
    context: tuple[str, ...] = ()
    _sight: Sight = field(init=False, repr=False)
    _memo: LastBatch[WindowTests] = field(default_factory=LastBatch, init=False, repr=False)
    _folds: Folds | None = field(default=None, init=False, repr=False)  # after a fit only
    _passed: int = field(default=0, init=False, repr=False)  # windows since it was resumed

    def fit(self, source: Source) -> Self:
        """Learn from windows (or rows) in time order. Raises SchemaError where nothing can be learned."""
        seconds = (self.adopt_s, self.settle_s, self.mask_s)
        if not all(0 < given < np.inf for given in seconds):
            raise SettingsError(f"adopt_s, settle_s and mask_s of orbit must be positive, got {seconds}")
        self.whole_ = source.schema
        self.context_ = Context.fit(source, self.context) if self.context else None
        source = source if self.context_ is None else WithoutCauses(source, self.context_)
        self.schema_ = source.schema
        pace = self.pace or Pace.of_seconds(window_seconds(source), *seconds)
        self._sight, self._start, self._folds = learn(source, pace)
        self.resume({})
        return self

    @property
    def watches(self) -> tuple[str, ...]:
        """Return the channels that are no causes."""
        return self.schema_.names

    @property
    def model_(self) -> ConditionalModel:
        """Return each channel given all others."""
        return self._sight.model

    @property
    def gate_(self) -> Gate:
        """Return what counts as wrong."""
        return self._sight.gate

    @property
    def pace_(self) -> Pace:
        """Return how the baseline moves."""
        return self._sight.pace

    @property
    def tails_(self) -> Tails:
        """Return the tails of every channel."""
        assert self._sight.tails is not None  # there is none before the fit only
        return self._sight.tails

    def score(self, batch: Batch) -> Scores:
        """Return the evidence (n, 2) in nats, `monitor` and `beam`; NaN for a window that misses more than half of its
        values."""
        return self._found(batch).scores

    def explain(self, batch: Batch, output: str = "monitor") -> Evidence:
        """Return the evidence of each channel in the shape of `values`: nats for `monitor`, deviations in sigmas for
        `beam`."""
        found = self._found(batch)
        evidence = found.nats if output == "monitor" else found.deviation / self.gate_.sigma
        if self.context_ is not None:
            evidence = self.context_.like(evidence)
        return like_values(batch, evidence[:, None, :])

    def find(self, batch: Batch, output: str = "monitor") -> list[tuple[Finding, ...]]:
        """Name the monitor that is wrong, or the channel that moved most; from WORTH_SAYING nats on in words too."""
        found, names = self._found(batch), self.schema_.names
        moved = np.abs(found.deviation / self.gate_.sigma).argmax(axis=1)
        monitor = output == "monitor"
        place, nats = (found.place if monitor else moved), found.scores[:, 0 if monitor else 1]
        words = self._words()
        say = words.monitor if monitor else words.beam
        return [
            (Finding(where=names[channel], says=say(found, row) if nats[row] > WORTH_SAYING else ""),)
            for row, channel in enumerate(place.tolist())
        ]

    def unseen(self, batch: Batch) -> Unseen:
        """Return the scores by tails that have not seen the window; no good data is a channel beyond SURE_SIGMA of its
        quiet deviation, and where the orbit moved by SURE_NATS."""
        found = self._found(batch)
        scores = found.scores
        if self._folds is not None:
            inside = batch if self.context_ is None else self.context_.without_causes(batch)
            scores = self._folds.scores(inside, self._passed, self._baseline, scores)
        sigma = np.abs(found.deviation * self.gate_.per_sigma)
        most = np.array(self.schema_.names)[sigma.argmax(axis=1)]
        moved = found.scores[:, 1] > SURE_NATS
        wrong = (sigma.max(axis=1) > SURE_SIGMA) & ~moved
        return Unseen(scores, np.stack([np.where(wrong, most, ""), np.where(moved, most, "")], axis=1))

    def update(self, batch: Batch) -> None:
        """Move the baseline past a batch."""
        self._baseline = self._found(batch).after
        self._passed += len(batch)
        self._memo.forget()

    def state(self) -> dict[str, Array]:
        """Return the baseline as arrays."""
        return self._baseline.to_arrays()

    def resume(self, state: dict[str, Array]) -> None:
        """Go on from a state; from the fitted baseline where it is empty."""
        self._memo.forget()
        self._passed = 0
        if state:
            self._baseline = OrbitBaseline.from_arrays(state)
        else:
            self._baseline = self._start.afresh()

    def standing(self) -> tuple[Standing, ...]:
        """Return what has become the reference and is not as it was: see `core.Standing`."""
        return tuple(self._words().standing(self._baseline.standing, self.model_.jitter))

    def mask(self, channels: Collection[str]) -> None:
        """Leave channels out of everything until they are not named any more; other names are nobody's."""
        names = np.array(self.schema_.names)
        adopted, asked = self._baseline.standing, np.isin(names, list(channels))
        if (asked == (adopted.masked == MAINTENANCE)).all():
            return
        masked = np.where(asked, MAINTENANCE, np.where(adopted.masked == MAINTENANCE, USED, adopted.masked))
        since = np.where(masked == adopted.masked, adopted.masked_ns, self._baseline.end_ns or NOT_YET)
        self._baseline = self._sight.with_masks(self._baseline, masked.astype(np.uint8), since.astype(np.int64))
        self._memo.forget()

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.model_)
        arrays |= {f"tails.{name}": value for name, value in self.tails_.to_arrays().items()}
        arrays |= {f"start.{name}": value for name, value in self._start.to_arrays().items()}
        arrays |= {"gate.sigma": self.gate_.sigma}
        gate = {name: getattr(self.gate_, name) for name in ("channel", "energy", "notice")}
        settings = {"pace": asdict(self.pace_), "gate": gate}
        arrays |= {} if self.context_ is None else self.context_.to_arrays()
        write_folder(folder, self.whole_, settings, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        schema, settings, arrays = read_folder(folder)
        try:
            scorer = cls()
            scorer.whole_, scorer.context_ = schema, Context.from_arrays(schema, arrays)
            scorer.schema_ = schema if scorer.context_ is None else scorer.context_.schema
            sight = Sight.of(part_of(ConditionalModel, arrays), Pace(**(BEFORE | settings["pace"])))
            gate = Gate(arrays["gate.sigma"], correlation=sight.geometry.correlation, **settings["gate"])
            scorer._sight = sight.but(gate, Tails.from_arrays(_part(arrays, "tails.")))
            scorer._start = OrbitBaseline.from_arrays(_part(arrays, "start."))
        except KeyError as error:
            raise ModelError(f"{folder}: the entry {error} of an orbit scorer is missing; fit it again") from error
        scorer.resume({})
        return scorer

    def _found(self, batch: Batch) -> WindowTests:
        """Return everything about a batch, from memory until the next batch or `update`."""
        return self._memo.of(batch, self._look)

    def _words(self) -> OrbitWords:
        unit = (self.schema_.units or ("",))[0]
        return OrbitWords(self.schema_.names, unit, self.model_.conditional_sigma, self.tails_, self.gate_.sigma)

    def _look(self, batch: Batch) -> WindowTests:
        self.whole_.require(batch.schema, "the scorer orbit")
        if self.context_ is not None:
            batch = self.context_.without_causes(batch)
        return self._sight.look(batch, self._baseline)


def _part(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
