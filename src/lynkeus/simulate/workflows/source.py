"""Tasks that failed, as samples of the kind counts, with what an operator did and what the rules would have done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.workflows.causes import ACTIONS, CAUSES, CODES, SHARES, Cause, sites
from lynkeus.transforms.counts import TASKS, counted

BATCH = 2000
START_NS = 1_704_067_200_000_000_000  # 2024-01-01 UTC
DAY_NS = 86_400_000_000_000
DRIFTS = ("none", "site", "code", "rule", "rules", "bad_site")
NEW_RULES = {"rule": {"storage": "clone"}, "rules": {"storage": "clone", "site outage": "special"}}
SPREAD_OF_JOBS = 0.7  # shape of the negative binomial: a few tasks have very many failed jobs
SLIP = 0.12  # of sites that are called good and are not, or the other way round


class Task(NamedTuple):
    """Entries (state, code, site) and how many jobs failed so, the cause, and whether it is of the time after the
    drift."""

    keys: list[tuple[str, str, str]]
    counts: list[float]
    cause: Cause
    later: bool


@dataclass
class Workflows:
    """`n` failed tasks in the order of `days` days.

    `habit`: share of tasks in which the operator does what is usual instead of what the rules say; `wrong`: share of
    decisions that are planted wrong ones (in meta: `planted`); `codes`, `sites`: how many there are; `drift` in the
    second half: a new `site`, a new `code`, a `rule` that changes (storage is cloned), two `rules` (site outages are
    special as well, together half of all tasks), a site that turns bad (`bad_site`). Meta: task, campaign, `action`,
    `memory`, `splitting`, `xrootd` as decided, `rule_action`, `cause`, `planted`. Raises SettingsError for values out
    of range.
    """

    n: int = 8000
    seed: int = 0
    habit: float = 0.1
    wrong: float = 0.0
    codes: int = 54
    sites: int = 142
    days: float = 180.0
    drift: str = "none"

    def __post_init__(self) -> None:
        if self.n < 1 or not 20 <= self.codes <= len(CODES) or not 10 <= self.sites <= 2000:
            raise SettingsError(f"n must be at least 1, codes from 20 to {len(CODES)}, sites from 10 to 2000")
        if not (0 <= self.habit <= 1 and 0 <= self.wrong <= 0.5 and 0 < self.days <= 3650):
            raise SettingsError("habit must lie from 0 to 1, wrong from 0 to 0.5, days up to 3650")
        if self.drift not in DRIFTS:
            raise SettingsError(f"drift {self.drift!r} is not one of {', '.join(DRIFTS)}")
        self.schema = TASKS

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> Workflows:
        """Return as many tasks of the same kind."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        names = sites(self.sites)
        popular = rng.permutation(1.0 / (1.0 + np.arange(self.sites)) ** 0.5)
        where = _Where(names, popular / popular.sum(), 1.0 / (1.0 + np.arange(self.codes)))
        for first in range(0, self.n, BATCH):
            number = np.arange(first, min(first + BATCH, self.n))
            yield self._batch(rng, where, number)

    def _batch(self, rng: np.random.Generator, where: _Where, number: np.ndarray[Any, Any]) -> Batch:
        shares = np.array([cause.share for cause in CAUSES])
        drawn = rng.choice(len(CAUSES), len(number), p=shares / shares.sum())
        later = (number >= self.n / 2) & (self.drift != "none")
        tasks = [self._task(rng, where, CAUSES[k], bool(late)) for k, late in zip(drawn, later, strict=True)]
        meta = self._decided(rng, tasks)
        campaigns = np.array([f"Run{k % 3 + 2}Campaign{k % 7}" for k in range(21)])[rng.integers(0, 21, len(number))]
        meta["campaign"] = campaigns
        meta["task"] = np.array([f"/{one}/task_{k:06d}" for one, k in zip(campaigns, number, strict=True)])
        times = START_NS + (self.days * DAY_NS / self.n * number).astype(np.int64)
        return counted([task.keys for task in tasks], [task.counts for task in tasks], meta, times)

    def _task(self, rng: np.random.Generator, where: _Where, cause: Cause, later: bool) -> Task:
        known = where.codes[: self.codes]
        codes = [code for code in cause.codes if code in known] or [known[0]]
        if later and self.drift == "code" and cause.name == "bad file":
            codes = ["8901"]
        many = {"one site": 1, "many sites": int(rng.integers(8, 40)), "everywhere": int(rng.integers(40, 120))}
        at = where.draw(rng, many[cause.spread])
        if later and self.drift == "site" and rng.random() < 0.3:
            at[0] = "T2_XX_NewSite"
        if later and self.drift == "bad_site" and cause.spread == "one site" and rng.random() < 0.6:
            at = [where.names[3]]
        used = codes if cause.spread == "one site" else [codes[0], *rng.permutation(codes[1:])[: rng.integers(0, 2)]]
        found: dict[tuple[str, str, str], float] = {}
        for code in used:
            for site, jobs in zip(at, _jobs(rng, cause.jobs, len(at)), strict=True):
                bad = (cause.spread == "one site") != (rng.random() < SLIP)
                found[("bad" if bad else "good", code, site)] = float(jobs + 1)
        self._add_noise(rng, where, found)
        return Task(list(found), list(found.values()), cause, later)

    def _add_noise(self, rng: np.random.Generator, where: _Where, found: dict[tuple[str, str, str], float]) -> None:
        """Add jobs that fail here and there for reasons of their own."""
        for code in rng.choice(where.codes[: self.codes], rng.poisson(8.0), p=where.frequency):
            (site,) = where.draw(rng, 1)
            key = ("bad" if rng.random() < SLIP else "good", str(code), site)
            found[key] = found.get(key, 0.0) + float(rng.geometric(0.5))

    def _decided(self, rng: np.random.Generator, tasks: list[Task]) -> dict[str, Any]:
        """Return what was done about each task: by the rules, by habit, or wrongly."""
        n = len(tasks)
        by_rule = np.array([
            (NEW_RULES.get(self.drift, {}) if task.later else {}).get(task.cause.name, task.cause.action)
            for task in tasks
        ])  # fmt: skip
        action = np.where(rng.random(n) < self.habit, rng.choice(ACTIONS, n, p=SHARES), by_rule)
        planted = rng.random(n) < self.wrong
        other = (np.searchsorted(ACTIONS, action) + rng.integers(1, len(ACTIONS), n)) % len(ACTIONS)
        action = np.where(planted, np.array(ACTIONS)[other], action)
        known = {"action": action, "rule_action": by_rule, "planted": planted.astype(np.int8)}
        for name in ("memory", "splitting", "xrootd"):
            own = np.array([getattr(task.cause, name) for task in tasks])
            known[name] = np.where((action == "acdc") & (rng.random(n) >= self.habit), own, "default")
        known["cause"] = np.array([task.cause.name for task in tasks])
        return known


class _Where:
    """Sites and codes, and how often each is met."""

    def __init__(self, names: tuple[str, ...], popular: np.ndarray[Any, Any], falling: np.ndarray[Any, Any]) -> None:
        self.names, self.popular = np.array(names), popular
        self.codes, self.frequency = CODES, falling / falling.sum()

    def draw(self, rng: np.random.Generator, many: int) -> list[str]:
        """Return different sites, more often the large ones."""
        many = min(many, len(self.names))
        # The largest of exponential times, each by its weight: a draw without replacement.
        order = np.argpartition(rng.exponential(size=len(self.names)) / self.popular, many - 1)[:many]
        return [str(name) for name in self.names[order]]


def _jobs(rng: np.random.Generator, mean: float, many: int) -> np.ndarray[Any, Any]:
    """Return how many jobs failed at each of so many sites: negative binomial of this mean."""
    return rng.negative_binomial(SPREAD_OF_JOBS, SPREAD_OF_JOBS / (SPREAD_OF_JOBS + mean), many)
