"""fit_heads: from samples with answers to several questions to a model that gives the probability of each answer.

What a model promises rests on samples that it has not seen: the scorer tries itself on parts of what it learns from,
and the background efficiency of each answer is counted on those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import Array, Calibration, CalibrationError, Heads, Scorer, Scores, SettingsError, Source
from lynkeus.core.background import Background
from lynkeus.core.stated import Stated
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.views.view import View
from lynkeus.sources.wrappers.answered import FEWEST, Answered


def fit_heads(scorer: Scorer, name: str, view: View, source: Source, labels: str, lineage: Mapping[str, Any]) -> Fitted:
    """Fit a scorer of questions, whose answers are the columns `labels` (several with commas between them).

    Raises SettingsError where none is named, or an answer is missing.
    """
    assert isinstance(scorer, Heads), f"{name} says that it has heads, and has none"
    questions = tuple(part.strip() for part in labels.split(",") if part.strip())
    if not questions:
        raise SettingsError(f"{name} learns from answers: name their columns by --labels COLUMN[,COLUMN]")
    if len(set(questions)) != len(questions):
        raise SettingsError(f"--labels {labels}: a column is named twice")
    known = Answered(view.training(source), questions, getattr(scorer, "fewest", FEWEST))
    messages = list(known.messages)
    scorer.fit(known)
    scores, truth = scorer.unseen_answers()
    calibrations: dict[str, Calibration | Stated] = dict(_backgrounds(scorer, scores, truth))
    more = {
        "samples": len(truth),
        "classes": {head: dict(known.counts[head]) for head in questions},
        "held_out": "each sample is judged by a model that has not seen it",
    }
    more |= dict(getattr(scorer, "facts", {}))
    messages += [*getattr(scorer, "messages", ())]
    return Fitted(name, scorer, view, calibrations, {}, {**lineage_of(source, name, lineage), **more}, messages)


def _backgrounds(scorer: Any, scores: Scores, truth: Array) -> dict[str, Background]:
    """Return of each output what share of the samples with another answer has such a probability."""
    found, k = {}, 0
    for number, classes in enumerate(scorer.heads.values()):
        for place in range(len(classes)):
            others = (truth[:, number] >= 0) & (truth[:, number] != place) & np.isfinite(scores[:, k])
            try:
                found[scorer.outputs[k]] = Background.fit(scores[others, k])
            except CalibrationError:
                found[scorer.outputs[k]] = Background.none()  # too few others to promise anything
            k += 1
    return found
