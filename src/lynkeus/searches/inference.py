"""Inference from a workspace by pyhf: best fit, discovery, limits, pulls and impacts; toys where events are few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import SettingsError
from lynkeus.core.extras import needing
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.asymptotic import Asymptotic
from lynkeus.searches.minimise import minuit

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

    @property
    def parameters(self) -> int:
        """Return how many parameters there are, the signal strength included."""
        return int(self.model.config.npars)

    @property
    def fewest(self) -> float:
        """Return how many events are expected in all with a signal, in the bin where it is most of what is there."""
        start = np.asarray(self.model.config.suggested_init(), float)
        at = self.model.config.poi_index
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
    start, hold = list(config.suggested_init()), list(config.suggested_fixed())
    names = list(config.par_names)
    for name, value in (fixed or {}).items():
        at = names.index(name)
        start[at], hold[at] = float(value), True
    with minuit(len(hold) - sum(hold) + 1, errors) as pyhf:
        found, twice = pyhf.infer.mle.fit(
            model.data, model.model, init_pars=start, fixed_params=hold, return_uncertainties=errors,
            return_fitted_val=True,
        )  # fmt: skip
    found = np.asarray(found, float) if errors else np.column_stack([found, np.zeros(len(start))])
    values, spread = (dict(zip(names, map(float, column), strict=True)) for column in np.asarray(found).T)
    return BestFit(values, spread, _pulls(config, values), float(twice))


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
    if not number:
        with minuit(model.parameters, errors=False) as pyhf:
            observed, *band = Asymptotic(pyhf, model.model, model.data).limits(LEVEL, MOST_STRENGTH, report)
        return Limit(observed, (band[0], band[1], band[2], band[3], band[4]), 0)
    cache: dict[float, list[float]] = {}

    def excluded(strength: float) -> list[float]:
        if strength not in cache:
            report(f"strength {strength:.3g}", min(len(cache) / 25, 1.0))
            cache[strength] = _cls(model, strength, number)
        return cache[strength]

    found = [_crossing(excluded, k, cache) for k in range(6)]
    return Limit(found[0], (found[1], found[2], found[3], found[4], found[5]), number)


def _cls(model: Model, strength: float, toys: int) -> list[float]:
    """Return CLs as observed, then as expected at -2 to 2 sigmas."""
    bounds = list(model.model.config.suggested_bounds())
    at = model.model.config.poi_index
    bounds[at] = (bounds[at][0], max(bounds[at][1], 4 * strength, 10.0))
    with minuit(model.parameters, errors=False) as pyhf:
        if toys:
            return _cls_of_toys(pyhf, model, strength, toys, bounds)
        seen, band = pyhf.infer.hypotest(
            strength, model.data, model.model, test_stat="qtilde", return_expected_set=True, par_bounds=bounds
        )
    return [float(seen), *(float(one) for one in band)]


def _cls_of_toys(pyhf: Any, model: Model, strength: float, toys: int, bounds: list[Any]) -> list[float]:
    """Return the same from experiments that are thrown: pyhf's own band of them asks NumPy for what it has no more."""
    thrown = pyhf.infer.calculators.ToyCalculator(
        model.data, model.model, par_bounds=bounds, test_stat="qtilde", ntoys=toys, track_progress=False
    )
    signal, background = (np.asarray(own.samples, float) for own in thrown.distributions(strength))
    at = np.append(float(thrown.teststatistic(strength)), np.quantile(background, [0.977, 0.841, 0.5, 0.159, 0.023]))
    both = [(np.sum(own[:, None] >= at, axis=0) + 1.0) / (toys + 1.0) for own in (signal, background)]
    return [float(one) for one in np.minimum(both[0] / both[1], 1.0)]


def _crossing(excluded: Any, which: int, cache: Mapping[float, list[float]]) -> float:
    """Return the strength at which one of the curves falls below LEVEL, to a thousandth, by bisection of its logarithm;
    what was computed for the others is used."""
    known = sorted(cache)
    low = max((x for x in known if cache[x][which] > LEVEL), default=0.0)
    high = min((x for x in known if cache[x][which] <= LEVEL and x > low), default=None)
    while high is None:
        trial = max(2 * low, 0.5)
        if trial > MOST_STRENGTH:
            raise SettingsError(f"no signal strength up to {MOST_STRENGTH:g} is excluded: is there a signal at all?")
        low, high = (trial, None) if excluded(trial)[which] > LEVEL else (low, trial)
    for _ in range(40):
        if high - low < 1e-3 * high:
            break
        middle = _guess(excluded, which, low, high)
        low, high = (middle, high) if excluded(middle)[which] > LEVEL else (low, middle)
    return 0.5 * (low + high)


def _guess(excluded: Any, which: int, low: float, high: float) -> float:
    """Return where the logarithm of CLs, nearly a straight line, crosses; never too close to an end."""
    left = np.log(max(excluded(low)[which], 1e-30)) if low > 0 else 0.0
    right = np.log(max(excluded(high)[which], 1e-30))
    share = (left - np.log(LEVEL)) / max(left - right, 1e-12)
    return float(low + np.clip(share, 0.1, 0.9) * (high - low))


def discovery(model: Model, toys: int = 0) -> Discovery:
    """Return how significant the data are without a signal (q0), and what is expected of a signal of strength 1."""
    more = {"calctype": "toybased", "ntoys": toys, "track_progress": False} if toys else {}
    with minuit(model.parameters, errors=False) as pyhf:
        p_value = float(pyhf.infer.hypotest(0.0, model.data, model.model, test_stat="q0", **more))
        start = list(model.model.config.suggested_init())
        start[model.model.config.poi_index] = 1.0
        asimov = model.model.expected_data(start)
        expected = float(pyhf.infer.hypotest(0.0, asimov, model.model, test_stat="q0"))
    return Discovery(_sigmas(p_value), p_value, _sigmas(expected), toys)


def _sigmas(p_value: float) -> float:
    from scipy.stats import norm

    return float(norm.isf(max(p_value, 1e-300)))


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
