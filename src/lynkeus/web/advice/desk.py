"""Desk: models that advise on failed tasks, the first one as champion, the others in its shadow, over one store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from lynkeus.core import Compares, Describes, Heads, SettingsError, SourceError
from lynkeus.metrics.trust import Trust
from lynkeus.monitor.advice.brake import is_audited
from lynkeus.monitor.advice.champion import choose_champion, chosen_champion, groups_of, trust_of
from lynkeus.monitor.advice.decisions import record_applied
from lynkeus.monitor.advice.open_tasks import Advice, Task, keep_advice, keep_tasks, unadvised
from lynkeus.monitor.store import Store

if TYPE_CHECKING:  # what reads models and files is imported where there is a desk
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.sources.tasks.record import Record

KIND = "counts"  # of samples: failed tasks
VERSION = 12  # letters of the checksum of a model that are shown
LEFT_OUT = ("p_given", "doubtful")  # of decisions that are known; here they are open
CASES = 3  # similar ones that are told
PART = 500  # tasks that are judged at once
LONGEST_NAME = 500


@dataclass(frozen=True)
class Adviser:
    """A model with its `name` and `version` (the checksum of its folder). A batch is judged by one thread at a time:
    scorers keep what they computed last."""

    name: str
    version: str
    fitted: Fitted
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def load(cls, folder: Path) -> Adviser:
        """Read a model folder. Raises ModelError, and SettingsError for a model of something else."""
        from lynkeus.fitting.fitted import Fitted
        from lynkeus.fitting.score import identity

        fitted = Fitted.load(folder)
        scorer = fitted.scorer
        kind = fitted.view.schema.kind
        if kind != KIND or not isinstance(scorer, Heads):
            raise SettingsError(
                f"--advise {folder}: is a model of {kind} ({fitted.name}), not of failed tasks; fit one with -s advisor"
            )
        return cls(folder.resolve().name, identity(folder)[:VERSION], fitted)

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """Return the answers to the first question, which is the action."""
        assert isinstance(self.fitted.scorer, Heads)
        return next(iter(self.fitted.scorer.heads.values()))

    @cached_property
    def question(self) -> str:
        """Return the name of the first question."""
        assert isinstance(self.fitted.scorer, Heads)
        return next(iter(self.fitted.scorer.heads))

    @cached_property
    def usual(self) -> str:
        """Return the action that was taken most often where it was learned."""
        counts = self.fitted.lineage["classes"][self.question]
        return str(max(self.actions, key=lambda word: counts.get(word, 0)))

    def advise(self, records: Sequence[Record]) -> list[Advice]:
        """Return the advice about each task."""
        found: list[Advice] = []
        with self.lock:
            for first in range(0, len(records), PART):
                found += self._part(records[first : first + PART])
        return found

    def _part(self, records: Sequence[Record]) -> list[Advice]:
        from lynkeus.sources.tasks.source import TaskRecords

        said: list[dict[str, Any]] = []
        # Here they are open: what a file says was decided must not change the advice about the others.
        asked = ({k: v for k, v in one.parameters.items() if k != self.question} for one in records)
        records = [one._replace(parameters=own) for one, own in zip(records, asked, strict=True)]
        for scored in self.fitted.score(TaskRecords(records, "the tasks")):
            scorer = self.fitted.scorer
            table = {name: scored.scores[:, k] for k, name in enumerate(scorer.outputs)}
            table |= scorer.further(scored.batch) if isinstance(scorer, Describes) else {}
            plain = {name: _plain(column) for name, column in table.items() if name not in LEFT_OUT}
            similar: list[Any] = [[]] * len(scored.batch)
            if isinstance(scorer, Compares):
                similar = scorer.similar(scored.batch, CASES)
            for row in range(len(scored.batch)):
                said.append({name: column[row] for name, column in plain.items()} | {"similar": similar[row]})
        return [self._advice(record, one) for record, one in zip(records, said, strict=True)]

    def _advice(self, record: Record, said: dict[str, Any]) -> Advice:
        unusual = 1.0 - float(said.get(f"p_{self.usual}", 0.0))
        says = {"task": record.name, **said, "model": self.name, "version": self.version}
        return Advice(
            self.version, str(said[self.question]), float(said.get("confidence", 0.0)), unusual * sum(record.counts),
            bool(said.get("apply", False)), says,
        )  # fmt: skip


class Desk:
    """The models of one server over its store. `really`: what may be applied without asking is taken as decided by the
    champion; without it is only written down what would be applied. Some of it is asked about all the same, and
    where the decisions of people show that more is wrong than was promised, it is held (`Trust`). The first model is
    the champion unless somebody chose another one of them."""

    def __init__(self, advisers: Sequence[Adviser], store: Store, really: bool = False) -> None:
        self.advisers, self.store, self.really = tuple(advisers), store, really
        chosen = chosen_champion(store)
        self.champion = next((one for one in advisers if chosen and one.version == chosen.model), advisers[0])
        for one in self.shadows:
            if one.question != self.champion.question:
                raise SettingsError(
                    f"--advise: {one.name} answers {one.question}, {self.champion.name} answers "
                    f"{self.champion.question}; models side by side answer the same question first"
                )

    @property
    def shadows(self) -> list[Adviser]:
        """Return the models that judge the same tasks as the champion."""
        return [one for one in self.advisers if one is not self.champion]

    def choose(self, version: str, who: str) -> None:
        """Let another model advise from now on. Raises SettingsError where there is none of that version."""
        found = next((one for one in self.advisers if one.version == version), None)
        if found is None:
            raise SettingsError(f"no model of the version {version!r:.40} is served here; give it to --advise")
        if found is not self.champion:
            choose_champion(self.store, version, who)
            self.champion = found

    def trust(self, one: Adviser) -> Trust | None:
        """Return how far the promise of a model is kept; None of one that promises nothing."""
        promised, made = getattr(one.fitted.scorer, "max_error", None), one.fitted.lineage.get("promise") or {}
        if promised is None:
            return None
        expected = float(made.get("errors", 0)) / max(float(made.get("applied", 0)), 1.0)
        return trust_of(self.store, one.version, float(promised), expected)

    @classmethod
    def open(cls, folders: Sequence[Path], store: Store, really: bool = False) -> Desk:
        """Load models, and advise on what is open in the store and they have not seen."""
        from lynkeus.sources.tasks.record import record_of

        desk = cls([Adviser.load(folder) for folder in folders], store, really)
        for one in desk.advisers:
            waiting = unadvised(store, one.version)
            if waiting:
                notes: Counter[str] = Counter()
                records = [record_of(task.name, json.loads(task.task), notes, store.address) for task in waiting]
                given = one.advise(records)
                desk._keep(waiting, {one.version: given}, desk._held(waiting, given, one))
        return desk

    def read(self, found: Any, where: str = "the tasks") -> tuple[list[Task], list[Record], list[str]]:
        """Return tasks of parsed JSON, one or many, and what was left out. Raises SourceError naming a task that is
        none."""
        from lynkeus.sources.tasks.record import record_of
        from lynkeus.sources.tasks.source import TaskRecords, named_tasks

        notes: Counter[str] = Counter()
        named = [(self._name(name, one), one) for name, one in named_tasks(found, where, "")]
        records = [record_of(name, one, notes, where) for name, one in named]
        if not records:
            raise SourceError(f"{where}: there is none; send one task, or many by name")
        messages = TaskRecords(records, where, notes).messages
        tasks = [
            Task(record.name, json.dumps(one, allow_nan=False), sum(record.counts))
            for record, (_, one) in zip(records, named, strict=True)
        ]
        return tasks, records, messages

    @staticmethod
    def _name(name: str, found: Any) -> str:
        """Return the name of a task: of one that has none, a checksum of what it holds."""
        if len(name) > LONGEST_NAME or "\0" in name:
            raise SourceError(f"the name of a task has at most {LONGEST_NAME} letters and no NUL, got {name[:40]!r}...")
        return name if name.strip(" :0123456789") else f"task-{Task('', json.dumps(found), 0.0).digest[:8]}"

    def advise(self, tasks: Sequence[Task], records: Sequence[Record]) -> list[dict[str, Any]]:
        """Return the champion's advice about each task, with that of its shadows; kept in the store when this
        returns."""
        given = {one.version: one.advise(records) for one in self.advisers}
        champion = self.champion
        held = self._held(tasks, given[champion.version], champion)
        self._keep(tasks, given, held)
        found = [dict(one.says) for one in given[champion.version]]
        for row, answer in enumerate(found):
            if held[row]:
                answer |= {"apply": False, "held": held[row]}
            answer["shadow"] = [
                {"model": one.name, "version": one.version, one.question: given[one.version][row].action,
                 "confidence": given[one.version][row].confidence, "apply": given[one.version][row].apply}
                for one in self.advisers if one is not champion
            ]  # fmt: skip
        return found

    def _held(self, tasks: Sequence[Task], given: Sequence[Advice], champion: Adviser) -> list[str]:
        """Return why advice is not applied that might be: `audit`, `brake`, else ""."""
        trust = self.trust(champion) if any(one.apply for one in given) else None
        found = []
        for task, one in zip(tasks, given, strict=True):
            groups = groups_of(one.says)
            if not one.apply or trust is None:
                found.append("")
            elif not trust.allows(groups):
                found.append("brake")
            else:
                found.append("audit" if is_audited(task.digest, trust.asked(groups)) else "")
        return found

    def _keep(self, tasks: Sequence[Task], given: dict[str, list[Advice]], held: Sequence[str] = ()) -> None:
        with self.store.writing() as connection:
            numbers = keep_tasks(connection, tasks)
            for version, advice in given.items():
                keep_advice(connection, numbers, advice)
                if version == self.champion.version:
                    free = [not why for why in held] if held else [True] * len(advice)
                    some = [k for k, one in enumerate(free) if one]
                    record_applied(connection, [numbers[k] for k in some], [advice[k] for k in some], self.really)


def _plain(column: Any) -> list[Any]:
    """Return a column as JSON types; null for what is no number."""
    values = np.asarray(column)
    if values.dtype.kind == "f":
        return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values.tolist()]
    return list(values.tolist())
