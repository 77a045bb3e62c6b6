"""What the study looks at: the significance that each network expects, by how the region is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from scipy.stats import t

from lynkeus.core import Array, Batch, Findings, Floats, Source, Tagged
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.studies.asimov_loss.figures import by_cut, by_systematic
from lynkeus.studies.asimov_loss.regions import Counted, significances

ACCURACY = "search_classifier"
TUNED, PURE, STEPPED, BINNED = WAYS = "tuned cut", "purity cut", "5,000 steps", "five bins"
SECOND_SEEDS = (1, 2, 3, 4, 5)
KEPT = "Was the network kept that the loss made? Else cross-entropy's is the model, and the rows above are alike"
Rows = dict[tuple[str, float, str], Floats]  # of a network, a systematic, a way to choose: (seeds,) significances


@dataclass(frozen=True)
class Search:
    """Another search: its events to learn from and to count, and the class of the signal."""

    name: str
    train: Source
    counted: Source
    signal: str


@dataclass(frozen=True)
class DiscoveryLook:
    """Counts the events of `source` by all networks, at each of the `systematics`."""

    source: Source
    systematics: Sequence[float]
    second: Search | None
    options: Mapping[str, Any]

    def __call__(self, test: Batch, tagged: Sequence[Tagged], folder: Path) -> Findings:
        """Return figures, metrics and tables."""
        models = {one.name: list(one.models) for one in tagged}
        rows, curves = counted_by(models, self.source, "stop", self.systematics)
        by_systematic(rows, self.systematics, folder / "systematics.svg")
        strongest = max(self.systematics)
        by_cut(curves, strongest, folder / "cuts.svg")
        metrics = _metrics(rows, self.systematics)
        tables = {
            "Ratios of expected significances, mean and 90 % interval of seeds (Student); published at 50 %: 1.29 over "
            "a purity cut": _statement(rows, self.systematics),
            "Expected significance, mean and standard deviation of seeds": _table(rows, self.systematics),
            KEPT: _kept(models),
        }
        if self.second is not None:
            more, _ = counted_by(self._second_models(), self.second.counted, self.second.signal, (strongest,))
            tables[f"The same on `sim://{self.second.name}`, a mass point of 1900 and 100 GeV"] = _table(
                more, (strongest,)
            )
            metrics |= {f"{self.second.name}.{key}": value for key, value in _metrics(more, (strongest,)).items()}
        figures = {
            "systematics.svg": "Expected significance by the systematic uncertainty of the background; bars: seeds",
            "cuts.svg": f"The same at {strongest:.0%} by the share of signal that a cut keeps, first seed",
        }
        return Findings(figures, metrics, tables)

    def _second_models(self) -> dict[str, list[Fitted]]:
        assert self.second is not None
        own = {**self.options, "signal": self.second.signal}
        strongest = max(self.systematics)
        kinds = {
            ACCURACY: own,
            f"{ACCURACY} asimov {strongest:.0%}": {**own, "loss": "asimov", "systematic": strongest},
        }
        return {
            name: [fit(self.second.train, FitSettings(ACCURACY, {**kind, "seed": seed})) for seed in SECOND_SEEDS]
            for name, kind in kinds.items()
        }


def counted_by(
    models: Mapping[str, Sequence[Fitted]], source: Source, signal: str, systematics: Sequence[float]
) -> tuple[Rows, dict[str, tuple[Floats, Floats, Floats]]]:
    """Return all rows, and of the first seed of each network expected signal and background by cut."""
    parts: dict[str, list[list[Floats]]] = {name: [[] for _ in own] for name, own in models.items()}
    truths: list[Array] = []
    weights: list[Floats] = []
    for batch in source:
        truths.append(np.asarray(batch.truth) == batch.schema.classes.index(signal))
        weights.append(np.ones(len(batch)) if batch.weight is None else batch.weight)
        for name, own in models.items():
            for number, fitted in enumerate(own):
                parts[name][number].append(_output(fitted, batch, signal))
    truth, weight = np.concatenate(truths), np.concatenate(weights)
    rows: Rows = {}
    curves = {}
    for name, scored in parts.items():
        counts = [Counted.of(np.concatenate(one), truth, weight) for one in scored]
        curves[name] = counts[0].curve()
        for systematic in systematics:
            found = [significances(one, systematic) for one in counts]
            for way in WAYS:
                rows[name, systematic, way] = np.array([one[way] for one in found])
    return rows, curves


def _output(fitted: Fitted, batch: Batch, signal: str) -> Floats:
    """Return (n,) the output of the network for the signal, as it was trained: not calibrated to the few signals that
    are expected, for which all outputs of interest lie closely together."""
    scorer: Any = fitted.scorer
    return np.asarray(softmax(scorer.logits(batch), axis=1)[:, scorer.outputs.index(signal)])


def _metrics(rows: Rows, systematics: Sequence[float]) -> dict[str, float]:
    found = {}
    for (name, systematic, way), z in rows.items():
        short = name.removeprefix(ACCURACY).strip() or "cross-entropy"
        found[f"{short}.{systematic:.0%}.{way}"] = float(z.mean())
    for systematic in systematics:
        own = rows[f"{ACCURACY} asimov {systematic:.0%}", systematic, TUNED]
        for way in (TUNED, PURE, STEPPED):
            other = rows[ACCURACY, systematic, way]
            ratios = own / other  # seed by seed
            found[f"asimov over {way}.{systematic:.0%}"] = float(own.mean() / other.mean())
            found[f"asimov over {way}.{systematic:.0%}.error"] = float(ratios.std(ddof=1) / np.sqrt(len(ratios)))
    return found


def _statement(rows: Rows, systematics: Sequence[float]) -> list[tuple[str, ...]]:
    """Return how the loss for discovery, with a tuned cut, compares with cross-entropy, seed by seed."""
    lines: list[tuple[str, ...]] = [("Asimov loss over cross-entropy with", *(f"{one:.0%}" for one in systematics))]
    for way in (TUNED, PURE, STEPPED):
        cells = []
        for systematic in systematics:
            ratios = rows[f"{ACCURACY} asimov {systematic:.0%}", systematic, TUNED] / rows[ACCURACY, systematic, way]
            half = float(t.ppf(0.95, len(ratios) - 1) * ratios.std(ddof=1) / np.sqrt(len(ratios)))
            cells.append(f"{ratios.mean():.2f} ({ratios.mean() - half:.2f} to {ratios.mean() + half:.2f})")
        lines.append((way, *cells))
    return lines


def _kept(models: Mapping[str, Sequence[Fitted]]) -> list[tuple[str, ...]]:
    """Return of each loss how often it was kept, and what held-out events said of it beside cross-entropy."""
    lines: list[tuple[str, ...]] = [("network", "kept", "significance over cross-entropy, held-out events")]
    for name, own in models.items():
        scorers: list[Any] = [fitted.scorer for fitted in own]
        found = [one.facts["choice"] for one in scorers if "choice" in one.facts]
        if found:
            ratios = ", ".join(f"{one['ratio']:.2f} ± {one['spread']:.2f}" for one in found)
            kept = sum(one["kept"] for one in found)
            lines.append((name.removeprefix(ACCURACY).strip(), f"{kept} of {len(found)}", ratios))
    return lines


def _table(rows: Rows, systematics: Sequence[float]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("network", "region", *(f"{one:.0%}" for one in systematics))]
    names = list(dict.fromkeys(name for name, _, _ in rows))
    for name in names:
        for way in WAYS:
            whole = name == ACCURACY or name.endswith("asimov 50%")
            if way != TUNED and not whole and not (way == BINNED and "bins" in name):
                continue
            short = name.removeprefix(ACCURACY).strip() or "cross-entropy"
            cells = (rows[name, systematic, way] for systematic in systematics)
            lines.append((short, way, *(f"{z.mean():.2f} ± {z.std(ddof=1):.2f}" for z in cells)))
    return lines
