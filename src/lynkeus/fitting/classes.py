"""fit_classes: from labelled samples to a model whose outputs are the probabilities of classes.

One sample in five is kept from the training: on these the probabilities are made right, and the background efficiency
of each class is counted, so that what a model promises does not rest on what it has learned by heart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import (
    Array,
    Calibration,
    CalibrationError,
    Floats,
    Packed,
    Scorer,
    SettingsError,
    Source,
    Tags,
)
from lynkeus.core.background import FEWEST_SAMPLES, Background
from lynkeus.core.stated import Stated
from lynkeus.core.weights import joined_weights
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.reference import FOLDS
from lynkeus.fitting.tagged_runs import kept_scores
from lynkeus.fitting.views.view import View
from lynkeus.sources.wrappers.classed import Classed, Fold


def fit_classes(
    scorer: Scorer, name: str, view: View, source: Source, labels: str, lineage: Mapping[str, Any]
) -> Fitted:
    """Fit a scorer of classes to labelled samples, and what its outputs mean.

    `labels`: the column of classes, where the source does not say them itself. Raises SettingsError where there are no
    two classes with enough samples of each.
    """
    assert isinstance(scorer, Tags), f"{name} says that it tags, and has no calibrate"
    known = Classed(view.training(source), labels, tuple(getattr(scorer, "classes", ()) or ()))
    total, weight, messages, empty = _counted(known)
    _require_classes(total, name, empty)
    scorer.fit(Fold(known, FOLDS, inside=False))
    held_out = Fold(known, FOLDS, inside=True)
    scorer.calibrate(held_out)
    scored = scored_classes(scorer, held_out)
    calibrations: dict[str, Calibration | Stated] = dict(_backgrounds(scorer, scored, known.given))
    counts = {one: total[one] for one in known.given}
    more = {"samples": sum(counts.values()), "classes": counts, "held_out": f"one in {FOLDS}", "weighted": weight}
    more |= dict(getattr(scorer, "facts", {}))
    messages += [*getattr(scorer, "messages", ())]
    lineage = {**lineage_of(source, name, lineage), **more}
    return Fitted(name, scorer, view, calibrations, kept_scores(scored[0], scored[2]), lineage, messages)


def learned_elsewhere(
    scorer: Scorer, name: str, view: View, source: Source | None, lineage: Mapping[str, Any]
) -> Fitted:
    """Return a model of a scorer that is learned already: probabilities and background efficiencies by labelled samples
    that it has not learned from.

    `source` None: probabilities are those that it states, and no background efficiency below 1 is. Raises SettingsError
    where there are no two classes with enough samples of each.
    """
    assert isinstance(scorer, Tags), f"{name} says that it tags, and has no calibrate"
    more: dict[str, Any] = {"samples": 0, "classes": {}, "held_out": "all", "weighted": False}
    messages: list[str] = []
    calibrations: dict[str, Calibration | Stated] = {output: Background.none() for output in scorer.outputs}
    reference: dict[str, Array] = {}
    if source is None:
        messages.append("no samples were given: probabilities are those that the network states, and p-values are 1")
    else:
        known = Classed(view.of(source), classes=scorer.outputs)
        total, weighted, messages, empty = _counted(known)
        _require_classes(total, name, empty)
        scorer.calibrate(known)
        scored = scored_classes(scorer, known)
        calibrations, reference = dict(_backgrounds(scorer, scored, known.given)), kept_scores(scored[0], scored[2])
        more |= {"samples": total.total(), "classes": dict(total), "weighted": weighted}
        lineage = lineage_of(source, name, {}) | dict(lineage)
    more |= dict(getattr(scorer, "facts", {}))
    return Fitted(name, scorer, view, calibrations, reference, {"scorer": name, **lineage, **more}, messages)


def _counted(known: Classed) -> tuple[Counter[str], bool, list[str], Counter[str]]:
    """Return how many samples each class has, whether they have weights, what the source says of what it left out, and
    how many clouds of each class have nothing in them."""
    weighted, empty = False, Counter[str]()
    for batch in known:
        weighted = weighted or batch.weight is not None
        if isinstance(batch.values, Packed):
            bare = np.asarray(batch.truth)[sum(group.lengths for group in batch.values.groups.values()) == 0]
            empty.update(known.given[number] for number in bare.tolist())
    return known.counts, weighted, list(known.messages), empty


def _require_classes(counts: Counter[str], who: str, empty: Counter[str]) -> None:
    least = FOLDS * FEWEST_SAMPLES
    few = [name for name, count in counts.items() if count - empty[name] < least]
    if len(counts) < 2:
        only = f": all are {next(iter(counts))}" if counts else ""
        raise SettingsError(f"{who} tells classes apart, and the samples have {len(counts)}{only}; give at least two")
    if few:
        said = ", ".join(
            f"{name} ({counts[name]}{f', of which {empty[name]} without particles' if empty[name] else ''})"
            for name in few[:5]
        )
        rest = [name for name in counts if name not in few]
        how = f": --set classes={','.join(rest)}" if len(rest) > 1 else ""
        raise SettingsError(
            f"{who} needs at least {least} samples of each class; too few of {said}: give more of them, or leave the "
            f"class out{how}"
        )


def _backgrounds(
    scorer: Scorer, scored: tuple[Floats, Any, Floats | None], classes: tuple[str, ...]
) -> dict[str, Background]:
    """Return of each output what share of the samples of other classes has such a probability."""
    scores, truth, weight = scored
    found = {}
    for output in scorer.outputs:
        others = truth != classes.index(output)
        try:
            own = None if weight is None else weight[others]
            found[output] = Background.fit(scores[others, scorer.outputs.index(output)], own)
        except CalibrationError as error:
            raise CalibrationError(f"class {output}: {error}") from error
    return found


def scored_classes(scorer: Scorer, source: Source) -> tuple[Floats, Any, Floats | None]:
    """Return probabilities (n, outputs), the numbers of the classes (n,) and the weights (n,) or None."""
    scores: list[Floats] = []
    truths: list[Any] = []
    weights: list[Floats | None] = []
    for batch in source:
        scores.append(scorer.score(batch))
        truths.append(batch.truth)
        weights.append(batch.weight)
    if not scores:
        raise CalibrationError("there are no samples to score")
    lengths = [len(part) for part in scores]
    return np.concatenate(scores), np.concatenate(truths), joined_weights(weights, lengths)
