"""Fitted: a scorer together with all that is needed to use it on the next data, kept in one folder.

The folder holds `model.json` (how it sees data, calibrations, lineage), `scorer/`, good samples to show beside others,
and `SHA256SUMS` over all of them: a flipped byte is found before a number is believed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from lynkeus.core import (
    NOTHING,
    Array,
    Batch,
    Calibration,
    Exports,
    Finding,
    Finds,
    Floats,
    JudgesPlots,
    ModelError,
    Scorer,
    Scores,
    SettingsError,
    Source,
    about_of,
    plugins,
)
from lynkeus.core.stated import Stated
from lynkeus.files.damaged import one_line
from lynkeus.files.model_folder import MODEL, verify_model, write_model
from lynkeus.fitting.explanation import explanation, explanation_of_rows
from lynkeus.fitting.follow import move_past, start
from lynkeus.fitting.model_format import content_of, parts_of
from lynkeus.fitting.views.view import PLOT_SIGMA, View

REFERENCE = "reference.safetensors"
NO_SENSE = "the content of the model makes no sense: fit it again"
FAR = 0.1  # how often a reference saw what a budget allows; of less it knows little
Said = tuple[Finding, ...]


class Scored(NamedTuple):
    """A batch and what was found: `scores`, `p_values`, `rates` (n, outputs), the last None where the reference has no
    times; `found`: of each output, of each sample, what the scorer says of it, the most conspicuous first."""

    batch: Batch
    scores: Scores
    p_values: Floats
    rates: Floats | None
    found: tuple[list[Said], ...]

    def where(self, k: int) -> npt.NDArray[np.str_]:
        """Return (n,) the places that output `k` speaks of, '' where it names none."""
        return np.array([found[0].where if found else "" for found in self.found[k]], dtype=str)

    @property
    def kinds(self) -> npt.NDArray[np.str_]:
        """Return (n,) the kinds of fault by the first output, '' where a sample looks good."""
        return np.array([found[0].kind if found else "" for found in self.found[0]], dtype=str)


@dataclass
class Fitted:
    """`name` of the scorer in the table of scorers; `view`: what is done to data before it sees them; one calibration
    per output; `reference`: good samples as arrays, for evidence; `lineage`: what it was fitted on, when, by which
    version, what was left out; `messages` of the fit, which are not kept."""

    name: str
    scorer: Scorer
    view: View
    calibrations: dict[str, Calibration | Stated]
    reference: dict[str, Array]
    lineage: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    _read_from: Path | None = field(default=None, repr=False, compare=False)
    _scored_once: bool = field(default=False, repr=False, compare=False)

    def require_budget(self, budget_per_hour: float) -> None:
        """Raise CalibrationError where the reference cannot support so few false alarms, or knows no times."""
        for calibration in self.calibrations.values():
            calibration.threshold(budget_per_hour)

    def extrapolated(self, budget_per_hour: float) -> list[str]:
        """Return a line where a budget is far rarer than anything that the reference can have seen."""
        hours = min((own.hours for own in self.calibrations.values() if own.hours), default=math.inf)
        says = (
            f"a budget of {budget_per_hour:g} alarms an hour is far rarer than once in the reference of {hours:.2g} h"
        )
        remedy = "its thresholds are extrapolated; fit to more hours for what has been seen"
        return [f"{says}: {remedy}"] if hours * budget_per_hour < FAR else []

    def prepare(self, source: Source) -> Source:
        """Return what the scorer reads of a source. Raises SchemaError where the data are others."""
        with self.makes_sense():
            return self.view.of(source, f"the model ({self.name})")

    @contextmanager
    def makes_sense(self, always: bool = False) -> Iterator[None]:
        """Say in one line that the content of a model that was read makes no sense: its checksums may fit, and its
        parts may be read, and yet not belong together. Until it has scored once, or `always`."""
        if self._read_from is None or (self._scored_once and not always):
            yield
            return
        with one_line(self._read_from, ModelError, NO_SENSE):
            yield

    def score(self, source: Source, fresh: bool = True) -> Iterator[Scored]:
        """Score a source in time order; a Tracking scorer starts afresh unless told otherwise."""
        return self.score_prepared(self.prepare(source), fresh)

    def score_prepared(self, prepared: Source, fresh: bool = True) -> Iterator[Scored]:
        """Score what `prepare` gave: its `messages` then say what was found on the way."""
        if fresh:
            start(self.scorer)
        for batch in prepared:
            yield self.score_batch(batch)
            move_past(self.scorer, batch)

    def score_batch(self, batch: Batch, worth: float = 0.0, asked: Collection[str] | None = None) -> Scored:
        """Score one prepared batch, without moving the scorer past it.

        `worth`: p-value up to which it is asked where, if that is above the one of the view; `asked`: outputs that are
        asked what they found (None: all), which takes longest.
        """
        with self.makes_sense():
            scored = self._scored(batch, worth, asked)
        self._scored_once = True
        return scored

    def _scored(self, batch: Batch, worth: float, asked: Collection[str] | None) -> Scored:
        scores = self._scores(batch)
        asked = () if about_of(self.scorer).by_class else asked  # what a class looks like is `explain`'s to say
        columns = [self.calibrations[output] for output in self.scorer.outputs]
        p_values = np.stack([c.p_value(scores[:, k]) for k, c in enumerate(columns)], axis=1)
        rates = None
        if all(calibration.hours is not None for calibration in columns):
            rates = np.stack([c.alarms_per_hour(scores[:, k]) for k, c in enumerate(columns)], axis=1)
        found: list[list[Said]] = [[()] * len(batch) for _ in columns]
        for k, output in enumerate(self.scorer.outputs):
            if asked is None or output in asked:
                found[k] = self._find(batch, p_values[:, k], output, worth)
        return Scored(batch, scores, p_values, rates, tuple(found))

    def _scores(self, batch: Batch) -> Scores:
        """NaN for samples that say themselves that there is nothing to score."""
        problem = batch.meta.get("problem")
        if problem is None or not (problem != "").any():
            return self.scorer.score(batch)
        scores = np.full((len(batch), len(self.scorer.outputs)), np.nan)
        fine = np.flatnonzero(problem == "")
        if len(fine):
            scores[fine] = self.scorer.score(batch[fine])
        return scores

    def _find(self, batch: Batch, p_values: Floats, output: str, worth: float) -> list[Said]:
        """Return what the scorer found; for rare samples of which it names no place, where its evidence is
        strongest."""
        known = np.isfinite(p_values)
        found: list[Said] = [()] * len(batch)
        if isinstance(self.scorer, Finds) and known.any():
            found = self.scorer.find(batch, output)
            # A sample without a score has no finding either: what cannot be scored is not good and not bad.
            found = [own if there else () for own, there in zip(found, known, strict=True)]
        nowhere = np.array([not own or _names_nothing(own[0]) for own in found], bool)
        # Only rare samples: to explain one costs many networks more than to score it, and nobody asks of good ones.
        rare = np.flatnonzero(known & nowhere & (np.nan_to_num(p_values, nan=1.0) <= max(worth, self.view.worth)))
        if len(rare):
            evidence, chosen = explanation_of_rows(self.scorer, batch, rare, output), batch[rare]
            if isinstance(self.scorer, JudgesPlots):  # the plot that is named is the one that the score is of
                chosen = replace(chosen, meta={**chosen.meta, PLOT_SIGMA: self.scorer.plot_sigma(chosen)})
            for row, place in zip(rare, self.view.places(chosen, evidence, self.reference), strict=True):
                own = found[row]
                found[row] = (own[0]._replace(where=place.where), *own[1:]) if own else (place,)
        return found

    def explain(self, batch: Batch, output: str) -> Floats:
        """Return what speaks for one output in each sample, in the shape of the values of a prepared batch."""
        return explanation(self.scorer, batch, output)

    def save(self, folder: Path, more: Mapping[str, bytes] | None = None) -> None:
        """Write the folder as a whole, with `more` files in it: it is complete, or what was there before stays.

        Raises ModelError otherwise.
        """
        if self.view.alone:
            self.lineage["name"] = folder.name  # under which the pages show its verdicts
        write_model(folder, self._write, more)

    def _write(self, partial: Path) -> None:
        (partial / "scorer").mkdir()
        self.scorer.save(partial / "scorer")
        arrays = {name: np.ascontiguousarray(array) for name, array in self.reference.items()}
        save_file(arrays, str(partial / REFERENCE))
        (partial / MODEL).write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """Return all but scorer and reference, as plain JSON types."""
        return content_of(self.name, self.view, self.calibrations, self.lineage)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], scorer: Scorer, reference: dict[str, Array]) -> Self:
        """Return what `to_dict` was called on. Raises ModelError for what a later version wrote."""
        view, calibrations = parts_of(content)
        return cls(content["scorer"], scorer, view, calibrations, reference, content["lineage"])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model folder. Raises ModelError naming the file that is missing, damaged or of another version."""
        verify_model(folder)
        with one_line(folder, ModelError, NO_SENSE):
            fitted = cls._read(folder)
        fitted._read_from = folder
        return fitted

    @classmethod
    def _read(cls, folder: Path) -> Self:
        content = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        scorer = plugins.load("scorers", content["scorer"]).load(folder / "scorer")
        try:
            return cls.from_dict(content, scorer, load_file(str(folder / REFERENCE)))
        except ModelError as error:
            raise ModelError(f"{folder / MODEL}: {error}") from error


def _names_nothing(found: Finding) -> bool:
    """Return whether the scorer found something and names no place."""
    return not (found.where or found.population or found.kind == NOTHING.kind)


def export(fitted: Fitted, path: Path) -> float:
    """Write a model as a file for other programs; the largest difference of the scores. Raises SettingsError where its
    scorer cannot be."""
    if not isinstance(fitted.scorer, Exports):
        raise SettingsError(f"the scorer {fitted.name} is no network and cannot be exported to ONNX")
    return fitted.scorer.export(path, fitted.to_dict())


def shows_maps(fitted: Fitted) -> bool:
    """Return whether a model finds spots in images and shows a map of each."""
    return fitted.view.kind == "images" and isinstance(fitted.scorer, Finds)
