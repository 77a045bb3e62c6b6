"""Ensemble: several scorers as one, each heard by how improbable its score is in good data (Fisher 1925)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import (
    About,
    Batch,
    Calibration,
    CalibrationError,
    Evidence,
    Floats,
    ModelError,
    SchemaError,
    Scorer,
    Scores,
    SettingsError,
    Source,
    Tracking,
    plugins,
)
from lynkeus.files.arrays import read_scorer, write_folder
from lynkeus.sources import Select

COMBINATIONS = ("mean", "max")
FOLDS = 5
BLOCKS = 20  # a fold is every fifth of these, so that neighbours in time are mostly held out together
ENOUGH = 1000  # held-out scores for a calibration
CALIBRATION = "calibration.json"

Member = str | Mapping[str, Any]


@dataclass
class Ensemble:
    """`anomaly` in nats: minus the logarithm of the members' p-values, their `combination` "mean" or "max".

    A member is the name of a scorer, or {"scorer": name, and its options}; names may be one text with commas between
    them, as the command line gives them. The p-values come from samples that the
    member was not fitted on: fifths of the source are held out in turn until 1000 samples were scored; then the
    member is fitted on all. Learned: `members_`, `calibrations_`.
    """

    about: ClassVar[About] = About(("table", "waveform"), False, "what its members point at", "seconds")
    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    members: tuple[Member, ...] = ("mahalanobis", "nearest_neighbours", "isolation_forest")
    combination: str = "mean"

    def __post_init__(self) -> None:
        if isinstance(self.members, str):
            self.members = tuple(name.strip() for name in self.members.split(",") if name.strip())

    def fit(self, source: Source) -> Self:
        """Fit and calibrate every member. Raises SettingsError for one that cannot be a member, SchemaError for a
        kind that one refuses, CalibrationError where a member scores too few samples."""
        if self.combination not in COMBINATIONS:
            raise SettingsError(f"combination is one of {', '.join(COMBINATIONS)}, not {self.combination!r}")
        if not self.members:
            raise SettingsError("an ensemble needs members: names of scorers, such as mahalanobis")
        self.schema_ = source.schema
        samples = sum(len(batch) for batch in source)
        self.calibrations_ = []
        self.members_ = []
        for member in self.members:
            try:
                self.calibrations_.append(Calibration.fit(_held_out_scores(member, source, samples), None))
                self.members_.append(_made(member).fit(source))
            except (SchemaError, CalibrationError) as error:
                raise type(error)(f"the ensemble's member {_name(member)}: {error}") from error
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) nats; NaN for a sample for which no member has enough data."""
        nats = self._nats(batch)
        known = np.isfinite(nats)
        if self.combination == "max":
            total = np.where(known, nats, -np.inf).max(axis=0)
        else:
            total = np.where(known, nats, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(known.any(axis=0), total, np.nan)[:, None]

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Each member's evidence, brought to a sum of 1 over the sample and weighted by its nats."""
        evidence = np.zeros(batch.values.shape)
        for member, nats in zip(self.members_, np.nan_to_num(self._nats(batch)), strict=True):
            own = np.abs(np.nan_to_num(member.explain(batch, member.outputs[0])))
            total = own.reshape(len(own), -1).sum(axis=1)
            evidence += own * (nats / np.where(total > 0, total, 1.0)).reshape(-1, *[1] * (own.ndim - 1))
        return evidence

    def save(self, folder: Path) -> None:
        """Write to a folder, every member to one of its own."""
        write_folder(folder, self.schema_, asdict(self), {})
        for number, (member, calibration) in enumerate(zip(self.members_, self.calibrations_, strict=True)):
            member.save(folder / f"member_{number}")
            _write_calibration(folder / f"member_{number}", calibration)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, _ = read_scorer(cls, folder)
        folders = [folder / f"member_{number}" for number in range(len(scorer.members))]
        scorer.members_ = [
            plugins.load("scorers", _name(member)).load(own)
            for member, own in zip(scorer.members, folders, strict=True)
        ]
        scorer.calibrations_ = [_read_calibration(own) for own in folders]
        return scorer

    def _nats(self, batch: Batch) -> Floats:
        """Return (members, n) minus the logarithms of p-values, as far as tails go, since what one member is sure of is
        not to be less than what another one is; NaN where a member has not enough data."""
        self.schema_.require(batch.schema, "the scorer ensemble")
        pairs = zip(self.members_, self.calibrations_, strict=True)
        return np.stack([-np.log(own.beyond_what_is_known(member.score(batch)[:, 0])) for member, own in pairs])


def _name(member: Member) -> str:
    if isinstance(member, str):
        return member
    if "scorer" not in member:
        raise SettingsError(f'a member is a name or {{"scorer": name, options}}, not {dict(member)!r}')
    return str(member["scorer"])


def _made(member: Member) -> Scorer:
    """A new scorer. Raises SettingsError for one that follows its instrument in time, or says more than one thing."""
    name = _name(member)
    kind = plugins.load("scorers", name)
    options = {} if isinstance(member, str) else {key: value for key, value in member.items() if key != "scorer"}
    try:
        scorer: Scorer = kind(**options)
    except TypeError as error:
        raise SettingsError(f"the ensemble's member {name} does not take these options: {error}") from error
    if isinstance(scorer, Tracking | Ensemble) or tuple(scorer.outputs) != ("anomaly",):
        raise SettingsError(
            f"{name} cannot be a member of an ensemble, which combines scorers with the one output anomaly that do "
            "not follow their instrument in time; use it alone"
        )
    return scorer


def _held_out_scores(member: Member, source: Source, samples: int) -> Floats:
    """Return (n,) scores of samples by a member that was not fitted on them: whole folds, until there are enough."""
    fold = np.arange(samples) * BLOCKS // max(samples, 1) % FOLDS
    scores: list[Floats] = []
    for number in range(FOLDS):
        if sum(map(len, scores)) < ENOUGH:
            fitted = _made(member).fit(Select(source, mask=fold != number))
            scores += [fitted.score(batch)[:, 0] for batch in Select(source, mask=fold == number)]
    return np.concatenate(scores) if scores else np.empty(0)


def _write_calibration(folder: Path, calibration: Calibration) -> None:
    (folder / CALIBRATION).write_text(json.dumps(calibration.to_dict()), encoding="utf-8")


def _read_calibration(folder: Path) -> Calibration:
    try:
        return Calibration.from_dict(json.loads((folder / CALIBRATION).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CALIBRATION} is missing or damaged ({error}); fit the model again") from error
