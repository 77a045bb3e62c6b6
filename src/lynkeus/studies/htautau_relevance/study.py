"""What does a network of several classes look at in events with two taus, and is it what physics would have it?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from lynkeus.core import Against, Batch, Check, Schema, Tagging, plugins
from lynkeus.core.protocols import Source
from lynkeus.studies.htautau_relevance.look import RelevanceLook

TRAIN, TEST = 30_000, 8_000
SMOKE_TRAIN, SMOKE_TEST = 6_000, 2_000


def htautau_relevance(smoke: bool = False) -> Tagging:
    """Train by seeds, expand, and compare the ranking with what was put into the events."""
    train, test = (SMOKE_TRAIN, SMOKE_TEST) if smoke else (TRAIN, TEST)
    options: dict[str, Any] = {"evolution": 500, "training": {"epochs": 4 if smoke else 12}}
    return Tagging(
        name="htautau_relevance",
        question=QUESTION,
        train=taus(train, 1),
        test=taus(test, 2),
        scorers={"search_classifier": options},
        against={"qqh against ztt": Against("qqh", ("ztt",)), "ggh against ztt": Against("ggh", ("ztt",))},
        seeds=(1, 2) if smoke else (1, 2, 3, 4, 5),
        checks=_checks("smoke" if smoke else "full"),
        look=RelevanceLook(),
        data=f"`sim://htautau`, two taus that decay to hadrons, six processes: {train:,} events to learn from, "
        f"{test:,} that are expanded; and, where LYNKEUS_DATA has it, the table of the FAIR-Universe challenge "
        "(1,000 events)",
    )


QUESTION = (
    "A network tells two ways to make a Higgs boson and four backgrounds apart. Taylor coefficients of first and "
    "second order (Wunsch et al. 2018, arXiv:1803.08782) say which inputs and pairs of inputs each class hangs on. Of "
    "a simulation it is known what distinguishes the processes: masses of ggH from Z, forward jets of qqH, b jets of "
    "top pairs. Does the ranking say that, is it the same for other seeds, and does shuffling inputs agree?"
)


def taus(n: int, seed: int) -> Source:
    """Return n events of the final state of two hadronic taus, without weights: all classes alike."""
    return Alike(plugins.load("simulators", "htautau")(n=n, seed=seed, channel="tt"))


@dataclass(frozen=True)
class Alike:
    """Events of which each counts once."""

    events: Source

    @property
    def schema(self) -> Schema:
        """Return the schema of the events."""
        return self.events.schema

    def __len__(self) -> int:
        return len(self.events)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        return (replace(batch, weight=None) for batch in self.events)


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
