"""Even: what is lost of the signal is spread evenly over hits, however they look, so that no track is lost as a whole.

Where noise is told almost without mistake, a stated loss is more than it takes, and those signal hits would make it up
that look least like others: nearly all of a steep track, none of a straight one. So a hit is compared with what signal
hits that look like it score (a quantile, by boosted trees: conformalised quantile regression, Romano, Patterson and
Candes 2019, arXiv:1905.03222), and what is noise-like even so makes up a part of the stated loss: as much as it takes
to remove nearly as much noise as by all of it. The rest is drawn by lot from hits that a track can spare, in all of
whose rows around there is a hit on a line with them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Array, Floats
from lynkeus.networks.hits.lots import Lots
from lynkeus.networks.hits.trees import TreesOfHits
from lynkeus.scorers.hits.label_noise import LabelNoise
from lynkeus.scorers.hits.learners import Learner, Trees, features_of
from lynkeus.scorers.hits.working_point import Chances, Curve
from lynkeus.transforms.boosted import Boosted, boosted_of, fast_decision

ABOVE = 0.6  # of the stated loss are above the quantile
QUANTILES = (0.5, 0.99)  # between which it lies, whatever the loss
BY_SCORE = (0.1, 0.2, 0.4, 0.7)  # of the stated loss; what is drawn by lot is the rest. The least of these is taken
COST = (
    0.01  # that removes no more than this less of the noise than all of the loss by score would; else all is by score
)
MOST_DRAWN = 0.2  # of the hits that can be spared
MOST, FEWEST = 60_000, 1_000  # signal hits that it is learned from
TURNS, LEAVES = 60, 8  # of the trees: coarse, since what is looked for is what many hits have in common
LEAST = 0.01  # of the hits in a leaf
PARTS = 4  # of the events, each scored by what the others teach


class Unseen(NamedTuple):
    """Hits (n,) that a learner has not seen: `values`, labels `noise` (1 for noise), `event`, and their `scores`."""

    values: Floats
    noise: Array
    event: Array
    scores: Floats


class Even:
    """A learner whose scores are less the `usual` ones of signal hits that look alike (None: they are already); what
    is drawn by `lots` scores just above 0, where it would score less."""

    def __init__(self, learner: Learner, usual: Boosted | None, lots: Lots | None) -> None:
        if usual is not None and isinstance(learner, Trees):
            learner, usual = Trees(learner.features, _less(learner.trees, usual)), None
        self.features, self.learner, self.usual, self.lots = learner.features, learner, usual, lots
        self._usual = None if usual is None else fast_decision(usual)

    def decide(self, values: Floats) -> Floats:
        """Return (n,) log odds of noise, less what of signal that looks alike a small share is above."""
        found = self.learner.decide(values)
        if self._usual is not None:
            found = found - self._usual(features_of(self.features, values))
        return found if self.lots is None else lifted(self.lots, values, found)

    def as_module(self) -> nn.Module:
        """Return it as a module of tensors."""
        usual = None if self.usual is None else TreesOfHits(self.features, self.usual)
        return EvenScores(self.learner.as_module(), usual, self.lots)


class EvenScores(nn.Module):
    """Scores of a `judge` less the `usual` ones, but for those drawn by `lots`."""

    def __init__(self, judge: nn.Module, usual: nn.Module | None, lots: Lots | None) -> None:
        super().__init__()
        self.judge, self.usual, self.lots = judge, usual, lots

    def forward(self, values: Tensor) -> Tensor:
        """Return (n,) scores."""
        found: Tensor = self.judge(values)
        if self.usual is not None:
            found = found - self.usual(values)
        return found if self.lots is None else self.lots.lift(values, found)


def _less(trees: Boosted, usual: Boosted) -> Boosted:
    """Return the trees whose sum is that of `trees` less that of `usual`."""
    shift = len(trees.left)
    moved = usual._replace(root=usual.root + shift, left=usual.left + shift, right=usual.right + shift,
                           value=-usual.value)  # fmt: skip
    both = Boosted(*(np.concatenate(pair) for pair in zip(trees, moved, strict=True)))
    return both._replace(start=trees.start - usual.start)


def lifted(lots: Lots, values: Floats, scores: Floats) -> Floats:
    """Return the scores (n,) of hits as those drawn have them."""
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
        found: Floats = lots.lift(x, torch.from_numpy(np.asarray(scores, np.float64))).numpy()
    return found


def spread_evenly(
    learner: Learner, known: Unseen, lots: Lots | None, loss: float, of: str, mistakes: LabelNoise, seed: int
) -> tuple[Learner, Floats]:  # fmt: skip
    """Return the learner with its loss spread evenly, and scores (n,) of the hits by what had not seen their events;
    the learner as it is where there are too few hits. `mistakes` of the labels; `lots` are given their share."""
    chance = mistakes.noise_probability(Chances.fit(known.scores, known.noise).of(known.scores))
    random = np.random.default_rng(seed)
    # Of hits labelled as on a track some are noise: as many of those that look so as there are of signal.
    signal = (known.noise == 0) & (random.uniform(size=len(chance)) >= chance)
    if signal.sum() < FEWEST:
        return learner, known.scores
    found = features_of(learner.features, known.values)
    part = random.permutation(int(known.event.max()) + 1)[known.event] % PARTS
    scores = known.scores.copy()
    for k in range(PARTS):
        own = part == k
        scores[own] -= fast_decision(_usual(found, known.scores, signal & ~own, loss, random))(found[own])
    usual = _usual(found, known.scores, signal, loss, random)
    limit = _by_score(Curve.of(scores, known.noise), loss, of, mistakes)
    if lots is None or limit is None:
        return Even(learner, usual, None), scores
    scores, usual = scores - limit, usual._replace(start=usual.start + limit)
    # In which order hits are removed: by score as long as it is above 0, then those drawn, then the others.
    ticket = lots.tickets(torch.from_numpy(np.ascontiguousarray(known.values, dtype=np.float32))).numpy()
    drawn = ticket > 1.0 - MOST_DRAWN
    order = np.where(scores > 0, 2.0 + scores, np.where(drawn, ticket, scores))
    at = Curve.of(order, known.noise).at(loss, of, mistakes)
    lots.share.fill_(1.0 - float(np.clip(at, 1.0 - MOST_DRAWN, 1.0)))
    return Even(learner, usual, lots), lifted(lots, known.values, scores)


def _by_score(curve: Curve, loss: float, of: str, mistakes: LabelNoise) -> float | None:
    """Return the score from which on hits are removed because they look like noise; None for no less than by all."""
    wanted = curve.shares(curve.at(loss, of, mistakes), mistakes).noise_removed - COST
    for part in BY_SCORE:
        limit = curve.at(part * loss, of, mistakes)
        if curve.shares(limit, mistakes).noise_removed >= wanted:
            return limit
    return None


def _usual(found: Floats, scores: Floats, chosen: Array, loss: float, random: np.random.Generator) -> Boosted:
    """Return trees that give the quantile of the scores of hits that look alike, of those `chosen` (n,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = np.flatnonzero(chosen)
    if len(rows) > MOST:
        rows = random.choice(rows, MOST, replace=False)
    model = HistGradientBoostingRegressor(
        loss="quantile", quantile=float(np.clip(1.0 - ABOVE * loss, *QUANTILES)), max_iter=TURNS,
        max_leaf_nodes=LEAVES, learning_rate=0.15, min_samples_leaf=max(20, int(LEAST * len(rows))),
        early_stopping=False, random_state=0,
    )  # fmt: skip
    return boosted_of(model.fit(found[rows], scores[rows]))
