"""Simulated pulses of RF cavities: who sees a quench, how early, of what kind a fault is, and what labels are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from lynkeus.core import Case, Check, Comparison, Part
from lynkeus.simulate.cavity.faults import CLASSES
from lynkeus.studies.xfel_cavities.baselines import components_taken_out, largest_deviation
from lynkeus.studies.xfel_cavities.labels import LabelCurve
from lynkeus.studies.xfel_cavities.look import FurtherLook
from lynkeus.studies.xfel_cavities.pulses import PulseSubset, SimulatedPulses

SHARE = 1331 / (81_922 + 1331)  # faulty ones of the published pulses
BASELINES = {"largest deviation": largest_deviation, "12 components taken out": components_taken_out}
SIZES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
UNSEEN = ("quench", "detuning", "probe_jump", "ringing", "beam_loss")
Options = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StudySize:
    """`pulses` of each of `cavities` to learn from, `test` of each to test on, `healthy` of each for thresholds,
    `quenches` of each in sequences that end in a quench, `sized` of each for every size of the faults, `seeds` for each
    number of labels."""

    cavities: int = 4
    pulses: int = 5204
    test: int = 1500
    healthy: int = 2500
    quenches: int = 1500
    sized: int = 400
    seeds: int = 3
    sizes: tuple[float, ...] = SIZES
    unseen: tuple[str, ...] = UNSEEN
    counts: tuple[int, ...] = (5, 10, 20, 50)
    epochs: int = 12


SMOKE = StudySize(2, 1600, 500, 1000, 200, 120, 2, (0.3, 1.0), ("quench",), (50,), 5)


def xfel_cavities(smoke: bool = False) -> Comparison:
    """Who sees a quench in simulated pulses, how early, and what are labels worth?"""
    scale = SMOKE if smoke else StudySize()
    train = SimulatedPulses(11, scale.pulses, scale.cavities, share=SHARE)
    test = SimulatedPulses(12, scale.test, scale.cavities, share=0.25)
    scorers = _scorers(scale.epochs, smoke)
    few = {name: scorers[name] for name in ("deep_svdd", "deep_sad", "classifier")}
    parts = {
        "pulses": Part(
            {"later": Case(train, test)},
            scorers,
            CLASSES,
            BASELINES,
            groups="sequence",
            look=FurtherLook(
                SimulatedPulses(13, scale.healthy, scale.cavities, "healthy"),
                SimulatedPulses(14, scale.quenches, scale.cavities, "quench", 0.5),
                tuple(
                    SimulatedPulses(20 + n, scale.sized, scale.cavities, share=0.8, size=size)
                    for n, size in enumerate(scale.sizes)
                ),
                train,
                BASELINES,
            ),
            data=_data(scale),
        ),
        "unseen": Part(
            {
                kind: Case(PulseSubset(train, step=2, without=kind), PulseSubset(test, only=kind))
                for kind in scale.unseen
            },
            few,
            CLASSES,
            {"12 components taken out": components_taken_out},
            groups="sequence",
            data="the same simulated pulses, every second healthy one. Of the class that gives a case its name no "
            "label was shown, and it alone is tested",
        ),
        "labels": Part(
            {"50": Case(PulseSubset(train, step=4, labels=50), test)},
            few,
            CLASSES,
            {"12 components taken out": components_taken_out},
            groups="sequence",
            look=LabelCurve(train, scale.counts, scale.seeds, few),
            data="the same simulated pulses, every fourth healthy one, and 50 labelled faulty ones drawn at random; in "
            "the figure also fewer",
        ),
    }
    return Comparison("xfel_cavities", QUESTION, parts, _checks(smoke))


QUESTION = (
    "Who sees a quench, and how many pulses before the field drops? Who names the kind of fault? How small a fault is "
    "found, and what are five to fifty labels worth? **All pulses are simulated** (`sim://cavity`): the numbers say "
    "what a method can do with this physics, not what it does at a machine. On real pulses of the European XFEL, other "
    "data, an AUROC of 0.94 was published for the LSTM here called `pulse_sequence`, and 0.86 for the system in use."
)


def _scorers(epochs: int, smoke: bool) -> Options:
    """The physics, then labels of every class, of faulty or not, and none. Networks read whitened deviations from the
    mean pulse, but for the classifier, which does better without whitening."""
    one_class = {"network": "dense", "windows": "white", "training": {"epochs": epochs}}
    scorers: dict[str, Mapping[str, Any]] = {
        "cavity": {},
        "classifier": {**one_class, "windows": "deviation", "classes": CLASSES[1:]},
        "deep_sad": one_class,
        "deep_svdd": one_class,
        "autoencoder": one_class,
    }
    return scorers if smoke else scorers | {"pulse_sequence": {"training": {"epochs": epochs}}}


def _data(scale: StudySize) -> str:
    learned, tested = scale.cavities * scale.pulses, scale.cavities * scale.test
    faulty = scale.cavities * round(SHARE * scale.pulses)
    return (
        f"simulated pulses of {scale.cavities} cavities. To learn from: {learned - faulty:,} healthy and {faulty:,} "
        f"faulty ones, the ratio of the published 81,922 and 1,331, scaled down. To test: {tested:,} pulses of the "
        "same cavities, later and with another seed, a quarter of them faulty, so that every class can be counted; "
        "their average precision is for this share. Test samples are drawn again by sequences, not by pulses"
    )


def _checks(smoke: bool) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)["smoke" if smoke else "full"]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
