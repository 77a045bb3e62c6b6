"""Scorers inside of others: made by name, refused in words where they cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkeus.core import Scorer, SettingsError, Tracking, plugins


def inner_scorer(name: str, options: Mapping[str, Any]) -> Scorer:
    """A new scorer with the one output anomaly that reads tables or waveforms. Raises SettingsError for another."""
    scorer: Scorer = plugins.make_scorer(name, options)
    about = getattr(scorer, "about", None)
    labels = about.labels if about is not None else ""
    if isinstance(scorer, Tracking) or labels in ("known", "classes") or not layout_of(scorer):
        raise SettingsError(
            f"{name} cannot score runs from within: it has to read tables or waveforms, without labels and without "
            "following its instrument in time; take autoencoder, one_class_svm, ..."
        )
    if tuple(scorer.outputs) != ("anomaly",):
        raise SettingsError(f"{name} cannot score runs from within: it has the outputs {', '.join(scorer.outputs)}")
    return scorer


def layout_of(scorer: Scorer) -> str:
    """Table or waveform, whichever it reads first; '' for neither."""
    about = getattr(scorer, "about", None)
    kinds = about.kinds if about is not None else ("table", "waveform")
    return next((kind for kind in ("table", "waveform") if kind in kinds), "")
