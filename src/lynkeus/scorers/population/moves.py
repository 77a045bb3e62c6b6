"""Where a run is as a whole, beside how far good runs move, and a run put back where good ones are.

A gain, a pressure or a calibration moves all events of a run alike. How odd a move is, is asked by itself, of the moves
of good runs: a few of these say little, so that every spread and two kinds of tails count as much as their likelihood
says. What is asked of shares of populations, of new ones and of nearly empty places is asked of the run put back: else
what moves hides what is gone, and looks new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, Self

import numpy as np
from numpy.linalg import norm
from scipy.special import chdtri, ndtr

from lynkeus.core import Array, Floats
from lynkeus.scorers.population.density import Density
from lynkeus.scorers.population.gaussians import log_sum
from lynkeus.scorers.population.trials import TINY, of_trials

STEPS, NEAR = 6, 0.02  # of Fisher's scoring; widths, from which it is done
STEEPEST = 4.0  # slope of the log density, per width, that one event may have: strange events do not say where a run is
LONGEST = 1.5  # widths, of one step
BESIDE, WIDEST = 0.2, 5.0  # widths, between which slopes are compared; times the error by the density
FEW, BEGINNINGS = 200, (-24.0, -12.0, -6.0, -3.0, 3.0, 6.0, 12.0, 24.0)  # events, and widths, from which it begins
CLEARLY, DEEPEST = 5.0, 20.0  # nats by which a beginning is better; by which an event is unlikely at most
HILLS = 4  # beginnings beside that of no move, where any is clearly better
ANYWHERE = 30.0  # widths: spread of the moves before any run is seen
CLEAR = 0.5  # widths: a run that does not say more exactly where it is along a column is not put back along it
SPREADS = np.geomspace(0.3, 1000.0, 24)  # of moves, in units of how well a usual run says where it is
FREEDOMS = (3.0, 30.0)  # degrees of freedom of Student's distribution of moves: now and then one is large, or none is
USUALLY = np.array([0.5, 0.375, 0.125])  # the chance that a column does not move, or by these, before any is seen
WORTH = 4.0  # columns that this counts as, beside others that were seen
_KINDS = [1, *(len(SPREADS) for _ in FREEDOMS)]  # numbers of each kind of moves in their `chance`
ROUNDS = 20  # until what all columns say agrees with what is said of each
APART = 0.01  # expected number of good runs in the whole reference that are moved as far as one that is odd
APART_TOGETHER = 0.05  # where several are so alike
MOST_APART = 0.15  # of the runs
LEVELS = np.concatenate([[0.0], np.geomspace(1e-9, 1e-2, 8), [0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 1.0]])


class Located(NamedTuple):
    """Where a run is, (c,) in widths of the narrowest component, and how well that is known (c,), as a sigma; 0 and inf
    along columns that are not asked."""

    moved: Floats
    sigma: Floats


@dataclass(frozen=True)
class Moves:
    """How far good runs move along each column, in widths of the narrowest component: around `centre` (c,); `usual`
    (c,): how well a usual run says where it is, in units of which are the SPREADS; `chance` (c, 1 + FREEDOMS times
    SPREADS): of no move at all, and of each tail and spread. `wider` (c,): how much less is known of where a run is
    than the density says, which has bumps of its own; `runs` (1,): how many good runs say so, which are `far` (c, n)
    from the centre, or may be. `usually` (c, 1 + FREEDOMS): the chance of no move and of each tail by all else that is
    known; None in models of before."""

    centre: Floats
    usual: Floats
    chance: Floats
    wider: Floats
    runs: Floats
    far: Floats
    usually: Floats | None = None

    @classmethod
    def fit(cls, found: Sequence[Located], wider: Floats, usually: Floats | None = None) -> Self:
        """Learn from where good runs are."""
        moved, sigma = (np.stack(part) for part in zip(*found, strict=True))
        sigma = sigma * wider
        centre, usual = np.median(moved, axis=0), np.median(sigma, axis=0)
        widths, weight = _widths(usual)
        square = (sigma[..., None, None] ** 2 + widths**2) * (1.0 + 1.0 / len(found))
        away = (moved - centre)[..., None, None]
        square = np.where(np.isfinite(square), square, 1.0)
        density = (weight * np.exp(-0.5 * away**2 / square) / np.sqrt(square)).sum(axis=-1)
        usually = np.tile(USUALLY, (len(centre), 1)) if usually is None else usually
        log_chance = np.log(np.maximum(density, TINY)).sum(axis=0) + np.log(_prior(usually))
        chance = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
        far = np.where(np.isfinite(sigma), np.abs(moved - centre) + sigma, 0.0).T
        chance /= chance.sum(axis=1, keepdims=True)
        return cls(centre, usual, chance, wider, np.array([len(found)], float), far, usually)

    def sigmas(self, found: Located) -> Floats:
        """Return how far a run is moved (c,), in sigmas of how well that is known; 0 along columns not asked."""
        return (found.moved - self.centre) / (found.sigma * self.wider)

    def p_value(self, found: Located) -> float:
        """Return how often a good run is as far along any column that is asked, no less often than was counted; 1 where
        none is."""
        asked = np.isfinite(self.usual)
        if not asked.any():
            return 1.0
        widths, weight = _widths(self.usual)
        own = found.sigma * self.wider
        sigma = np.sqrt((own[:, None, None] ** 2 + widths**2) * (1.0 + 1.0 / self.runs[0]))
        beyond = (weight * 2.0 * ndtr(-np.abs(found.moved - self.centre)[:, None, None] / sigma)).sum(axis=-1)
        counted = (self.far >= np.abs(found.moved - self.centre)[:, None]).sum(axis=1) / (self.runs[0] + 1.0)
        p_values = np.maximum((self.chance * beyond).sum(axis=1), counted)[asked]
        return of_trials(float(p_values.min()), float(asked.sum()))


def together(moves: Sequence[Moves | None]) -> list[Moves | None]:
    """Return the moves of all views, in each of which the columns of all others say, too, whether columns move, and
    with long tails: of many that do, some look as if they did not in few runs."""
    several = [one for one in moves if one is not None]
    if not several:
        return list(moves)
    asked = np.concatenate([np.isfinite(one.usual) for one in several])
    seen = np.concatenate([_of_kinds(one.chance) for one in several])
    likely, usually = seen / USUALLY, np.tile(USUALLY, (len(asked), 1))
    for _ in range(ROUNDS):
        of_others = seen[asked].sum(axis=0) - np.where(asked[:, None], seen, 0.0)
        usually = WORTH * USUALLY + of_others
        usually /= usually.sum(axis=1, keepdims=True)
        seen = usually * likely
        seen /= seen.sum(axis=1, keepdims=True)
    own = iter(np.split(usually, np.cumsum([len(one.usual) for one in several])[:-1]))
    return [None if one is None else _told(one, next(own)) for one in moves]


def _told(moves: Moves, usually: Floats) -> Moves:
    """Return moves of which more is known beside the runs."""
    chance = moves.chance * np.repeat(usually / USUALLY, _KINDS, axis=1)
    return replace(moves, chance=chance / chance.sum(axis=1, keepdims=True), usually=usually)


def _of_kinds(chance: Floats) -> Floats:
    """Return the chance (c, 1 + FREEDOMS) of no move and of each tail, of any spread."""
    found: Floats = np.add.reduceat(chance, np.cumsum([0, *_KINDS[:-1]]), axis=1)
    return found


def apart(places: Sequence[Located], wider: Floats, trials: float = 1.0, usually: Floats | None = None) -> Array:
    """Return (n,) True for the runs that are moved far beyond all others: by what the others alone say of moves, and
    by what is `usually` so, the nearest of them is odd, so that several do not hide each other. Long tails of moves
    that have no gap are none."""
    moved, sigma = (np.stack(part) for part in zip(*places, strict=True))
    asked, found = np.isfinite(sigma).all(axis=0), np.zeros(len(places), bool)
    if not asked.any():
        return found
    away = (moved - np.median(moved, axis=0))[:, asked]
    away /= np.hypot((sigma * wider)[:, asked], 1.4826 * np.median(np.abs(away), axis=0))
    rising = np.argsort(np.abs(away).max(axis=1), kind="stable")
    for out in range(int(MOST_APART * len(places)), 0, -1):
        others = Moves.fit([places[k] for k in rising[:-out]], wider, usually)
        expected = others.p_value(places[rising[-out]]) * trials * len(places)
        if expected < (APART_TOGETHER if _together(away[rising[-out:]]) else APART):
            found[rising[-out:]] = True
            break
    return found


def _together(away: Floats) -> bool:
    """Return whether several runs are moved (k, c) alike: they are nearer to one another than to all others."""
    middle = away.mean(axis=0)
    return len(away) > 1 and bool(norm(away - middle, axis=1).max() < 0.5 * norm(middle))


def clear(density: Density, runs: Sequence[Floats]) -> Array:
    """Return a mask (c,) of the columns along which good runs say where they are."""
    columns = len(density.widths)
    found = [located(density, run, np.ones(columns, bool)).sigma for run in runs if len(run)]
    mask: Array = np.median(found, axis=0) < CLEAR
    return mask


def located(density: Density, points: Floats, asked: Array) -> Located:
    """Return the likeliest move of all events (n, c), in units in which good ones are uncorrelated, along the columns
    that are `asked` (c,)."""
    columns = int(asked.sum())
    if not columns:
        return Located(np.zeros(len(asked)), np.full(len(asked), np.inf))
    few = points[:FEW]
    begin = _beginnings(density, few, asked)
    if len(begin) > 1:  # a likelihood of several hills: that which pulls most is not always the highest
        begin = np.stack([_uphill(density, few, asked, at)[0] for at in begin])
        begin = begin[[_heights(density, few, begin).argmax()]]
    moved, information = _uphill(density, points, asked, begin[0])
    sigma = np.sqrt(np.diag(np.linalg.inv(information)))
    return Located(moved, _along(asked, sigma, np.inf))


def _uphill(density: Density, points: Floats, asked: Array, begin: Floats) -> tuple[Floats, Floats]:
    """Return the likeliest move (c,) near one, by Fisher's scoring, and how much is known of it (asked, asked)."""
    moved, information = begin[asked], np.empty((0, 0))
    for _ in range(STEPS):
        slope = _slopes(density, put_back(density, points, _along(asked, moved, 0.0)))[:, asked]
        information = slope.T @ slope + np.eye(len(moved)) / ANYWHERE**2
        step = np.clip(np.linalg.solve(information, slope.sum(axis=0) - moved / ANYWHERE**2), -LONGEST, LONGEST)
        moved = moved + step
        if np.abs(step).max() < NEAR:
            break
    return _along(asked, moved, 0.0), information


