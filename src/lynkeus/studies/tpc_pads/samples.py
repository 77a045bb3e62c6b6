"""Pads with the class of each as truth: all of them, those of an eye-scan, or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core import Batch, Source
from lynkeus.simulate.tpc.faults import CLASSES
from lynkeus.sources.wrappers.wrapper import Wrapper


class Known(Wrapper):
    """Pads whose class is the column `labels` ("": none is known), numbered by the classes of the simulator."""

    def __init__(self, source: Source, labels: str) -> None:
        super().__init__(source, replace(source.schema, classes=CLASSES))
        self.labels = labels

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            truth = np.full(len(batch), -1)
            if self.labels:
                truth = np.array(
                    [{name: k for k, name in enumerate(CLASSES)}.get(str(w), -1) for w in batch.meta[self.labels]]
                )
            yield replace(batch, schema=self.schema, truth=truth)
