"""Is a network that learns for discovery better than one that learns classes and is cut well?"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from lynkeus.core import Against, Check, Tagging, concatenate, plugins
from lynkeus.core.protocols import Source
from lynkeus.sources import InMemory
from lynkeus.studies.asimov_loss.look import ACCURACY, DiscoveryLook, Search

SYSTEMATICS = (0.05, 0.1, 0.2, 0.3, 0.5)
TRAIN, TEST, COUNTED = 24_000, 8_000, 800_000
LEPTONS, LEPTONS_COUNTED = 6_000, 16_000
MOST_KEPT = 200_000  # events that are held in memory
SMOKE_TRAIN, SMOKE_TEST, SMOKE_COUNTED = 6_000, 4_000, 20_000
SEEDS, SMOKE_SEEDS = (1, 2, 3, 4, 5), (1, 2)


def asimov_loss(smoke: bool = False) -> Tagging:
    """Train for discovery, and for accuracy; what does each expect, with the cut tuned, and with a pure region?"""
    train, test, counted = (SMOKE_TRAIN, SMOKE_TEST, SMOKE_COUNTED) if smoke else (TRAIN, TEST, COUNTED)
    epochs: dict[str, Any] = {"training": {"epochs": 3 if smoke else 12}, "signal": "stop"}
    systematics = (0.5,) if smoke else SYSTEMATICS
    scorers: dict[str, dict[str, Any]] = {ACCURACY: epochs}
    for systematic in systematics:
        scorers[f"search_classifier asimov {systematic:.0%}"] = {**epochs, "loss": "asimov", "systematic": systematic}
    if not smoke:
        scorers["search_classifier five bins 50%"] = {**epochs, "loss": "asimov", "systematic": 0.5, "bins": 5}
    second = None if smoke else Search("one_lepton", one_lepton(LEPTONS, 1), one_lepton(LEPTONS_COUNTED, 2), "signal")
    return Tagging(
        name="asimov_loss",
        question=QUESTION,
        train=stops(train, 1),
        test=stops(test, 2),
        scorers=scorers,
        against={"stop against ttbar": Against("stop", ("ttbar",))},
        seeds=SMOKE_SEEDS if smoke else SEEDS,
        checks=_checks("smoke" if smoke else "full"),
        look=DiscoveryLook(stops(counted, 3), systematics, second, epochs),
        data="`sim://stop`, closed forms with the yields of arXiv:1806.00322 (31.2 stops, 20,762 top pairs in 30/fb): "
        f"{train:,} events to learn from for each seed, {counted:,} others, half to choose cuts on, half to count",
    )


QUESTION = (
    "A search counts events in a region where the background is uncertain by a part of itself. The loss can be the "
    "significance that it expects (Asimov), or accuracy (cross-entropy) with a cut afterwards. A talk contrasts 6.2 ± "
    "0.6 with 4.8 ± 0.3 at 50 % (a ratio of 1.29), for cross-entropy with a *purity cut*. What that is, its slide does "
    "not say, and the text of the paper was not at hand: here it is the loosest region of which half is signal. The "
    "public program of the authors (github.com/aelwood/hepML, `makeHepPlots`) takes the best of 5,000 equal *steps* of "
    "the output. The fair row is the cut *tuned* for the same significance, of any value, on events that are not "
    "counted. What a loss learned is kept only where held-out events show it to be better than cross-entropy with its "
    "best cut: else the model is cross-entropy's, and loses nothing."
)


def stops(n: int, seed: int) -> Source:
    """Return n events of the toy search; few of them are made once."""
    found: Source = plugins.load("simulators", "stop")(n=n, seed=seed)
    return _once(found) if n <= MOST_KEPT else found


def one_lepton(n: int, seed: int) -> Source:
    """Return n events with one lepton, of one mass point."""
    found: Source = plugins.load("simulators", "one_lepton")(n=n, seed=seed, points="1900_100")
    return _once(found)


def _once(source: Source) -> Source:
    return InMemory(concatenate(list(source)), 10_000)


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
