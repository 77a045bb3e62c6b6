"""Incidents in a reference: what the training data did that good data does not, found without being told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Calibration

if TYPE_CHECKING:
    from lynkeus.fitting.reference import Reference

MOST = 0.5


@dataclass(frozen=True)
class Incident:
    """A stretch of the reference that is left out: on which output, when (UTC ns, end exclusive), where, how high.

    `rows`: indices of its samples; `where` is the channel that most of them name.
    """

    output: str
    start_ns: int
    end_ns: int
    where: str
    score: float
    rows: npt.NDArray[np.intp]

    @property
    def seconds(self) -> float:
        """Return its length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, without the rows."""
        names = ("output", "start_ns", "end_ns", "where", "score")
        return {name: getattr(self, name) for name in names}


def find_incidents(reference: Reference, outputs: tuple[str, ...], quiet_s: float) -> list[Incident]:
    """Incidents of every output in time order: what the scorer itself suspects, and what lies far beyond all the rest.

    Samples less than `quiet_s` apart are one incident, and what lies between them belongs to it, unless that would be
    more than MOST of the reference: what is scattered over all of it leaves nothing else to learn from. Without times
    there are none.
    """
    if reference.time_ns is None or reference.end_ns is None:
        return []
    found = []
    for k, output in enumerate(outputs):
        scores = np.where(reference.suspects[:, k], np.nan, reference.scores[:, k])
        hours = (reference.hours or 0.0) - float(reference.suspects[:, k].mean()) * (reference.hours or 0.0)
        limit = Calibration.fit(scores, hours or None, reference.time_ns, quiet_s).maximum
        wrong = np.flatnonzero(reference.suspects[:, k] | (reference.scores[:, k] > limit))
        apart = reference.time_ns[wrong[1:]] - reference.end_ns[wrong[:-1]] > quiet_s * 1e9
        groups = np.split(wrong, np.flatnonzero(apart) + 1)
        if sum(group[-1] - group[0] + 1 for group in groups if len(group)) > MOST * len(reference.scores):
            groups = np.split(wrong, np.flatnonzero(np.diff(wrong) > 1) + 1)
        for group in groups:
            if len(group):
                peak = group[np.nanargmax(reference.scores[group, k])]
                start, end = int(reference.time_ns[group[0]]), int(reference.end_ns[group[-1]])
                where, score = _named(reference, group, k), float(reference.scores[peak, k])
                found.append(Incident(output, start, end, where, score, np.arange(group[0], group[-1] + 1)))
    return sorted(found, key=lambda incident: incident.start_ns)


def _named(reference: Reference, group: npt.NDArray[np.intp], k: int) -> str:
    """The channel that most samples of an incident name; '' where none does."""
    places = reference.place[group, k]
    places = places[places >= 0]
    return reference.names[int(np.bincount(places).argmax())] if len(places) else ""
