"""The recommended scorer of runs of events: did a population shift, disappear or appear, and how rare is that?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import (
    About,
    Array,
    Batch,
    Evidence,
    Finding,
    Floats,
    LastBatch,
    ModelError,
    SchemaError,
    Scores,
    SettingsError,
    Source,
    Unseen,
)
from lynkeus.core.run_calibration import rarest_of
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.population.asked import AmongGood, AskedRun, moved_apart
from lynkeus.scorers.population.events import called_good, groups_of, runs_of, there_in
from lynkeus.scorers.population.gaussians import log_sum
from lynkeus.scorers.population.learn import MANY_RUNS, Share, learned, parts_of, shares_of
from lynkeus.scorers.population.questions import FamilyOfTests
from lynkeus.scorers.population.trials import of_few_runs
from lynkeus.scorers.population.view import Asked, EventView
from lynkeus.scorers.population.words import PopulationWords, group_numbers, kind_change, sentence
from lynkeus.transforms.alike import second_kind
from lynkeus.transforms.event_columns import Scale

FEWEST_RUNS = 5
OUTLYING = 0.01  # expected number of good runs in the whole reference that are as bad as one that is left out
MOST_OUTLYING = 0.15  # of the runs
RARE = 0.05  # p-value of a run from which hypotheses are fitted to it
MOST_SAID = 2  # other changes that the sentence on a run names
RARE_BESIDE = 0.001  # p-value of a view from which it has hypotheses of its own beside that of the oddest
LEARNED = "learned.json"


@dataclass
class Population:
    """`anomaly` of a run: -log10 of how often a good run of as many events has any population as odd as its oddest.

    The density of pooled good events, on the scale of each column and for each group of events, gives likelihood ratios
    for shifts, the shares of its populations, and the places where good events are few. `fewest`: events below which
    nothing is said. Learned: `scale_`, `groups_`, `views_`, `kinds_` (shares of groups and of missing values),
    `outlying_` runs of the reference, which were left out, `second_kind_`: those that are as far, but like one another,
    `runs_`: how many were not left out, `calibration_`: how small p-values good runs have.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("cloud",), False, "emptiness of an event's place", "a minute", constants=True, scale="-log10 p", runs=True
    )
    fewest: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        self._memo: LastBatch[list[AskedRun | None]] = LastBatch()
        if self.fewest < 2:
            raise SettingsError(f"fewest is a number of events, at least 2, not {self.fewest}")

    def fit(self, source: Source) -> Self:
        """Learn from good runs; those that are far from all others are left out, and named in `outlying_`, unless a
        tenth of all is so in one way: that is a kind of good runs as far as any statistic can tell.

        Raises SchemaError where the source has no clouds, or too few runs or events.
        """
        self._memo.forget()
        self.second_kind_: list[str] = []
        if source.schema.kind != "cloud":
            raise SchemaError(f"the scorer population reads runs of events, not a {source.schema.kind}")
        self.schema_ = source.schema
        names, runs, groups = runs_of(source, self.fewest)
        if len(runs) < FEWEST_RUNS:
            raise SchemaError(
                f"the scorer population needs {FEWEST_RUNS} good runs of {self.fewest} events or more, got {len(runs)}"
            )
        self.scale_ = Scale.fit(np.concatenate(runs))
        scaled = [self._scaled(run) for run in runs]
        self.groups_ = tuple(sorted({str(g) for group in groups for g in np.unique(group)}))
        asked, held_out = self._learn(scaled, groups, parts_of(len(scaled)))
        kept = np.array([own.p_value(new=False) for own in asked]) * len(runs) > OUTLYING
        kept &= ~moved_apart(self.views_, asked)
        kept |= np.isin(names, called_good(source))
        if (~kept).sum() > max(MOST_OUTLYING * len(runs), 1.0):
            kept[:] = True  # so many are how good runs differ
        if not kept.all():
            odd = np.flatnonzero(~kept)
            kept[odd] = second_kind(np.stack([self._sigmas(scaled[k], groups[k]) for k in odd]), len(runs))
            self.second_kind_ = [names[k] for k in odd if kept[k]]
        self.outlying_ = [name for name, good in zip(names, kept, strict=True) if not good]
        far: list[AskedRun] = []
        if self.outlying_ and kept.sum() >= FEWEST_RUNS:
            chosen = np.flatnonzero(kept)
            asked, _ = self._learn([scaled[k] for k in chosen], [groups[k] for k in chosen])
            far = [self._ask(scaled[k], groups[k]) for k in np.flatnonzero(~kept)]
            held_out = [held_out[k] for k in chosen] if held_out else []
        good = held_out or (asked[1::2] if len(asked) > MANY_RUNS else [])
        self.calibration_ = AmongGood.fit(good, far) if good else None
        return self

    def _learn(
        self, scaled: list[Floats], groups: list[Array], parts: int = 0
    ) -> tuple[list[AskedRun], list[AskedRun]]:
        """Fit the views and the shares of groups and missing values on scaled runs (n, column); return what is said of
        each, and by what is learned of others where they are held out in so many parts.

        Raises SchemaError where no view has enough events.
        """
        self.runs_ = len(scaled)
        share = Share("", np.empty(0, int), [], self.seed, parts)
        found = learned(shares_of(scaled, groups, self.groups_, share))
        self.views_ = [one.view for one in found if one.view is not None]
        if not self.views_:
            raise SchemaError("the good runs hold too few events to learn a density from: give more or longer runs")
        kinds = [self._kinds(run, group) for run, group in zip(scaled, groups, strict=True)]
        held_out: dict[int, AskedRun] = {}
        for part in range(parts):
            self.kinds_ = self._usual_kinds([own for k, own in enumerate(kinds) if k % parts != part])
            for k in range(part, len(kinds), parts):
                held_out[k] = self._asked([one.held_out[k] for one in found], kinds[k])
        self.kinds_ = self._usual_kinds(kinds)
        asked = [self._asked([one.asked[k] for one in found], own) for k, own in enumerate(kinds)]
        return asked, [own for _, own in sorted(held_out.items(), key=lambda item: item[0])]

    def _usual_kinds(self, kinds: list[Floats]) -> FamilyOfTests:
        return _with_rare(FamilyOfTests.fit(kinds, np.random.default_rng(self.seed)), sum(map(len, kinds)))

    def score(self, batch: Batch) -> Scores:
        """Return -log10 of the p-value (n, 1) of each run; NaN for a run of fewer than `fewest` events."""
        p_values = [self._p_value(asked) if asked else np.nan for asked in self._memo.of(batch, self._all)]
        return -np.log10(np.array(p_values, float)).reshape(-1, 1)

    def find(self, batch: Batch, output: str = "anomaly") -> list[tuple[Finding, ...]]:
        """Say of each run what became of every population, the one that changed most first; nothing of a run of fewer
        than `fewest` events."""
        runs = [self._of(batch, row) for row in range(len(batch))]
        return [self._findings(*run, asked) for run, asked in zip(runs, self._memo.of(batch, self._all), strict=True)]

    def unseen(self, batch: Batch) -> Unseen:
        """Name the runs that are far from all others, which are no good data; their scores are NaN, as p-values need no
        calibration by good runs."""
        names = batch.meta.get("run", np.full(len(batch), ""))
        outlying = np.isin(names, self.outlying_)
        return Unseen(np.full((len(batch), 1), np.nan), np.where(outlying, "outlying", "")[:, None])

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return how far each value (n, event, column) is from the median of good events, in units of their range, for
        events in places of low density, where one of a hundred good ones is; 0 for all others."""
        evidence = np.zeros(batch.values.shape)
        for row in range(len(batch)):
            there = there_in(batch, row)
            scaled, group = self._of(batch, row)
            for view in self.views_:
                own = np.flatnonzero(group == view.group)
                events = scaled[own][:, view.columns]
                density = log_sum(view.density.log_parts(view.density.points(np.nan_to_num(events))))
                rare = np.isfinite(events).all(axis=1) & (density < _one_percent(view))
                away = (events[rare] - view.density.centre) / (view.density.most - view.density.least)
                evidence[row, np.flatnonzero(there)[own[rare]][:, None], view.columns] = away
        return evidence

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.kinds_, "kinds.")
        for number, view in enumerate(self.views_):
            arrays |= view.to_arrays(f"view{number}.")
        write_folder(folder, self.schema_, asdict(self), arrays)
        learned = {"scale": asdict(self.scale_), "groups": self.groups_, "outlying": self.outlying_, "runs": self.runs_}
        if self.calibration_ is not None:
            learned["calibration"] = self.calibration_.to_dict()
        text = json.dumps(learned | {"views": [view.group for view in self.views_]})
        (folder / LEARNED).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        try:
            learned = json.loads((folder / LEARNED).read_text(encoding="utf-8"))
            scorer.scale_ = Scale(tuple(learned["scale"]["log"]), tuple(learned["scale"]["whole"]))
            scorer.groups_, scorer.outlying_ = tuple(learned["groups"]), list(learned["outlying"])
            scorer.runs_ = int(learned.get("runs", 0))
            known = learned.get("calibration")
            scorer.calibration_ = None if known is None else AmongGood.from_dict(known)
            scorer.views_ = [
                EventView.from_arrays(f"view{k}.", group, arrays) for k, group in enumerate(learned["views"])
            ]
            scorer.kinds_ = part_of(FamilyOfTests, arrays, "kinds.")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a whole Population ({error}); fit it again") from error
        return scorer

    def _p_value(self, asked: AskedRun) -> float:
        """Return the p-value of a run, by as many good runs as there are."""
        if not self.runs_:
            return asked.p_value()  # of a model of before
        if self.calibration_ is None:
            return asked.or_moved(of_few_runs(asked.p_value(), self.runs_))
        return asked.or_moved(self.calibration_.p_value(asked, self.runs_))

    def _all(self, batch: Batch) -> list[AskedRun | None]:
        """Return the p-values of each run, None where it has too few events."""
        runs = [self._of(batch, row) for row in range(len(batch))]
        return [self._ask(*run) if len(run[0]) >= self.fewest else None for run in runs]

    def _of(self, batch: Batch, row: int) -> tuple[Floats, Array]:
        """Return scaled values (event, column) and groups (event,) of the events of one run."""
        self.schema_.require(batch.schema, "the scorer population")
        there = there_in(batch, row)
        return self._scaled(batch.values[row][there]), groups_of(batch, row)[there]

    def _scaled(self, values: Floats) -> Floats:
        """Return values (n, column) on the scale of each column; whole numbers are spread over their bin, equally in
        every run, as a density cannot be fitted to steps."""
        scaled = self.scale_.of(values)
        whole = np.array(self.scale_.whole) & ~np.array(self.scale_.log)
        spread = np.random.default_rng(self.seed).random((len(values), int(whole.sum()))) - 0.5
        scaled[:, whole] += spread
        return scaled

    def _kinds(self, scaled: Floats, group: Array) -> Floats:
        """Return 0 or 1 (n, groups + 1 + columns): the group of each event, and which of its values are missing."""
        return group_numbers(group, scaled, self.groups_)

    def _ask(self, scaled: Floats, group: Array) -> AskedRun:
        """Return the p-values of the events (n, column) of one run in all views."""
        own = {name: scaled[group == name] for name in {view.group for view in self.views_}}
        return self._asked([view.ask(own[view.group]) for view in self.views_], self._kinds(scaled, group))

    def _asked(self, views: list[Asked | None], kinds: Floats) -> AskedRun:
        return AskedRun(views, kinds, self.kinds_.p_value(self.kinds_.sigmas(kinds), len(kinds)))

    def _sigmas(self, scaled: Floats, group: Array) -> Floats:
        """Return how far the events of one run are off, in sigmas, in all that is asked of its means."""
        views = [view.sigmas(scaled[group == view.group]) for view in self.views_]
        return np.concatenate([*views, self.kinds_.sigmas(self._kinds(scaled, group))])

    def _findings(self, scaled: Floats, group: Array, asked: AskedRun | None) -> tuple[Finding, ...]:
        """Return the changes of all populations of a run, those of the view with the least p-value first; the first one
        says it in a sentence."""
        if asked is None:
            return (Finding("none", says=f"only {len(scaled)} events; {self.fewest} are needed"),)
        p_value = max(self._p_value(asked), rarest_of(self.runs_) if self.runs_ else 0.0)
        found: list[tuple[float, list[Finding]]] = []
        oddest = min([min(answer.answers) for answer in asked.views if answer] + [asked.kinds_p_value])
        for view, answer in zip(self.views_, asked.views, strict=True):
            least = min(answer.answers) if answer else 1.0
            changed = answer and p_value < RARE and (least < RARE_BESIDE or least == oddest)
            ranked = view.ranked_hypotheses(scaled[group == view.group], answer) if answer and changed else []
            found.append((least, self._words(view).changes(view.density, ranked)))
        sigmas = self.kinds_.sigmas(asked.kinds)
        if asked.kinds_p_value == oddest or asked.kinds_p_value < RARE_BESIDE:
            shares, names = asked.kinds.mean(axis=0), self.schema_.names
            found.append((asked.kinds_p_value, [kind_change(sigmas, shares, self.kinds_.usual, self.groups_, names)]))
        found.sort(key=lambda item: item[0])
        changes = tuple(change for _, part in found for change in part)
        changes = tuple(sorted(changes[1:], key=lambda change: change.kind == "none"))
        chief = found[0][1][0]
        others = [part[0] for least, part in found[1:] if least < RARE_BESIDE and part][:MOST_SAID]
        return (chief._replace(says=sentence(chief, p_value, others)), *changes)

    def _words(self, view: EventView) -> PopulationWords:
        names = tuple(self.schema_.names[k] for k in view.columns)
        units = self.schema_.units * len(self.schema_.names) if len(self.schema_.units) == 1 else self.schema_.units
        own = tuple(units[k] for k in view.columns) if units else ("",) * len(names)
        log, whole = self.scale_.log, self.scale_.whole
        scale = Scale(tuple(log[k] for k in view.columns), tuple(whole[k] for k in view.columns))
        return PopulationWords(names, own, scale, view.group)


def _with_rare(family: FamilyOfTests, events: int) -> FamilyOfTests:
    """Return the family with half an event added to each share: what was never seen in good runs is not known to be
    impossible."""
    rare = (family.usual * events + 0.5) / (events + 1.0)
    return replace(family, usual=rare, spread=np.maximum(family.spread, np.sqrt(rare * (1.0 - rare))))


def _one_percent(view: EventView) -> float:
    """Return the log density below which one of a hundred good events is."""
    share = view.strange.beyond / view.strange.reference[0]
    return float(np.interp(0.01, share, view.strange.levels))
