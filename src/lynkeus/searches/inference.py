"""Inference from a workspace by pyhf: best fit, discovery, limits, pulls and impacts; toys where events are few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from lynkeus.core import Floats, SettingsError
from lynkeus.core.extras import needing
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.asymptotic import Asymptotic
from lynkeus.searches.fits import Fits
from lynkeus.searches.toys import Toys

FEW_EVENTS = 5.0  # expected in the most sensitive bin: below it asymptotic formulae are not to be trusted
TOYS = 1000
LEVEL = 0.05
MOST_STRENGTH = 100.0  # an upper limit is searched up to here


class BestFit(NamedTuple):
    """`values` and `errors` of all parameters by name; `pulls`: of the constrained ones, in sigmas of their constraint;
    `minus_two_log`: of the likelihood at the minimum."""

    values: Mapping[str, float]
    errors: Mapping[str, float]
    pulls: Mapping[str, float]
    minus_two_log: float


class Limit(NamedTuple):
    """The largest signal strength that CLs does not exclude at 95 %: `observed`, and `expected` at -2, -1, 0, 1, 2
    sigmas; `toys`: thrown, 0 where the asymptotic formula was used."""

    observed: float
    expected: tuple[float, float, float, float, float]
    toys: int


class Discovery(NamedTuple):
    """`significance` in sigmas and `p_value` of the data without a signal, `expected` significance at strength 1."""

    significance: float
    p_value: float
    expected: float
    toys: int


@contextmanager
def numpy_backend() -> Iterator[None]:
    """Let pyhf compute by NumPy in double precision, and leave its backend as it was."""
    with needing("an inference", "search"):
        import pyhf
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", precision="64b")
    try:
        yield
    finally:
        pyhf.set_backend(*before)


@dataclass(frozen=True)
class Model:
    """A workspace as pyhf holds it: its model and the data, auxiliary ones included."""

    model: Any
    data: Any
    strength: str

    @classmethod
    def of(cls, workspace: Mapping[str, Any], patches: Sequence[Any] = ()) -> Model:
        """Read a workspace. Raises SettingsError where it does not follow the schema of HistFactory."""
        with needing("an inference", "search"):
            import pyhf
        try:
            own = pyhf.Workspace(workspace)
            model = own.model(patches=list(patches), modifier_settings={
                "normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}
            })  # fmt: skip
            return cls(model, own.data(model), model.config.poi_name)
        except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidModel, KeyError) as error:
            raise SettingsError(f"the workspace does not follow HistFactory's schema: {str(error)[:200]}") from error

    @cached_property
    def fits(self) -> Fits:
        """Return what fits it, made once."""
        return Fits(self.model)

    @property
    def fewest(self) -> float:
        """Return how many events are expected in all with a signal, in the bin where it is most of what is there."""
        at = self.model.config.poi_index
        with numpy_backend():
            start, _ = self.fits.one(np.asarray(self.data, float), {at: 0.0})
        both = []
        for strength in (0.0, 1.0):
            start[at] = strength
            both.append(np.asarray(self.model.expected_data(list(start), include_auxdata=False), float))
        gain = (both[1] - both[0]) / np.sqrt(np.maximum(both[1], 1e-9))
        return float(both[1][int(np.argmax(gain))])


def best_fit(model: Model, fixed: Mapping[str, float] | None = None, errors: bool = True) -> BestFit:
    """Fit all parameters, some `fixed` (also the signal strength); without `errors` these are 0, and it takes half the
    time. Raises SettingsError where no minimum is found."""
    config = model.model.config
    names = list(config.par_names)
    hold = {names.index(name): float(value) for name, value in (fixed or {}).items()}
    with numpy_backend():
        fits = model.fits
        x, _ = fits.one(model.data, hold)
        spread = fits.errors(x, model.data, hold) if errors else np.zeros(len(x))
        twice = -2.0 * float(np.squeeze(model.model.logpdf(x, model.data)))
    values, widths = (dict(zip(names, map(float, column), strict=True)) for column in (x, spread))
    return BestFit(values, widths, _pulls(config, values), twice)


def _pulls(config: Any, values: Mapping[str, float]) -> dict[str, float]:
    """Return how far each constrained parameter was pulled, in sigmas of its constraint."""
    found = {}
    for group in config.par_order:
        own = config.param_set(group)
        if not own.constrained:
            continue
        names = [name for name in config.par_names if name == group or name.startswith(f"{group}[")]
        widths = getattr(own, "sigmas", None) or [1.0] * len(names)
        for name, start, width in zip(names, own.suggested_init, widths, strict=False):
            found[name] = (values[name] - float(start)) / float(width)
    return found


def upper_limit(model: Model, toys: int | None = None, report: ReportProgress = silent) -> Limit:
    """Return the limit on the signal strength by CLs; with toys where the asymptotic formula fails for few events.

    `toys`: how many for each strength (None: as many as are needed, 0: none). Raises SettingsError where no strength up
    to MOST_STRENGTH is excluded.
    """
    number = (TOYS if model.fewest < FEW_EVENTS else 0) if toys is None else toys
    with numpy_backend():
        own = Asymptotic(model.model, model.data)
        if not number:
            observed, *band = own.limits(LEVEL, MOST_STRENGTH, report)
        else:
            try:
                about = own.limits(LEVEL, MOST_STRENGTH)
            except SettingsError:  # what it cannot exclude, toys may
                about = []
            observed, *band = Toys(model.model, model.data, number).limits(LEVEL, about, MOST_STRENGTH, report)
    return Limit(observed, (band[0], band[1], band[2], band[3], band[4]), number)


def cls_of(model: Model, strength: float, toys: int = 0) -> list[float]:
    """Return CLs of a signal strength as observed, then as expected at -2 to 2 sigmas: by the asymptotic formula, or
    counted among `toys`."""
    with numpy_backend():
        if toys:
            return Toys(model.model, model.data, toys).cls(strength)
        return Asymptotic(model.model, model.data)(strength)


def discovery(model: Model, toys: int = 0) -> Discovery:
    """Return how significant the data are without a signal (q0), and what is expected of a signal of strength 1, on
    backgrounds as the data fit them without one; the p-value counted among `toys` where there are any."""
    with numpy_backend():
        fits = model.fits
        seen = _root_of_nothing(fits, np.asarray(model.data, float))
        start, _ = fits.one(np.asarray(model.data, float), {fits.poi: 0.0})
        start[fits.poi] = 1.0
        expected = _root_of_nothing(fits, np.asarray(model.model.expected_data(start), float))
        p_value = Toys(model.model, model.data, toys).discovery() if toys else float(norm.sf(seen))
    return Discovery(_sigmas(p_value), p_value, expected, toys)


def _root_of_nothing(fits: Fits, data: Floats) -> float:
    """Return the root of q0 of data: 0 where a negative signal would fit best."""
    best, least = fits.one(data)
    _, value = fits.one(data, {fits.poi: 0.0}, best)
    return float(np.sqrt(max(value - least, 0.0)))


def _sigmas(p_value: float) -> float:
    """Return a p-value in sigmas, 0 where there is no excess."""
    return max(float(norm.isf(max(p_value, 1e-300))), 0.0)


class Impact(NamedTuple):
    """How much the signal strength moves when a parameter is held one of its errors `up` or `down`; and its `pull`."""

    name: str
    up: float
    down: float
    pull: float

    @property
    def size(self) -> float:
        """Return the larger of both."""
        return max(abs(self.up), abs(self.down))


def impacts(model: Model, report: ReportProgress = silent) -> list[Impact]:
    """Return the impact of every parameter on the signal strength, the largest first."""
    best = best_fit(model)
    names = [name for name in best.values if name != model.strength and best.errors[name] > 0]
    found = []
    bounds = dict(zip(model.model.config.par_names, model.model.config.suggested_bounds(), strict=True))
    for k, name in enumerate(names):
        report(f"impact of {name}", k / len(names))
        moved = []
        for sign in (1, -1):
            held = float(np.clip(best.values[name] + sign * best.errors[name], *bounds[name]))
            other = best_fit(model, {name: held}, errors=False)
            moved.append(other.values[model.strength] - best.values[model.strength])
        found.append(Impact(name, moved[0], moved[1], best.pulls.get(name, float("nan"))))
    return sorted(found, key=lambda one: -one.size)
