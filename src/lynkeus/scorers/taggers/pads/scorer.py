"""PadSpectrum: which pads of a time projection chamber are good, what is wrong with the others, and their gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import About, Array, Batch, Floats, Schema, SchemaError, Scores, SettingsError, Source, SourceError
from lynkeus.core.batch import concatenate
from lynkeus.core.last_batch import LastBatch
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.taggers.pads.evidence import Evidence, oddness
from lynkeus.scorers.taggers.pads.eye_scan import AS_THEY_ARE, Scales, learn_from_labels
from lynkeus.scorers.taggers.pads.judged import Verdicts, verdicts
from lynkeus.scorers.taggers.pads.learn import GOOD, Judge, joined, learn_alone, surely_good
from lynkeus.scorers.taggers.pads.physics import facts_of, unit_gain
from lynkeus.scorers.taggers.pads.units import require_units
from lynkeus.scorers.taggers.pads.words import Labels, numbers_of_labels, outputs_of, read_labels
from lynkeus.transforms.pads.learn import expected_of, learn_template
from lynkeus.transforms.pads.plant import CLASSES
from lynkeus.transforms.pads.spectra import edges_of, is_of_pads
from lynkeus.transforms.pads.template import Template

PREFIX = "probability_"


@dataclass
class PadSpectrum:
    """Pads by their charge spectra: good, or which fault; gains of all of them. Outputs: the probability of each class.

    Learns from no labels (planted faults, then itself) or from those of an eye-scan, of which some may be wrong. Below
    `fewest` counts a pad is NOT ENOUGH DATA; `seed` of what is planted. Learned: `template_`, `judge_`, `scales_`,
    `unit_` (the logarithm of a gain of 1), `classes_`; `facts` and `messages` of the fit.
    """

    name: ClassVar[str] = "pad_spectrum"
    about: ClassVar[About] = About(
        ("histogram",), False, "pulls of the bins from the template", "a minute", labels="optional", tags=True,
    )  # fmt: skip
    fewest: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.fewest, int) or not 1 <= self.fewest <= 100_000:
            raise SettingsError(f"fewest must be a whole number from 1 to 100000, got {self.fewest!r}")
        self._memo: LastBatch[Verdicts] = LastBatch()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the probabilities of the classes."""
        return tuple(PREFIX + name.replace(" ", "_") for name in self.classes_)

    def fit(self, source: Source) -> Self:
        """Learn from the spectra of pads; `truth` of the schema's `classes` are labels of an eye-scan, -1 where there
        is none. Raises SchemaError for other data, SettingsError for labels that cannot be."""
        self.require(source.schema)
        batch = concatenate(list(source))
        truth = np.full(len(batch), -1) if batch.truth is None else np.asarray(batch.truth)
        if source.schema.classes and len(np.unique(truth[truth >= 0])) == 1:
            raise SettingsError(
                f"all labels are {source.schema.classes[0]!r}: an eye-scan needs good and problematic pads"
            )
        self.schema_: Schema = source.schema
        self.messages: list[str] = []
        counts = batch.values[:, 1:-1]
        _require_counts(counts, self.fewest)
        self.template_, start = learn_template(counts, edges_of(source.schema))
        self._shapes: Floats = self.template_.shapes()
        own = Evidence.of(batch, self.template_, self._shapes)
        require_units(own, batch, self.template_, surely_good(own, start), fitted=True)
        judge, found, good, samples = learn_alone(counts, own, start, self.template_, self._shapes, self.seed)
        self.judge_, self.scales_ = judge, AS_THEY_ARE
        self.classes_: tuple[str, ...] = CLASSES
        self.unit_ = unit_gain(self.template_, own.log_gain[good])
        self.facts: dict[str, Any] = {"physics": facts_of(self.template_), "pads": len(batch)}
        self.held_out: tuple[Floats, Array] | None = None
        self._say_physics()
        if source.schema.classes and (truth >= 0).any():
            self._learn_labels(batch, own, good, (judge, found, samples))
        return self

    def _learn_labels(self, batch: Batch, own: Evidence, good: Array, alone: Any) -> None:
        truth = np.asarray(batch.truth)
        rows = truth >= 0
        names = batch.schema.classes
        there = np.unique(truth[rows])
        names, truth = tuple(names[k] for k in there), np.where(rows, np.searchsorted(there, truth), -1)
        labels = read_labels(names, truth[rows], alone[1].probability[rows])
        self.classes_ = outputs_of(labels)
        said = np.full(len(truth), -1)
        said[rows] = numbers_of_labels(labels, truth[rows])
        scanned = learn_from_labels(own, good, alone, said, len(self.classes_), self.seed)
        self.judge_, self.scales_ = scanned.judge, scanned.scales
        known = said[scanned.rows] >= 0
        self.held_out = (scanned.unseen[known], said[scanned.rows][known])
        self._say_labels(batch, labels, truth, scanned)

    def _say_physics(self) -> None:
        own = self.facts["physics"]
        lines = ", ".join(f"{name} {share:.2f}" for name, share in own.get("lines", {}).items())
        said = (
            f"main peak at {own['main_peak']:.4g}, resolution {own['resolution']:.1%}, threshold {own['threshold']:.3g}"
        )
        self.messages.append(said + (f"; lines of 83mKr, to the main one: {lines}" if lines else ""))

    def _say_labels(self, batch: Batch, labels: Labels, truth: Array, scanned: Any) -> None:
        names = [f"{labels.names[k]} = {'good' if own == 0 else 'problematic' if labels.binary else CLASSES[own]}"
                 for k, own in enumerate(labels.like) if own >= 0 or labels.binary]  # fmt: skip
        self.messages.append(f"labels: {', '.join(names)}")
        doubted = []
        for at in np.flatnonzero(scanned.doubtful):
            row, best = scanned.rows[at], int(scanned.unseen[at].argmax())
            doubted.append({
                "sector": int(batch.meta["sector"][row]), "row": int(batch.meta["row"][row]),
                "pad": int(batch.meta["pad"][row]), "label": labels.names[truth[row]],
                "looks": self.classes_[best], "probability": round(float(scanned.unseen[at, best]), 4),
            })  # fmt: skip
        self.facts |= {"labelled": len(scanned.rows), "doubtful_labels": doubted, "label_names": list(labels.names)}
        if doubted:
            self.messages.append(f"{len(doubted)} of {len(scanned.rows)} labels are doubtful and not learned from; all "
                                 "are in model.json, as doubtful_labels")  # fmt: skip
        for one in doubted[:10]:
            where = f"sector {one['sector']} row {one['row']} pad {one['pad']}"
            looks = f"looks {one['looks']} ({one['probability']:.0%})"
            self.messages.append(f"  {where}: labelled {one['label']}, {looks}")

    def require(self, schema: Schema) -> None:
        """Raise SchemaError for samples that are no spectra of pads."""
        if not is_of_pads(schema):
            raise SchemaError(f"the scorer {self.name} needs spectra of pads (--layout tpc_pads), got a {schema.kind}")

    def calibrate(self, source: Source) -> None:
        """Leave everything as it is: probabilities are made right in the fit, by labels that are left out in turn."""

    def score(self, batch: Batch) -> Scores:
        """Return (n, classes) probabilities of the pads of a batch, which are each other's neighbours. Raises
        SchemaError for other bins, or charges in other units."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        if not len(batch):
            return np.empty((0, len(self.outputs)))
        return np.asarray(self._verdicts(batch).probability, np.float64)

    def further(self, batch: Batch) -> dict[str, Array]:
        """Return class, verdict, good, gain, gain_error, how the gain was found, a second estimate, counts, reason."""
        return self._verdicts(batch).columns(self.classes_, batch)

    def explain(self, batch: Batch, output: str) -> Any:
        """Return (n, bins + 2) by how many standard deviations each bin is above the template, whatever the output."""
        own = Evidence.of(batch, self.template_, self._shapes)
        expected = expected_of(self.template_, own.log_gain, self._shapes)
        above = slice(self.template_.lowest, None)
        expected *= (own.gains.entries / np.maximum(expected[:, above].sum(axis=1), 1e-12))[:, None]
        found = np.zeros(batch.values.shape)
        found[:, 1:-1] = (batch.values[:, 1:-1] - expected) / np.sqrt(expected + 1.0)
        return found

    def _verdicts(self, batch: Batch) -> Verdicts:
        return self._memo.of(batch, self._judged)

    def _judged(self, batch: Batch) -> Verdicts:
        own = Evidence.of(batch, self.template_, self._shapes)
        # Which pads stand for good ones around others: at first by the trees alone, then by all.
        count = len(self.classes_)
        alone = oddness(own.shape, np.ones(len(batch), bool)) < 3.0
        good = alone if alone.any() else np.ones(len(batch), bool)
        require_units(own, batch, self.template_, good, fitted=False)
        for _ in range(2):
            bad, kinds = self.judge_.trees.probabilities(own.numbers(good), count)
            residual = self.judge_.shifts.residual(own.log_gain, own.near, good)
            shift = self.judge_.shifts.probability(residual)
            bad, shift = self.scales_.of(bad, shift)
            probability = joined(bad, kinds, shift)
            again = probability[:, GOOD] > 0.5
            good = again if again.any() else good
        return verdicts(own, probability, residual, batch, self.template_, self.unit_, self.fewest)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.template_, "template_.") | arrays_of(self.judge_, "judge_.")
        arrays |= arrays_of(self.scales_, "scales_.") | {"unit_": np.array([self.unit_])}
        arrays["classes_"] = np.frombuffer("\n".join(self.classes_).encode(), np.uint8)
        settings: Mapping[str, Any] = asdict(self)
        write_folder(folder, self.schema_, settings, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.template_ = part_of(Template, arrays, "template_.")
        scorer.judge_ = part_of(Judge, arrays, "judge_.")
        scorer.scales_ = part_of(Scales, arrays, "scales_.")
        scorer.unit_ = float(arrays["unit_"][0])
        scorer.classes_ = tuple(arrays["classes_"].tobytes().decode().split("\n"))
        scorer.judge_.trees.require(len(scorer.classes_))
        scorer._shapes = scorer.template_.shapes()
        scorer.facts, scorer.messages, scorer.held_out = {}, [], None
        return scorer


def _require_counts(counts: Floats, fewest: int) -> None:
    """Raise SourceError where most pads have too few counts to be judged, so that there is nothing to learn from."""
    total = counts.sum(axis=1)
    usual = float(np.median(total[total > 0])) if (total > 0).any() else float(fewest)
    if usual < fewest:
        raise SourceError(
            f"half of the pads have fewer than {usual + 1:.0f} counts, and a verdict takes {fewest}: is the run "
            "cut short? Give a longer one, or add up several"
        )
