"""What a commissioning is asked: which faults, how many, and how many false alarms are borne."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lynkeus.commission.plant.planter import Kind
from lynkeus.core import CalibrationError, SettingsError
from lynkeus.core.calibration import Calibration
from lynkeus.core.stated import Stated
from lynkeus.core.words import EXTRAPOLATION_LIMIT, at_least
from lynkeus.fitting.fitted import Fitted, Scored

PER_HOUR, OF_GOOD = "per hour", "of good samples"
FALSE_ALARMS = 0.01
Progress = Callable[[str, float], None]


class Budget(NamedTuple):
    """False alarms that are borne: so many `per hour`, or a share `of good samples` where these stand alone."""

    value: float
    unit: str

    @property
    def words(self) -> str:
        """As a reader wants it: "1 per hour", "1 % of good samples"."""
        return f"{self.value:.3g} {PER_HOUR}" if self.unit == PER_HOUR else f"{100 * self.value:.3g} % {self.unit}"

    def reached(self, scored: Scored) -> npt.NDArray[np.bool_]:
        """Return (n, outputs) where a sample alarms; never where it could not be scored."""
        if self.unit == PER_HOUR:
            assert scored.rates is not None  # `check` has asked every calibration
            return np.asarray(scored.rates <= self.value)
        return np.asarray(scored.p_values <= self.value)  # which may be the smallest that is stated

    def check(self, fitted: Fitted) -> None:
        """Raise CalibrationError for a budget that the reference cannot support."""
        if self.unit == PER_HOUR:
            fitted.require_budget(self.value)
            return
        for calibration in fitted.calibrations.values():
            least = 1.0 / (_worth(calibration) * EXTRAPOLATION_LIMIT)
            if isinstance(calibration, Calibration) and self.value < least:
                raise CalibrationError(
                    f"{self.words} cannot be supported by the {_worth(calibration):.0f} samples of the reference; ask "
                    f"for at least {at_least(least)} or fit on more data"
                )

    def extrapolates(self, calibration: Calibration | Stated) -> bool:
        """Return whether the reference is too small to have seen anything so rare, so that a tail had to be fitted."""
        if self.unit == PER_HOUR:
            return calibration.extrapolates(self.value)
        return isinstance(calibration, Calibration) and self.value * _worth(calibration) < 1.0


def _worth(calibration: Calibration | Stated) -> float:
    """How many good samples of one weight the reference is worth."""
    return calibration.effective if calibration.effective is not None else float(calibration.samples)


@dataclass(frozen=True)
class CommissionSettings:
    """What to plant: `faults` kind -> sizes (None: every kind that can be planted), each `per_case` times (0: as often
    as is usual for such samples; `brief`: fewer).

    `budget_per_hour`: false alarms an hour that are borne, of rows in time: there one fault is `length` rows long, in
    every `every` rows. `false_alarms`: share of good samples that may be flagged, where these stand alone. `events`:
    how many each run has (none: as the good runs have). `labels`: take those of the data where there are any ("find"),
    "need" them, or "ignore" them and plant; `label_of`: the label of a file or run by its name, in words (None: it has
    none and is left out); `masks`: folder of masks of the labelled images. Raises SettingsError.
    """

    budget_per_hour: float = 1.0
    faults: Mapping[str, Sequence[float]] | None = None
    length: int = 60
    every: int = 600
    per_case: int = 0
    seed: int = 0
    false_alarms: float = FALSE_ALARMS
    events: Sequence[int] = ()
    brief: bool = False
    labels: Literal["find", "need", "ignore"] = "find"
    masks: Path | None = None
    label_of: Callable[[str], str | None] | None = None

    def __post_init__(self) -> None:
        for kind, sizes in (self.faults or {}).items():
            if not sizes or not np.isfinite(sizes).all():
                raise SettingsError(f"{kind}: give at least one size, all of them finite, got {tuple(sizes)}")
        if (self.faults is not None and not self.faults) or self.per_case < 0:
            raise SettingsError("commissioning needs at least one kind of fault, planted at least once")
        if not self.budget_per_hour > 0:
            raise SettingsError(f"the alarm budget must be positive, got {self.budget_per_hour!r} per hour")
        if not 0.0 < self.false_alarms < 1.0:
            raise SettingsError(f"false alarms are a share of good samples, between 0 and 1, not {self.false_alarms}")
        if not 1 <= self.length <= self.every:
            raise SettingsError(f"a fault of {self.length} rows does not fit into every {self.every} rows")

    @classmethod
    def quick(cls) -> Self:
        """Few faults of each kind and size: wide intervals, for a demonstration."""
        return cls(brief=True)

    def at(self, budget_per_hour: float) -> Self:
        """The same faults at another budget."""
        return replace(self, budget_per_hour=budget_per_hour)

    def count(self, usual: int, brief: int) -> int:
        """How often each kind and size is planted."""
        return self.per_case or (brief if self.brief else usual)

    def cases(self, kinds: Mapping[str, Kind], what: str, signed: bool = False) -> tuple[tuple[str, float], ...]:
        """Every (kind, size), of `kinds` that can be planted into `what`. Raises SettingsError for another one, and for
        a size that is not above 0 where they are not `signed`."""
        chosen: Iterable[tuple[str, Sequence[float]]] = ((name, kind.sizes) for name, kind in kinds.items())
        if self.faults is not None:
            unknown = next((name for name in self.faults if name not in kinds), None)
            if unknown is not None:
                raise SettingsError(f"no fault of {what} called {unknown!r}; there are: {', '.join(kinds)}")
            for name, sizes in self.faults.items():
                if not signed and min(sizes) <= 0:
                    raise SettingsError(f"{name}: sizes are positive numbers, got {tuple(sizes)}")
            chosen = self.faults.items()
        return tuple((name, float(size)) for name, sizes in chosen for size in sizes)