def _beginnings(density: Density, points: Floats, asked: Array) -> Floats:
    """Return from where (s, c) to look for the likeliest move: what is far away is uphill from nowhere near. Moves
    along single columns and along the axes of the events are tried, and the best few of them joined with moves along
    others."""
    across = np.where(asked, np.linalg.inv(density.units) / density.widths, 0.0)
    ways = np.concatenate([np.eye(len(asked))[asked], across / np.maximum(np.abs(across).max(axis=1), TINY)[:, None]])
    steps = (ways[:, None] * np.array(BEGINNINGS)[:, None]).reshape(-1, len(asked))
    none = np.zeros((1, len(asked)))
    height, at_none = _heights(density, points, steps), _heights(density, points, none)[0]
    best = np.argsort(-height, kind="stable")[:HILLS]
    best = best[height[best] > at_none + CLEARLY]
    found = [none]
    for k in best:
        joined = np.concatenate([none, steps]) + steps[k]
        found.append(joined[[_heights(density, points, joined).argmax()]])
    return np.concatenate(found)


def _heights(density: Density, points: Floats, moved: Floats) -> Floats:
    """Return the log likelihood of events (n, c) put back by each of some moves (s, c), of which none counts for more
    than it can."""
    back = points - ((moved * density.widths) @ density.units)[:, None]
    whole = log_sum(density.log_parts(back.reshape(-1, points.shape[1]))).reshape(len(moved), -1)
    lowest = whole.max(axis=1, initial=0.0, keepdims=True) - DEEPEST
    found: Floats = np.maximum(whole, lowest).sum(axis=1)
    return found


