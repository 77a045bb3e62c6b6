"""run_tagging: train each tagger for every seed, ask all the same questions of the same jets, write the page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
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
from lynkeus.files.whole import write_whole
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import InMemory

CHUNK = 512  # jets that are scored at a time
SPEED_JETS, REPEATS = 2048, 5


def run_tagging(study: Tagging, folder: Path, progress: ReportProgress | None = None) -> StudyRun:
    """Run it; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/` with figures and metrics.json."""
    report = progress or silent
    own = folder / study.name
    own.mkdir(parents=True, exist_ok=True)
    test = concatenate(list(study.test))
    train = InMemory(concatenate(list(study.train)))
    models: dict[str, list[Fitted]] = {}
    seconds: dict[str, float] = {}
    for number, name in enumerate(study.scorers):
        report(f"fitting {name}", 0.8 * number / len(study.scorers))
        models[name], seconds[name] = _trained(study, name, train)
    report("scoring", 0.8)
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
    report("done", 1.0)
    return run


def _trained(study: Tagging, name: str, train: InMemory) -> tuple[list[Fitted], float]:
    """Return a model for each seed (one, where a tagger has none to set), and the processor seconds of one fit."""
    kind, options = name.split()[0], dict(study.scorers[name])
    has_seed = "seed" in signature(plugins.load("scorers", kind)).parameters
    begun = time.process_time()
    fitted = [
        fit(train, FitSettings(kind, options | ({"seed": seed} if has_seed else {})))
        for seed in (study.seeds if has_seed else study.seeds[:1])
    ]
    return fitted, (time.process_time() - begun) / len(fitted)


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
        parameters = getattr(fitted[0].scorer, "facts", {}).get("parameters")
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
