"""fit_partly: a scorer of classes that learns from all samples, of which few or none have a label.

It says itself how probable the classes of labelled samples are to it where it has not seen their labels; on these the
background efficiency of each class is counted. Without labels none can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import Calibration, CalibrationError, Scorer, Source
from lynkeus.core.background import Background
from lynkeus.core.stated import Stated
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.views.view import View
from lynkeus.sources.wrappers.partly import Partly


def fit_partly(
    scorer: Scorer,
    name: str,
    view: View,
    source: Source,
    labels: tuple[str, Mapping[str, str]],
    lineage: Mapping[str, Any],
) -> Fitted:
    """Fit a scorer of classes to samples, and what its outputs mean. `labels`: the column of those of some ("": none),
    and what people said of pads by their names, which counts more."""
    seen = view.training(source)
    column, said = labels
    known = Partly(seen, column, said) if column or said else seen
    scorer.fit(known)
    held_out = getattr(scorer, "held_out", None)
    calibrations: dict[str, Calibration | Stated] = {}
    for k, output in enumerate(scorer.outputs):
        calibrations[output] = _background(held_out, k)
    counts: Counter[str] = Counter()
    for batch in known:
        if batch.truth is not None and batch.schema.classes:
            counts.update(batch.schema.classes[k] for k in batch.truth[batch.truth >= 0])
    more = {"samples": sum(len(batch) for batch in seen), "classes": dict(counts), "weighted": False}
    more |= {"held_out": "labels in parts", "labels": column} | dict(getattr(scorer, "facts", {}))
    messages = [*getattr(scorer, "messages", ())]
    return Fitted(name, scorer, view, calibrations, {}, {**lineage_of(source, name, lineage), **more}, messages)


def _background(held_out: tuple[Any, Any] | None, k: int) -> Background:
    """Return the background efficiency of a class; that of no samples where too few are labelled."""
    if held_out is None:
        return Background.none()
    probability, truth = held_out
    try:
        return Background.fit(np.asarray(probability[truth != k, k], float))
    except CalibrationError:
        return Background.none()
