"""Advisor: the probability of each action about a failed task, whether it may be taken without asking, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import About, Array, Batch, Floats, LastBatch, Packed, SchemaError, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.metrics.trust import Trust
from lynkeus.scorers.advisor.applying import (
    PROBATION,
    Found,
    Judged,
    arrays_of_state,
    held_by,
    otherwise,
    state_of_arrays,
    supported_by,
)
from lynkeus.scorers.advisor.cases import MOST_CASES, Cases, Pattern, count_patterns, patterns, told
from lynkeus.scorers.advisor.evidence import fingerprints, without_each
from lynkeus.scorers.advisor.features import Vocabulary
from lynkeus.scorers.advisor.learners import IMBALANCE, KINDS
from lynkeus.scorers.advisor.learning import Learned, learn_all, least_of
from lynkeus.scorers.advisor.search import SAMPLERS
from lynkeus.transforms.counts import KEYS

LEARNED = "learned.json"  # words: of the vocabulary, patterns, and decisions that are doubtful


@dataclass
class Advisor:
    """Two stages for the first question, the action: is it the usual one; if not, which. Further questions have one.

    `learner`: linear, boosted or auto; `imbalance`: none, weights, smote, focal or auto (whichever is best on tasks
    that were not seen); `false_alarms`: share of usual tasks that may be flagged, 0: no more is wrong than without
    advice; `max_error`: share of applied actions that may be wrong, with confidence `sure`; `cost_wrong`: of a wrong
    action, where asking costs 1, and `costs` of single ones (costs.clone=30); `trials` of Optuna for the settings of
    the learner, 0: none, by a `sampler` (gp: Gaussian process, tpe or auto), kept in the file `study`, where a search
    that was killed goes on. Learned: `learned_`.
    """

    name: ClassVar[str] = "advisor"
    about: ClassVar[About] = About(("counts",), False, "errors left out", "a minute", labels="heads", recommended=True)
    learner: str = "auto"
    imbalance: str = "auto"
    false_alarms: float = 0.0
    max_error: float = 0.05
    sure: float = 0.9
    cost_wrong: float = 10.0
    costs: Mapping[str, float] = field(default_factory=dict)
    folds: int = 5
    trials: int = 0
    sampler: str = "auto"
    study: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("learner", KINDS), ("imbalance", IMBALANCE), ("sampler", SAMPLERS)):
            if getattr(self, name) not in ("auto", *known):
                raise SettingsError(f"{name} {getattr(self, name)!r} is not one of auto, {', '.join(known)}")
        if not (0 <= self.false_alarms < 1 and 0 < self.max_error < 1 and 0 < self.sure < 1):
            raise SettingsError("false_alarms, max_error and sure are shares, from 0 to 1")
        self._last: LastBatch[Found] = LastBatch()
        self._judged: LastBatch[Judged] = LastBatch()
        self._state: dict[str, list[bool]] = {}
        self._heard = 0
        if self.imbalance == "focal" and self.learner == "boosted":
            raise SettingsError("imbalance=focal is for linear models: leave learner=boosted out, or take weights")
        costs = self.costs if isinstance(self.costs, Mapping) else {"": self.costs}
        wrong = [name for name, cost in costs.items() if isinstance(cost, bool | str) or not cost >= 1 or not name]
        if wrong:
            raise SettingsError(f"costs.{wrong[0] or 'ACTION'}: must be a number of at least 1, the cost of asking")
        if self.cost_wrong < 1 or self.folds < 2 or self.trials < 0:
            raise SettingsError("cost_wrong must be at least 1, folds at least 2, trials at least 0")

    @property
    def heads(self) -> Mapping[str, tuple[str, ...]]:
        """Return the answers of each question; the first is the action. Empty before the fit."""
        return self.learned_.heads if hasattr(self, "learned_") else {}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return p_ACTION of each action, then p_QUESTION_ANSWER of further questions."""
        first, *more = self.heads.items()
        own = [f"p_{word}" for word in first[1]]
        return (*own, *(f"p_{name}_{word}" for name, words in more for word in words))

    def fit(self, source: Source) -> Self:
        """Learn from tasks and what was decided about each. Raises SchemaError for other samples."""
        if source.schema.kind != "counts":
            how = "give JSON, or a table with the columns task, code and site"
            raise SchemaError(f"the scorer {self.name} reads failed tasks, got a {source.schema.kind}: {how}")
        self.schema_ = source.schema
        batches = list(source)
        tasks = Packed.join([batch.packed for batch in batches])
        truth = np.concatenate([np.asarray(batch.truth) for batch in batches])
        names = np.concatenate([_names(batch) for batch in batches])
        self.vocabulary_ = Vocabulary.of([tasks])
        points = self.vocabulary_.features(tasks)
        heads = dict(getattr(source, "heads", {}))
        self.learned_, self._unseen, self.messages = learn_all(points, truth, heads, self)
        action = next(iter(heads))
        found = patterns(self.vocabulary_.entries(tasks), self.vocabulary_)
        self.patterns_ = count_patterns(found, truth[:, 0], len(heads[action]))
        self._remember(points, truth[:, 0], names)
        self.support_ = self._supported(found, truth[:, 0])
        self.resume({})
        self.facts = {"promise": self.learned_.promise._asdict(), "doubtful_decisions": len(self.doubtful_)}
        return self

    def _remember(self, points: Floats, truth: Array, names: Array) -> None:
        """Keep cases to compare with, and the decisions that look wrong, the worst first."""
        answered = np.flatnonzero(truth >= 0)
        kept = answered[np.unique(np.linspace(0, len(answered) - 1, min(MOST_CASES, len(answered))).astype(int))]
        self.cases_ = Cases.of(points[kept], truth[kept])
        self.case_names_ = [str(name) for name in names[kept]]
        self.seen_ = fingerprints(points)
        own, scores = self.heads[next(iter(self.heads))], self._unseen[0]
        wrong = np.flatnonzero(self.learned_.doubtful)
        belief = scores[wrong, truth[wrong]]
        self.doubtful_ = {
            self.seen_[k]: {"task": str(names[k]), "given": own[truth[k]], "p_given": round(float(p), 4),
                            "more_probable": own[int(scores[k, : len(own)].argmax())]}
            for k, p in sorted(zip(wrong.tolist(), belief.tolist(), strict=True), key=lambda one: one[1])
        }  # fmt: skip
        if len(wrong):
            worst = next(iter(self.doubtful_.values()))
            self.messages.append(
                f"{len(wrong)} decisions look doubtful, most of all {worst['given']} about {worst['task']} (rather "
                f"{worst['more_probable']}); `lynkeus score` lists them in the column doubtful"
            )

    def _supported(self, seen: list[Pattern], truth: Array) -> dict[str, list[int]]:
        """Return of which kinds of tasks sure advice was tried, on what was not learned from, and how often wrong."""
        known = np.flatnonzero(truth >= 0)
        own = self._unseen[0][known, : len(self.heads[next(iter(self.heads))])]
        answer, may = self._sure(own)
        return supported_by([seen[k] for k in known.tolist()], may, answer == truth[known])

    def _sure(self, own: Floats) -> tuple[Array, Array]:
        """Return (n,) the action for probabilities (n, actions), and whether it is sure enough to be applied."""
        answer = self.learned_.stages.decide(own)
        least = np.maximum(self.learned_.promise.confidence, least_of(self.heads[next(iter(self.heads))], self)[answer])
        return answer, own[np.arange(len(own)), answer] >= least

    def unseen_answers(self) -> tuple[Scores, Array]:
        """See `Heads`; of the last fit, not kept with a model."""
        return self._unseen

    def score(self, batch: Batch) -> Scores:
        """Return the probabilities (n, outputs). Raises SchemaError for other samples than tasks."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self._found(batch).scores.copy()

    def _found(self, batch: Batch) -> Found:
        """Return what is found of a batch; of the last one from memory."""

        def find(batch: Batch) -> Found:
            entries = self.vocabulary_.entries(batch.packed)
            points = self.vocabulary_.points(entries)
            return Found(entries, points, self.learned_.of(points))

        return self._last.of(batch, find)

    def further(self, batch: Batch) -> dict[str, Array]:
        """Return the answer to each question, the `stage` that decided, whether to `apply` it without asking, how sure
        (`confidence`), why sure advice is `held` all the same, how many of its counts are of `unknown` codes or sites,
        the `reason`, and where a decision is known whether it is `doubtful`."""
        points, (first, *more) = self._found(batch).points, self.heads.items()
        judged = self._judged.of(batch, self._judge)
        own, answer = judged.scores[:, : len(first[1])], judged.answer
        found = {first[0]: np.array(first[1])[answer]}
        start = len(first[1])
        for name, words in more:
            found[name] = np.array(words)[judged.scores[:, start : start + len(words)].argmax(axis=1)]
            start += len(words)
        found["stage"] = np.where(answer == self.learned_.stages.usual, 1, 2)
        found["confidence"] = judged.sure
        found["apply"] = judged.may & (judged.held == "")
        found["held"], found["unknown"] = judged.held, judged.unknown
        found["codes"] = np.array([" ".join(one.codes) for one in judged.seen])
        found["reason"] = np.array(
            [told(one, self.patterns_, int(k), first[1]) for one, k in zip(judged.seen, answer.tolist(), strict=True)]
        )
        if first[0] in batch.meta:
            found |= self._doubts(batch, own, first, points)
        return found

    def _judge(self, batch: Batch) -> Judged:
        """Return what is found of a batch that comes next."""
        first, words = next(iter(self.heads.items()))
        entries, _, scores = self._found(batch)
        answer, may = self._sure(scores[:, : len(words)])
        new = (entries.code == len(self.vocabulary_.codes)) | (entries.site == len(self.vocabulary_.sites))
        unknown, seen = np.bincount(entries.task[new], minlength=entries.n), patterns(entries, self.vocabulary_)
        # Of a task without errors nothing is known but that most tasks are usual.
        may &= batch.packed.groups[KEYS].lengths > 0
        given = batch.meta[first].tolist() if first in batch.meta else [""] * len(batch)
        wrong = otherwise(given, [words[k] for k in answer.tolist()])
        # Where no decision is known at all none will come: then nothing waits for them.
        trust = self._trust(PROBATION if self._heard or any(one is not None for one in wrong) else 0)
        trust.resume(self._state, self._heard)
        held = held_by(seen, unknown, may, wrong, trust, self.support_)
        sure = scores[np.arange(len(answer)), answer]
        return Judged(scores, answer, sure, seen, unknown, may, held, trust)

    def _trust(self, probation: int) -> Trust:
        made = self.learned_.promise
        return Trust(self.max_error, made.errors / max(made.applied, 1), probation)

    def update(self, batch: Batch) -> None:
        """Hear what was decided about a batch that was scored: it says of which tasks advice may be applied later."""
        trust = self._judged.of(batch, self._judge).trust
        self._state, self._heard = trust.state(), trust.heard

    def state(self) -> dict[str, Array]:
        """Return the last decisions about tasks with each code: 1 where they were others than was advised."""
        return arrays_of_state(self._state, self._heard, self.vocabulary_.codes)

    def resume(self, state: dict[str, Array]) -> None:
        """Go on from a state; without one nothing has been decided since the fit."""
        self._state, self._heard = state_of_arrays(state, self.vocabulary_.codes)
        self._judged.forget()

    def _doubts(
        self, batch: Batch, own: Floats, first: tuple[str, tuple[str, ...]], points: Floats
    ) -> dict[str, Array]:
        """Return of each decision that is known how probable it is, and whether it is doubtful: as it was found when
        it was learned from, for others now."""
        places = {word: k for k, word in enumerate(first[1])}
        given = np.array([places.get(str(word), -1) for word in batch.meta[first[0]].tolist()])
        belief, now = self.learned_.doubts(own, given)
        names, learned = fingerprints(points), set(self.seen_)
        earlier = [self.doubtful_.get(name) for name in names]
        belief = np.array([old["p_given"] if old else p for old, p in zip(earlier, belief.tolist(), strict=True)])
        found = [
            old["given"] == str(said) if old else bool(new) and name not in learned
            for old, new, name, said in zip(earlier, now.tolist(), names, batch.meta[first[0]].tolist(), strict=True)
        ]
        return {"p_given": belief, "doubtful": np.array(found, bool)}

    def similar(self, batch: Batch, many: int = 5) -> list[list[dict[str, Any]]]:
        """Return of each task the past ones that are most like it: name, answer, and likeness (cosine); of one without
        errors none."""
        near, alike = self.cases_.nearest(self.vocabulary_.features(batch.packed), many)
        words = self.heads[next(iter(self.heads))]
        return [
            [{"task": self.case_names_[k], "answer": words[self.cases_.answered[k]], "likeness": round(float(c), 3)}
             for k, c in zip(row, own, strict=True) if c > 0]
            for row, own in zip(near, alike, strict=True)
        ]  # fmt: skip

    def explain(self, batch: Batch, output: str) -> Any:
        """Return Packed of the shape of the values: how much less the log odds of an output are without each count."""
        column = self.outputs.index(output)
        return without_each(batch.packed, lambda tasks: self.learned_.of(self.vocabulary_.features(tasks))[:, column])

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.learned_.kept, "learned_") | arrays_of(self.cases_, "cases_")
        write_folder(folder, self.schema_, asdict(self), arrays)
        words = {
            "heads": {name: list(own) for name, own in self.heads.items()}, "codes": list(self.vocabulary_.codes),
            "sites": list(self.vocabulary_.sites), "patterns": self.patterns_, "cases": self.case_names_,
            "doubtful": self.doubtful_, "seen": self.seen_, "support": self.support_,
        }  # fmt: skip
        (folder / LEARNED).write_text(json.dumps(words), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        words = json.loads((folder / LEARNED).read_text(encoding="utf-8"))
        scorer.vocabulary_ = Vocabulary(tuple(words["codes"]), tuple(words["sites"]))
        heads = {name: tuple(own) for name, own in words["heads"].items()}
        scorer.learned_ = Learned.from_arrays(heads, arrays, "learned_")
        scorer.cases_ = part_of(Cases, arrays, "cases_")
        scorer.patterns_, scorer.case_names_, scorer.doubtful_ = words["patterns"], words["cases"], words["doubtful"]
        scorer.seen_, scorer.messages, scorer.facts = words["seen"], [], {}
        scorer.support_ = words.get("support", {})
        return scorer


def _names(batch: Batch) -> Array:
    return np.asarray(batch.meta["task"]).astype(str) if "task" in batch.meta else np.full(len(batch), "")
