"""Tops among jets of quarks and gluons: a cut on the mass, substructure observables, a network of particles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import MARKERS, SERIES, finished, save
from lynkeus.commission.tagging.figures import as_in_physics
from lynkeus.core import Case, Check, Comparison, Findings, Outcome, Part, concatenate
from lynkeus.metrics.reliability import reliability
from lynkeus.metrics.tagging import EFFICIENCIES, Separation, roc, separation
from lynkeus.simulate.jets.source import JetSource
from lynkeus.sources import InMemory

TRAIN, TEST = 40_000, 60_000
SMOKE = 600
CLASSES = ("qcd", "top")
PT = "550-650"
EPOCHS = 18
BASELINE, NETWORK = "jet_observables", "particle_net"

QUESTION = (
    "How many jets of quarks and gluons does a tagger reject while it keeps half of the tops? A cut on the groomed "
    "mass, boosted trees of 23 substructure observables (jet_observables: soft-drop mass, N-subjettiness, energy "
    "correlations and others), and ParticleNet-Lite, which reads the particles, all learn from the same jets, and "
    "within a quarter of an hour of processor time. **Does a network know more than what one knows to compute?** The "
    "jets are of the fast shower of this package and its parametric detector, so the numbers are no prediction for an "
    "experiment; they compare methods on the very same jets."
)


def top_tagging(smoke: bool = False) -> Comparison:
    """How much better than substructure observables does a network of particles tell tops from quarks and gluons?"""
    train, test = (SMOKE, SMOKE) if smoke else (TRAIN, TEST)
    training = {"epochs": 2 if smoke else EPOCHS, **({"batch_size": 32} if smoke else {})}
    part = Part(
        {PT: Case(_jets(train, 1), _jets(test, 2))},
        {"jet_mass": {}, BASELINE: {}, NETWORK: {"size": "lite", "training": training}},
        CLASSES,
        look=look,
        data=(
            f"{train:,} jets to learn from (seed 1), of which each tagger keeps a fifth to make its probabilities "
            f"right, and {test:,} others to test (seed 2): anti-kT with radius 0.8, pT {PT} GeV, |eta| below 2, as "
            "many tops as jets of quarks and gluons; `sim://jets?generator=shower`"
        ),
    )
    return Comparison("top_tagging", QUESTION, {"jets": part}, _checks("smoke" if smoke else "full"))


def _jets(count: int, seed: int) -> InMemory:
    """Jets, made once: every tagger reads them several times."""
    jets = JetSource(",".join(CLASSES), PT, count, seed)
    return InMemory(concatenate(list(jets)), 1024)


def look(case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    """Rejections with intervals, how much better the network is than the observables, ROC curves, and reliability."""
    found = {outcome.name: _separation(outcome) for outcome in outcomes}
    metrics: dict[str, float] = {}
    head = ["tagger", *(f"1/eB at {efficiency:.0%}" for efficiency in EFFICIENCIES), "calibration error, %"]
    lines = [head]
    for outcome in outcomes:
        own = found[outcome.name]
        assert outcome.test.truth is not None
        error = 100 * reliability(outcome.scores[:, 0], np.equal(outcome.test.truth, 1), outcome.test.weight).error
        each = zip(own.rejection, own.rejection_low, own.rejection_high, strict=True)
        cells = [f"{value:.4g} ({low:.3g} to {high:.3g})" for value, low, high in each]
        lines.append([outcome.name, *cells, f"{error:.2f}"])
        metrics |= {
            f"{outcome.name}.rejection{efficiency:.0%}".removesuffix("%"): value
            for efficiency, value in zip(own.efficiency, own.rejection, strict=True)
        }
        metrics[f"{outcome.name}.calibration_error"] = error
    half = EFFICIENCIES.index(0.5)
    metrics["ratio50"] = found[NETWORK].rejection[half] / found[BASELINE].rejection[half]
    save(draw(list(_curves(outcomes))), folder / "roc.svg")
    caption = "Rejection 1/eB against efficiency for tops."
    return Findings({"roc.svg": caption}, metrics, {"Rejection of QCD jets (90 % intervals)": lines})


def _separation(outcome: Outcome) -> Separation:
    assert outcome.test.truth is not None
    return separation(outcome.test.truth == 1, outcome.scores[:, 0], outcome.test.weight)


@dataclass(frozen=True)
class Curve:
    """Efficiencies for signal and rejections of background of a tagger."""

    name: str
    efficiency: np.ndarray
    rejection: np.ndarray


def _curves(outcomes: Sequence[Outcome]) -> Iterator[Curve]:
    for outcome in outcomes:
        assert outcome.test.truth is not None
        curve = roc(outcome.test.truth == 1, outcome.scores[:, 0], outcome.test.weight)
        at = np.searchsorted(curve.signal, np.linspace(0.05, 1, 200)).clip(0, len(curve.signal) - 1)
        at = np.unique(at[curve.background[at] > 0])
        yield Curve(outcome.name, curve.signal[at], 1 / curve.background[at])


def draw(curves: Sequence[Curve]) -> Figure:
    """ROC curves as usual in particle physics."""
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    panel = figure.subplots()
    for number, curve in enumerate(curves):
        style: dict[str, Any] = {"color": SERIES[number], "marker": MARKERS[number], "markersize": 4, "markevery": 25}
        panel.plot(curve.efficiency, curve.rejection, label=curve.name, linewidth=1.6, **style)
    panel.set(xlabel="efficiency for tops", ylabel="rejection of QCD jets, 1/eB", yscale="log", xlim=(0, 1))
    panel.legend(frameon=False)
    figure = finished(figure)
    as_in_physics(panel)
    return figure


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
