"""run_tagging: train each tagger for every seed, ask all the same questions of the same jets, write the page."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Batch, Findings, Floats, Tagged, Tagging, concatenate, plugins
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.evaluate.run_study import StudyRun, record
from lynkeus.evaluate.tagging.figures import curves_figure
from lynkeus.evaluate.tagging.measure import discriminant, measure
from lynkeus.evaluate.tagging.page import tagging_page
from lynkeus.files.journal import Row
from lynkeus.files.shared import Sharing
from lynkeus.files.whole import write_whole
from lynkeus.files.workers import Work
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import InMemory

TRAINED = "trained"  # folder of the models, until the page is written
CHUNK = 512  # jets that are scored at a time
SPEED_JETS, REPEATS = 2048, 5


def run_tagging(
    study: Tagging, folder: Path, progress: ReportProgress | None = None, sharing: Sharing | None = None
) -> StudyRun:
    """Run it; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/` with figures and metrics.json. `sharing`:
    who trains; its `again` gives the study in another process, which sees the same folder."""
    report, by = progress or silent, sharing or Sharing()
    own = folder / study.name
    own.mkdir(parents=True, exist_ok=True)
    kept = own / TRAINED
    trainings = {f"fitting {name}, seed {seed}": (name, seed) for name in study.scorers for seed in _seeds(study, name)}
    work = Work(_begin, (by.again, kept), Trainer(study, kept))
    done = by.do(work, trainings, lambda what, share: report(what, 0.8 * (share or 0.0)))
    models: dict[str, list[Fitted]] = {name: [] for name in study.scorers}
    took: dict[str, list[float]] = {name: [] for name in study.scorers}
    for what, (name, _) in trainings.items():
        (row,) = done[what]
        models[name].append(Fitted.load(kept / row["model"]))
        took[name].append(row["seconds"])
    seconds = {name: float(np.mean(own)) for name, own in took.items()}
    report("scoring", 0.8)
    test = concatenate(list(study.test))
    speeds = _speeds(models, test[: min(len(test), SPEED_JETS)])
    tagged = [_tagged(study, name, fitted, test, seconds[name], speeds[name]) for name, fitted in models.items()]
    for name, baseline in study.baselines.items():
        scores = np.asarray(baseline(test), float)[None]
        tagged.append(Tagged(name, dict.fromkeys(study.against, scores)))
    report("measuring", 0.85)
    metrics = measure(study, test, tagged) | _costs(study, models, seconds, speeds)
    curves_figure(study, test, tagged, own / "curves.svg")
    seen = study.look(test, tagged, own) if study.look else Findings()
    metrics |= seen.metrics
    # A metric that is missing is NaN, and fails its check: a name that was misspelt must not pass.
    checks = tuple((check, metrics.get(check.metric, float("nan"))) for check in study.checks)
    asked = _record(study)
    write_whole(own / "metrics.json", json.dumps({"run": asked, "metrics": metrics}, indent=1).encode())
    run = StudyRun(metrics, checks, folder / f"{study.name}.md")
    write_whole(run.page, tagging_page(study, metrics, seen, asked, run.lines()[:-1]).encode())
    shutil.rmtree(kept, ignore_errors=True)
    report("done", 1.0)
    return run


def _seeds(study: Tagging, name: str) -> Sequence[int]:
    """Return the seeds with which a tagger is trained: one, where it has none to set."""
    has_seed = "seed" in signature(plugins.load("scorers", name.split()[0])).parameters
    return study.seeds if has_seed else study.seeds[:1]


@dataclass
class Trainer:
    """Trains taggers of a study, one by one, into a folder; the training sample is read at the first one."""

    study: Tagging
    folder: Path
    train: InMemory | None = None

    def __call__(self, asked: tuple[str, int]) -> list[Row]:
        """Train a tagger with a seed; return the name of its folder, and the processor seconds that it took."""
        name, seed = asked
        if self.train is None:
            self.train = InMemory(concatenate(list(self.study.train)))
        kind, options = name.split()[0], dict(self.study.scorers[name])
        if "seed" in signature(plugins.load("scorers", kind)).parameters:
            options["seed"] = seed
        begun = time.process_time()
        fitted = fit(self.train, FitSettings(kind, options))
        seconds = time.process_time() - begun
        model = f"{list(self.study.scorers).index(name)}-{seed}"
        fitted.save(self.folder / model)
        return [{"model": model, "seconds": seconds}]


def _begin(again: Callable[[], Tagging], folder: Path) -> Trainer:
    """Once in every other process."""
    return Trainer(again(), folder)


def _tagged(study: Tagging, name: str, models: Sequence[Fitted], test: Batch, fit_s: float, speed: float) -> Tagged:
    scores: dict[str, list[Floats]] = {question: [] for question in study.against}
    for fitted in models:
        found = _scored(fitted, test)
        for question, against in study.against.items():
            scores[question].append(discriminant(against, fitted.scorer.outputs, found))
    return Tagged(name, {key: np.array(value) for key, value in scores.items()}, tuple(models), fit_s, speed)


def _scored(fitted: Fitted, test: Batch) -> Floats:
    return np.concatenate([fitted.scorer.score(test[k : k + CHUNK]) for k in range(0, len(test), CHUNK)])


def _speeds(models: Mapping[str, Sequence[Fitted]], test: Batch) -> dict[str, float]:
    """Return jets a second of processor time; taggers take turns, and the median of their turns counts."""
    took: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(REPEATS + 1):
        for name, fitted in models.items():
            begun = time.process_time()
            _scored(fitted[0], test)
            if repeat:  # the first turn fills caches
                took[name].append(time.process_time() - begun)
    return {name: len(test) / max(float(np.median(own)), 1e-9) for name, own in took.items()}


def _costs(
    study: Tagging, models: Mapping[str, Sequence[Fitted]], seconds: Mapping[str, float], speeds: Mapping[str, float]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, fitted in models.items():
        found |= {f"{name}.fit_s": seconds[name], f"{name}.jets_per_s": speeds[name]}
        parameters = fitted[0].lineage.get("parameters")
        if parameters is not None:
            found[f"{name}.parameters"] = float(parameters)
    for one, other in study.pairs:
        if one in models and other in models:
            found[f"{one} over {other}.speed"] = speeds[one] / speeds[other]
            sizes = [found.get(f"{name}.parameters", float("nan")) for name in (one, other)]
            found[f"{one} over {other}.parameters"] = sizes[0] / sizes[1]
    return found


def _record(study: Tagging) -> dict[str, Any]:
    fields = {
        "study": study.name,
        "data": study.data,
        "scorers": {name: dict(options) for name, options in study.scorers.items()},
        "seeds": list(study.seeds),
    }
    return record(fields, (study.train, study.test))
