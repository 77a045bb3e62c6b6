"""Uncertainties of the factors of one cell, source by source: (classes, 2), what "down" and what "up" add to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lynkeus.core import Floats
from lynkeus.scale_factors.fit import Fit, fit_bin
from lynkeus.scale_factors.measurement import Cell, Question
from lynkeus.scale_factors.templates import Templates, join_poor

STATISTICS, SIMULATED = "statistics", "templates"
RESAMPLED = 24  # times that the simulation is drawn again: a scatter known to 15 %


def of_statistics(question: Question, templates: Templates, fit: Fit) -> dict[str, Floats]:
    """The error of the data alone, and that of the limited simulation: what it adds to the fit in quadrature, or what
    the factor moves by where the simulation is drawn again, whichever is larger.

    Noise in templates that look alike makes them look different, and a fit then believes itself too precise (Alexe et
    al. 2024, arXiv:2401.10542); drawn again, it shows.
    """
    exact = fit_bin(templates, question.number, question.classes, question.prior, limited=False)
    if exact.problem:  # without the freedom of the simulation it fits nowhere: all of it is one error
        exact = fit
    whole, data = (_interval(question, one) for one in (fit, exact))
    size = np.minimum(np.abs(data), np.abs(whole))
    signs = np.array([-1.0, 1.0])
    limited = np.maximum(np.sqrt(whole**2 - size**2), _of_resampled(question, templates)[:, None])
    return {STATISTICS: signs * size, SIMULATED: signs * limited}


def _of_resampled(question: Question, templates: Templates) -> Floats:
    """Return (classes,) how much factors scatter where the simulation is drawn again."""
    rng = np.random.default_rng(0)
    drawn = [
        fit_bin(
            join_poor(templates.resampled(rng)), question.number, question.classes, question.prior, interval=False
        ).factor
        for _ in range(RESAMPLED)
    ]
    usable = np.array([factors for factors in drawn if np.isfinite(factors).all()]).reshape(-1, len(question.classes))
    return usable.std(axis=0, ddof=1) if len(usable) > RESAMPLED // 2 else np.zeros(len(question.classes))


def _interval(question: Question, fit: Fit) -> Floats:
    """Return (classes, 2) distance of both ends of the interval."""
    ends = np.stack([-fit.error, fit.error], axis=1)
    ends[question.number] = fit.low - fit.factor[question.number], fit.high - fit.factor[question.number]
    return np.nan_to_num(ends)


def of_variation(question: Question, cell: Cell, varied: Sequence[Templates]) -> tuple[Floats, str]:
    """Return (classes, 2) shifts where the efficiency in data is measured by another simulation.

    The factor is that of the nominal one, so that it is (efficiency in data) / (nominal efficiency).
    """
    moved = []
    for templates in varied:
        fit = fit_bin(templates, question.number, question.classes, question.prior)
        if fit.problem:
            return np.zeros((len(question.classes), 2)), fit.problem
        nominal = np.where(cell.efficiency > 0, cell.efficiency, np.nan)
        moved.append(np.nan_to_num(fit.factor * templates.efficiency / nominal - cell.fit.factor))
    up, down = moved if len(moved) == 2 else (moved[0], -moved[0])
    return np.stack([down, up], axis=1), ""


def of_extrapolation(question: Question, cell: Cell) -> tuple[Floats, str] | None:
    """What the factor shifts by where only jets with a value of the variable are fitted; None where all have one."""
    inside = cell.templates.with_values()
    if len(inside.data) == len(cell.templates.data):
        return None
    fit = fit_bin(inside, question.number, question.classes, question.prior)
    if fit.problem:
        return np.zeros((len(question.classes), 2)), fit.problem
    shift = np.nan_to_num(fit.factor - cell.fit.factor)
    return np.stack([-shift, shift], axis=1), ""
