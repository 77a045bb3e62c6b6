"""Cavity: pulses of a superconducting RF cavity judged by its own equation; the recommended scorer for pulses.

Each cavity is calibrated on its healthy pulses; every fault is a generalised likelihood ratio in sigmas of healthy
pulses, so that the largest one names the fault. docs: how_cavity_works.md; arXiv 2407.08408, PRAB 26 012801.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Evidence, Finding, LastBatch, ModelError, Schema, SchemaError, Scores, Source
from lynkeus.core.protocols import About
from lynkeus.files.arrays import arrays_of, part_of, read_folder, write_folder
from lynkeus.scorers.cavity.baseline import FAULTS, CavityBaseline, PulseFindings
from lynkeus.scorers.cavity.equation import signals_of
from lynkeus.scorers.cavity.words import evidence, words
from lynkeus.transforms.missing import with_enough_data

CHANNELS = tuple(f"{signal}_{part}" for signal in ("probe", "forward", "reflected") for part in "iq")
AT_ONCE = 256  # pulses computed together
OWN_PULSES = 50  # from which a cavity has a baseline of its own
LEAST_PULSES = 20
KEPT, KEPT_PER_CAVITY = 16384, 512  # pulses of the reference that are kept for the fit
WORTH_SAYING = 3.0  # sigmas
SHORTEST = 40  # samples of a pulse
REAL, IMAGINARY = ".re", ".im"  # safetensors know no complex numbers


@dataclass
class Cavity:
    """`anomaly` and one output for each fault, all in sigmas of healthy pulses; the largest fault names it.

    Reads I and Q of probe, forward and reflected in any unit, and `meta["cavity"]` where there is one: a cavity with
    at least OWN_PULSES pulses is judged by itself, the others by all together. `level`: sigmas from which `classify`
    names a fault. Some per cent of faulty pulses in the reference do no harm. Learned: `baselines_` by
    cavity, '' for all.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly", *FAULTS)
    about: ClassVar[About] = About(
        ("waveform",),
        False,
        "when and in which signal",
        "1 ms a pulse",
        constants=True,
        recommended=True,
        names_kinds=True,
    )  # fmt: skip
    level: float = 5.0

    def __post_init__(self) -> None:
        self._memo: LastBatch[Scores] = LastBatch()

    def fit(self, source: Source) -> Self:
        """Learn in two passes over a stream. Raises SchemaError where these are no pulses, or too few."""
        self._memo.forget()
        _require_pulses(source.schema)
        self.schema_ = source.schema
        kept = _thinned(source)
        together = np.concatenate(list(kept.values())) if kept else np.empty((0,))
        if len(together) < LEAST_PULSES:
            raise SchemaError(
                f"cavity has {len(together)} pulses without gaps to learn from; give {LEAST_PULSES} or more"
            )
        self.baselines_: dict[str, CavityBaseline] = {}
        for name, values in kept.items():
            if name and len(values) >= OWN_PULSES:
                self._learn(name, values)
        try:
            self._learn("", together[:: -(-len(together) // (2 * KEPT_PER_CAVITY))])
        except SchemaError:
            if not self.baselines_:
                raise
        return self

    def _learn(self, name: str, values: Array) -> None:
        assert self.schema_.sample_rate_hz is not None
        self.baselines_[name] = CavityBaseline.fit(signals_of(values), 1 / self.schema_.sample_rate_hz)

    def score(self, batch: Batch) -> Scores:
        """Return the scores (n, 9) in sigmas; NaN for a pulse that misses more than half of its values, or of a cavity
        that nothing is known of."""
        return self._memo.of(batch, self._scores).copy()

    def _scores(self, batch: Batch) -> Scores:
        scores = np.full((len(batch), len(self.outputs)), np.nan)
        for rows, baseline, found in self._found(batch):
            scores[rows] = baseline.scores(found)
        return np.where(np.isnan(with_enough_data(batch, np.zeros(len(batch)))), np.nan, scores)

    def classify(self, batch: Batch) -> npt.NDArray[np.str_]:
        """Return the fault (n,) that each pulse is most like, '' where it looks healthy."""
        return self._kinds(self.score(batch))

    def _kinds(self, scores: Scores) -> npt.NDArray[np.str_]:
        names = np.array(FAULTS)[np.argmax(np.nan_to_num(scores[:, 1:], nan=-np.inf), axis=1)]
        return np.where(scores[:, 0] > self.level, names, "")

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return squared sigmas of each sample of each signal that speak for the output: its own part in I and in Q."""
        shown = np.zeros(batch.values.shape)
        for rows, baseline, found in self._found(batch):
            shown[rows] = evidence(baseline, signals_of(batch.values[rows]), found, output)
        return shown

    def find(self, batch: Batch, output: str = "anomaly") -> list[tuple[Finding, ...]]:
        """Name the fault of each pulse beyond `level`; of those beyond WORTH_SAYING sigmas also say what it is, such as
        "half bandwidth up 40 % from 0.9 ms (217 -> 304 Hz), detuning +12 Hz"."""
        scores, column = self.score(batch), self.outputs.index(output)
        kinds = self._kinds(scores)
        said: list[tuple[Finding, ...]] = [()] * len(batch)
        rows = np.flatnonzero(np.nan_to_num(scores[:, column]) > min(WORTH_SAYING, self.level))
        for part, baseline, looked in self._found(batch[rows]):
            for number, row in enumerate(rows[part]):
                of = FAULTS[int(np.argmax(scores[row, 1:]))] if output == "anomaly" else output
                sigma, says = float(scores[row, column]), words(baseline, looked, of, number)
                said[row] = (Finding(kind=str(kinds[row]), sigma=sigma, says=says),)
        return said

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays: dict[str, Array] = {}
        for cavity, baseline in self.baselines_.items():
            for name, array in arrays_of(baseline).items():
                parts = {REAL: array.real, IMAGINARY: array.imag} if np.iscomplexobj(array) else {"": array}
                arrays |= {f"{cavity}/{name}{end}": part for end, part in parts.items()}
        write_folder(folder, self.schema_, asdict(self), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        schema, settings, arrays = read_folder(folder)
        parts: dict[str, dict[str, Array]] = {}
        try:
            scorer = cls(**settings)
            for name, array in arrays.items():
                cavity, _, own = name.rpartition("/")
                if own.endswith(REAL):
                    own, array = own.removesuffix(REAL), array + 1j * arrays[name.removesuffix(REAL) + IMAGINARY]
                if not own.endswith(IMAGINARY):
                    parts.setdefault(cavity, {})[own] = array
            scorer.baselines_ = {cavity: part_of(CavityBaseline, found) for cavity, found in parts.items()}
        except (KeyError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a Cavity of this version ({error}); fit it again") from error
        scorer.schema_ = schema
        return scorer

    def _found(self, batch: Batch) -> Iterator[tuple[Array, CavityBaseline, PulseFindings]]:
        """Yield rows of one cavity, some at a time, its baseline, and what is found in them."""
        self.schema_.require(batch.schema, "the scorer cavity")
        if batch.values.shape[2] != self.schema_.shape[1]:
            raise SchemaError(
                f"cavity was fitted on pulses of {self.schema_.shape[1]} samples, these have {batch.values.shape[2]}"
            )
        names = _cavities(batch)
        for name in np.unique(names):
            baseline = self.baselines_.get(str(name), self.baselines_.get(""))
            rows = np.flatnonzero(names == name)
            for start in range(0, len(rows) if baseline else 0, AT_ONCE):
                part = rows[start : start + AT_ONCE]
                assert baseline is not None
                yield part, baseline, baseline.find(signals_of(batch.values[part]))


def _require_pulses(schema: Schema) -> None:
    """Raise SchemaError naming the kind where these are no pulses."""
    wanted = f"a waveform with the channels {', '.join(CHANNELS)} and a sample rate"
    if schema.kind != "waveform":
        raise SchemaError(f"cavity reads pulses of an RF cavity, {wanted}, not a {schema.kind}; choose another scorer")
    if schema.names != CHANNELS:
        raise SchemaError(
            f"cavity reads pulses of an RF cavity, {wanted}; this waveform has {', '.join(schema.names[:3])}, ...; "
            "choose another scorer, or name them in the layout"
        )
    length = schema.shape[1]
    if schema.sample_rate_hz is None or length is None or length < SHORTEST:
        raise SchemaError(
            f"cavity reads a waveform of at least {SHORTEST} samples at a known rate, not {length} samples"
        )


def _cavities(batch: Batch) -> npt.NDArray[np.str_]:
    """Return the name of the cavity of each pulse (n,); '' where the batch has none."""
    return np.asarray(batch.meta["cavity"], str) if "cavity" in batch.meta else np.full(len(batch), "")


def _thinned(source: Source) -> dict[str, Array]:
    """Return some pulses without gaps of each cavity, evenly over the source: at most KEPT in all, KEPT_PER_CAVITY of
    one."""
    counts: dict[str, int] = {}
    for batch in source:
        names, found = np.unique(_cavities(batch), return_counts=True)
        for name, count in zip(names, found, strict=True):
            counts[str(name)] = counts.get(str(name), 0) + int(count)
    most = KEPT if len(counts) == 1 else max(LEAST_PULSES, KEPT // max(len(counts), 1))
    most = min(most, KEPT_PER_CAVITY)
    kept: dict[str, list[Array]] = {name: [] for name in counts}
    seen = dict.fromkeys(counts, 0)
    for batch in source:
        whole = np.asarray(np.isfinite(batch.values).all(axis=(1, 2)))
        cavities = _cavities(batch)
        for cavity in np.unique(cavities):
            name = str(cavity)
            rows = np.flatnonzero(cavities == cavity)
            number = seen[name] + np.arange(len(rows))
            seen[name] += len(rows)
            chosen = number * most // max(counts[name], most) != (number - 1) * most // max(counts[name], most)
            kept[name].append(batch.values[rows[chosen & whole[rows]]])
    return {name: np.concatenate(parts) for name, parts in kept.items() if parts}
