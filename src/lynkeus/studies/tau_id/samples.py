"""Jets of the study: taus that decay to hadrons, electrons, muons, and jets of light quarks and gluons as one class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core import Batch, plugins
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper

CLASSES = ("tau", "electron", "muon", "jet")
SHARES = "tau:5,electron:1.5,muon:1,light:3,gluon:3,c:0.3,b:0.2"
PT = "25-100"


class Joined(Wrapper):
    """The same samples with all classes that are not in `classes` as the last one of them."""

    def __init__(self, source: Source, classes: tuple[str, ...]) -> None:
        super().__init__(source, replace(source.schema, classes=classes))
        last = len(classes) - 1
        own = source.schema.classes
        self.numbers = np.array([classes.index(name) if name in classes else last for name in own])

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            assert batch.truth is not None
            yield replace(batch, schema=self.schema, truth=self.numbers[batch.truth])


def tau_jets(n: int, seed: int) -> Joined:
    """Return n simulated jets of CLASSES with flat pT; the decay of a tau is in `meta`."""
    simulated = plugins.load("simulators", "jets")(classes=SHARES, pt=PT, n=n, seed=seed)
    return Joined(simulated, CLASSES)
