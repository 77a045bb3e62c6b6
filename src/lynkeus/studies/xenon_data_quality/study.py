"""Runs of a xenon detector: which scorer says that a population shifted, disappeared or appeared, and how soon?"""

from __future__ import annotations

import json
from importlib import resources

from lynkeus.core import Case, Check, Comparison, Part
from lynkeus.studies.xenon_data_quality.compare import TARGETS, Contest
from lynkeus.studies.xenon_data_quality.look import SHOWN, RunsLook
from lynkeus.studies.xenon_data_quality.runs import (
    EVENTS,
    GOOD,
    Padded,
    RunRequest,
    SimulatedRuns,
    Truths,
    engine_of,
    every_fault,
)
from lynkeus.studies.xenon_data_quality.scorers import NUMBER, POPULATION, every, number_of_events

QUESTION = (
    "For each run of a two-phase xenon detector: did a population shift, disappear or appear? How small a change is "
    "found in how few events, who names it rightly, what does it cost, and what do tests do that are simple or cheap?"
)


def xenon_data_quality(smoke: bool = False) -> Comparison:
    """Which scorer of runs finds which change of a population in how few events?"""
    engine = engine_of(smoke)
    events, learn_events = ((200,), 300) if smoke else (EVENTS, 1000)
    learn = SimulatedRuns(engine, 1).make([RunRequest(GOOD, 0.0, learn_events, 20 if smoke else 100)])
    targets = SimulatedRuns(engine, 2).make(_targets(events, 12 if smoke else 60, 6 if smoke else 30))
    judged = SimulatedRuns(engine, 3).make(_judged(events, 10 if smoke else 65))
    contest = Contest(learn, targets, judged, Truths(engine))
    look = RunsLook(
        contest,
        every(smoke),
        curves=SimulatedRuns(engine, 4).make(every_fault(events, 1 if smoke else 4)),
        good=SimulatedRuns(engine, 5).make([RunRequest(GOOD, 0.0, learn_events, 40 if smoke else 1000)]),
        shown=SimulatedRuns(engine, 6).make(SHOWN),
        pulses=(4, 1000) if smoke else (20, 1000),
    )
    classes = {target.wanted: number for number, target in enumerate(TARGETS, 1)}
    part = Part(
        {"targets": Case(Padded(learn, classes), Padded(targets, classes))},
        {POPULATION: {}},
        ("good", *(f"{target.says} events" for target in TARGETS)),
        {NUMBER: number_of_events},
        look=look,
        data=_words(engine, len(learn), learn_events, len(judged)),
    )
    return Comparison("xenon_data_quality", QUESTION, {"runs": part}, _checks("smoke" if smoke else engine))


def _targets(events: tuple[int, ...], good: int, bad: int) -> list[RunRequest]:
    """Good runs of every size, and those of each line of the table of targets."""
    wanted = [RunRequest(GOOD, 0.0, number, good) for number in events]
    return wanted + [target.wanted._replace(runs=bad) for target in TARGETS if target.wanted.events in events]


def _judged(events: tuple[int, ...], good: int) -> list[RunRequest]:
    """Good runs, and one of every fault, size and number of events."""
    shares = [RunRequest(GOOD, 0.0, number, -(-good // len(events))) for number in events]
    return shares + every_fault(events)


def _words(engine: str, learned: int, events: int, judged: int) -> str:
    by = "NEST (nestpy)" if engine == "nest" else "the surrogate of NEST that comes with this package"
    return (
        f"runs of `sim://noble` by {by}, {learned} good ones of {events} events to learn from. Good runs differ: gains "
        "by 0.2 %, lifetime and rates by 3 %. In this first table all lines of the table of targets stand together, in "
        f"the others each by itself, and {judged} runs with every fault at several sizes. *{NUMBER}*: how far it is "
        "from that of good runs"
    )


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
