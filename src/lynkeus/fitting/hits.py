"""fit_hits: from hits with labels of a tracker to a model that says which are noise.

What a good hit scores is counted on hits labelled as on a track, of events that the scorer has not learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import Refers, Scorer, SettingsError, Source
from lynkeus.core.background import CountedOdds
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.views.hits import HitsView
from lynkeus.sources import Labelled


def fit_hits(scorer: Scorer, name: str, view: HitsView, source: Source, options: Mapping[str, Any]) -> Fitted:
    """Fit a scorer of hits. Raises SettingsError where there are no labels, or only one kind of them."""
    if not view.labels:
        raise SettingsError(f"{name} learns from labels: name them by --labels, such as --labels on_track")
    assert isinstance(scorer, Refers), f"{name} does not say how it scores hits that it has not seen"
    prepared = view.training(source)
    labelled = Labelled(prepared, view.labels)
    known = labelled.check("known", name, 0)
    scorer.fit(labelled)
    scores = np.concatenate([scorer.unseen(batch).scores for batch in labelled.good])
    calibrations = {output: CountedOdds.fit(scores[:, k]) for k, output in enumerate(scorer.outputs)}
    lineage = lineage_of(source, name, options) | {
        "samples": known.good + known.anomalies, "known_anomalies": known.anomalies, "held_out": True,
        "channels": len(prepared.schema.names), "set_aside": {}, "incidents": [],
    }  # fmt: skip
    own = [line for line in getattr(prepared, "messages", ()) if line not in getattr(source, "messages", ())]
    return Fitted(name, scorer, view, dict(calibrations), {}, lineage, [*own, *getattr(scorer, "messages", ())])
