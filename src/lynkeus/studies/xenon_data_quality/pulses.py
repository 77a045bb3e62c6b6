"""Classes of pulses: by quantities and by waveforms, which is called what, and the share of each class in a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import f1_score

from lynkeus.core import Array, Floats, concatenate
from lynkeus.simulate.pulses.light import STEP_NS
from lynkeus.simulate.pulses.source import CLASSES, MIX, THRESHOLD_PHD, PulseRuns
from lynkeus.studies.xenon_data_quality.class_fractions import class_fractions, confusion_counts
from lynkeus.studies.xenon_data_quality.pulse_classes import PulseClassifier
from lynkeus.transforms.pulse_quantities import measure_pulses

WAYS = ("quantities", "waveforms")
Lines = Sequence[Sequence[str]]


class PulseSample(NamedTuple):
    """n pulses of some runs: what each of the WAYS sees of them (n, numbers), their class and run (n,)."""

    seen: dict[str, Floats]
    truth: Array
    run: Array


def draw(runs: int, pulses: int, seed: int) -> PulseSample:
    """The same pulses as quantities and as waveforms."""
    table, waves = (concatenate(list(PulseRuns(kind, runs, pulses, seed))) for kind in ("table", "waveform"))
    assert table.truth is not None
    measured = measure_pulses(waves.values[:, 0].astype(float), STEP_NS, THRESHOLD_PHD)
    return PulseSample({"quantities": table.values, "waveforms": measured}, table.truth, table.meta["run"])


def pulse_findings(runs: int, pulses: int) -> tuple[dict[str, float], dict[str, Lines]]:
    """Numbers and tables: learned on one sample, chances of a wrong name counted on a second, all shown on a third."""
    learn, known, test = (draw(runs, pulses, seed) for seed in (1, 2, 3))
    metrics: dict[str, float] = {}
    tables: dict[str, Lines] = {}
    for way in WAYS:
        classifier = PulseClassifier.fit(learn.seen[way], learn.truth, len(CLASSES))
        called = classifier.classify(test.seen[way])
        each = f1_score(test.truth, called, labels=range(len(CLASSES)), average=None, zero_division=0.0)
        metrics[f"pulses.{way}.macro_f1"] = float(np.mean(each))
        counts = confusion_counts(test.truth, called, len(CLASSES))
        head = (f"true, by {way}", *CLASSES, "F1")
        rows = [
            (name, *map(str, row), f"{f1:.4f}") for name, row, f1 in zip(CLASSES, counts.tolist(), each, strict=True)
        ]
        tables[f"SensorPulses by {way}: macro F1 {np.mean(each):.4f}"] = [head, *rows]
        confusion = confusion_counts(known.truth, classifier.classify(known.seen[way]), len(CLASSES))
        metrics |= {f"pulses.{way}.{name}": value for name, value in _fractions(test, called, confusion, tables, way)}
    return metrics, tables


def _fractions(
    test: PulseSample, called: Array, confusion: Array, tables: dict[str, Lines], way: str
) -> list[tuple[str, float]]:
    """Shares of the classes in each run with their errors (68 %), against the shares that the runs were drawn with."""
    own = [test.run == name for name in np.unique(test.run)]
    said = class_fractions(np.array([np.bincount(called[k], minlength=len(CLASSES)) for k in own]), confusion)
    truth = np.array([MIX[name] for name in CLASSES])
    inside = (said.low <= truth) & (truth <= said.high)
    head = ("class", "expected", "found in the first run", "mean difference, all runs", "expected within the error")
    lines = []
    for k, name in enumerate(CLASSES):
        value, below, above = said.value[0, k], said.value[0, k] - said.low[0, k], said.high[0, k] - said.value[0, k]
        off = np.abs(said.value - truth)[:, k].mean()
        found = f"{value:.4f} (-{below:.4f} +{above:.4f})"
        lines.append((name, f"{truth[k]:.4f}", found, f"{off:.4f}", f"{inside[:, k].mean():.0%}"))
    tables[f"Shares of the classes in a run, by {way}"] = [head, *lines]
    return [("fractions_covered", float(inside.mean())), ("fractions_zero", float((said.value <= 0).mean()))]
