"""Do classes of a network normalise three backgrounds to data, the same at every mass point, and what is found then?"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from lynkeus.core import Against, Check, Tagging, concatenate, plugins
from lynkeus.core.protocols import Source
from lynkeus.simulate.search.one_lepton.columns import POINTS
from lynkeus.sources import InMemory
from lynkeus.studies.one_lepton.look import SearchLook

TRAIN, TEST, SIMULATION = 16_000, 6_000, 40_000
SMOKE_TRAIN, SMOKE_TEST, SMOKE_SIMULATION = 3_000, 1_500, 8_000
SHARES = "signal:2,tt1l:2,tt2l:3,wjets:2,qcd"
INJECTED = "wjets:0.72,tt1l:0.84"  # as the published talk found them
SMOKE_POINTS = ("1900_100", "1500_1000")
SMOKE_LUMINOSITY = 6.0


def one_lepton(smoke: bool = False) -> Tagging:
    """Are injected factors found, within errors that hold, the same at every point, and as by pyhf?"""
    train, test, counted = (SMOKE_TRAIN, SMOKE_TEST, SMOKE_SIMULATION) if smoke else (TRAIN, TEST, SIMULATION)
    points = SMOKE_POINTS if smoke else POINTS
    luminosity = SMOKE_LUMINOSITY if smoke else 36.0
    options: dict[str, Any] = {
        "parameters": "m_gluino,m_lsp", "signal": "signal",
        "training": {"epochs": 20, "batch_size": 128} if smoke else {"epochs": 20, "batch_size": 512},
    }  # fmt: skip
    said = {"points": ",".join(points), "processes": SHARES, "luminosity": luminosity}
    query = "&".join(f"{name}={value}" for name, value in said.items())
    look = SearchLook(
        f"sim://one_lepton?n={counted}&seed=3&{query}",
        f"sim://one_lepton?data=1&seed=4&luminosity={luminosity}&factors={INJECTED}",
        {"wjets": 0.72, "tt1l": 0.84, "tt2l": 1.0}, points,
    )  # fmt: skip
    return Tagging(
        name="one_lepton",
        question=QUESTION,
        train=events(train, 1, said),
        test=events(test, 2, said),
        scorers={"search_classifier": options},
        against={"signal against lost leptons": Against("signal", ("tt2l",))},
        seeds=(1,),
        checks=_checks("smoke" if smoke else "full"),
        look=look,
        data=f"`sim://one_lepton`, the fast generator: {train:,} events to learn from, {counted:,} to count with "
        f"({SHARES}), and what stands for data of {luminosity:g}/fb, with the factors {INJECTED} injected; "
        f"{len(points)} mass points",
    )


QUESTION = (
    "A network of five classes (signal, tt with one lepton, tt with two of which one is lost, W+jets, QCD) sees the "
    "mass point as two of its inputs. Each class is a region; three of them, and the region of QCD as a fourth, "
    "normalise three backgrounds to data by Y = A X. Are the factors that were put into the data found? Do they hang "
    "on the mass point? Are their errors right? Does a fit by pyhf say the same? And what does the signal region of "
    "the network expect, beside that of the earlier analysis, the angle between W and lepton?"
)


def events(n: int, seed: int, said: dict[str, Any]) -> Source:
    """Return n simulated events, made once."""
    made = plugins.load("simulators", "one_lepton")(n=n, seed=seed, **said)
    return InMemory(concatenate(list(made)), 5000)


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