def _along(asked: Array, numbers: Floats, else_: float) -> Floats:
    """Return numbers (c,) of the columns that are asked, of the others a number that says nothing."""
    found = np.full(len(asked), else_)
    found[asked] = numbers
    return found


def wider_than_said(density: Density, points: Floats) -> Floats:
    """Return (c,) the ratio of the true error of where a run is to that by the slopes of the density, from events
    (n, c) of which it was not learned: where it has bumps that these do not have, it rises and falls for nothing."""
    steep = (_slopes(density, points) ** 2).sum(axis=0)
    found = np.ones(len(steep))
    for column, own in enumerate(np.eye(len(steep)) * BESIDE):
        ends = [_slopes(density, put_back(density, points, way * own))[:, column].sum() for way in (-1.0, 1.0)]
        found[column] = steep[column] / max((ends[0] - ends[1]) / (2.0 * BESIDE), steep[column] / WIDEST)
    return np.clip(found, 1.0, WIDEST)


def _slopes(density: Density, points: Floats) -> Floats:
    """Return by how much the log density at events (n, c) rises per width by which all are moved, (n, c)."""
    parts = density.log_parts(points)
    slope = density.slopes(points, parts - log_sum(parts)) * density.widths
    return np.clip(slope, -STEEPEST, STEEPEST)


def put_back(density: Density, points: Floats, moved: Floats) -> Floats:
    """Return events (n, c) less a move (c,) in widths."""
    found: Floats = points - (moved * density.widths) @ density.units
    return found


def _prior(usually: Floats) -> Floats:
    """Return the chance (c, 1 + FREEDOMS times SPREADS) of no move, and of each tail and spread, before any run is
    seen, by that of any spread (c, 1 + FREEDOMS)."""
    spread = SPREADS / (1.0 + SPREADS**2)  # half a Cauchy distribution (Gelman 2006)
    tails = (usually[:, 1:, None] * (spread / spread.sum())).reshape(len(usually), -1)
    return np.concatenate([usually[:, :1], tails], axis=1)


def _widths(usual: Floats) -> tuple[Floats, Floats]:
    """Return the widths (c, kinds, m) of the normal distributions that each kind of moves is a mixture of, where a
    usual run is known to `usual` (c,), and their weights (m,)."""
    scale, weight = _mixtures()
    return np.where(np.isfinite(usual), usual, 1.0)[:, None, None] * scale, weight


@cache
def _mixtures() -> tuple[Floats, Floats]:
    """Return Student's distributions of all spreads, and of none, as mixtures of normal ones: their widths (kinds, m)
    and weights (m,)."""
    middle = np.sqrt(np.maximum(LEVELS[:-1], 0.1 * LEVELS[1]) * LEVELS[1:])
    middle[LEVELS[:-1] >= 0.01] = 0.5 * (LEVELS[:-1] + LEVELS[1:])[LEVELS[:-1] >= 0.01]
    tails = [np.sqrt(freedom / chdtri(freedom, 1.0 - middle)) for freedom in FREEDOMS]
    several = np.concatenate([SPREADS[:, None] * tail for tail in tails])
    return np.concatenate([np.zeros((1, len(middle))), several]), np.diff(LEVELS)
