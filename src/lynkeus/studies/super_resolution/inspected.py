"""Inspected before and after: are there defects that only the finer image has, or only the fine one?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import beta

from lynkeus.core import Batch, Findings, Floats, plugins
from lynkeus.sources import InMemory

REFERENCE, GOOD, PITTED = 11, 12, 13  # seeds
GIVES = {"network, mean": "mean", "diffusion, a draw": "sample", "conditional GAN, a draw": "sample"}
GAME = "conditional GAN, a draw"
OPTIONS: dict[str, Any] = {}  # of the scorer that inspects
COVERAGE, SIGMAS = 0.9, 4.0


def inspected(model: Any, game: Any, screws: Callable[[int, bool], Batch]) -> Findings:
    """Return how many good images have a defect after they were made coarse and fine again, and how many pits are gone.

    `game`: the model whose draws are those of a conditional GAN.

    Two scorers `inspect`: one has learned from good fine images, one from such as were made fine. An image has a
    defect where its score is SIGMAS above what other good images of its kind have.
    """
    reference, good, pitted = screws(REFERENCE, False), screws(GOOD, False), screws(PITTED, True)
    fine, limit = _fitted(reference)
    before = {"good": _scores(fine, good) > limit, "pitted": _scores(fine, pitted) > limit}
    head = ["images", "good ones with a defect", "pitted ones with a defect", "invented", "lost"]
    lines = [head, ["fine, as they were", *_shares(before), "", ""]]
    metrics = {"defects.found_before": float(before["pitted"].mean())}
    for name, give in GIVES.items():
        own_model = game if name == GAME else model
        made = {
            kind: own_model.refine(own_model.pair(np.asarray(images.values))[0], seed=5, give=give)
            for kind, images in (("reference", reference), ("good", good), ("pitted", pitted))
        }
        own = _fitted(made["reference"])
        for who, (scorer, highest) in {"inspected as fine ones": (fine, limit), "inspected as such": own}.items():
            after = {kind: _scores(scorer, made[kind]) > highest for kind in ("good", "pitted")}
            invented, lost = after["good"] & ~before["good"], before["pitted"] & ~after["pitted"]
            lines.append([f"{name}, {who}", *_shares(after), _interval(invented), _interval(lost)])
            key = f"{name}.{who}"
            metrics |= {f"{key}.invented": 100 * float(invented.mean()), f"{key}.lost": 100 * float(lost.mean())}
    return Findings({}, metrics, {"Inspected before and after (90 % intervals)": lines})


def _fitted(reference: Batch) -> tuple[Any, float]:
    """Return a scorer that has learned from half of good images, and the limit by the other half."""
    half = len(reference) // 2
    scorer = plugins.make_scorer("inspect", dict(OPTIONS)).fit(InMemory(reference[:half]))
    scores = _scores(scorer, reference[half:])
    return scorer, float(scores.mean() + SIGMAS * scores.std())


def _scores(scorer: Any, images: Batch) -> Floats:
    parts = [images[k : k + 20] for k in range(0, len(images), 20)]
    return np.concatenate([scorer.score(Batch(images.schema, part.values))[:, 0] for part in parts])


def _shares(found: dict[str, np.ndarray]) -> list[str]:
    return [f"{int(own.sum())} of {len(own)}" for own in found.values()]


def _interval(found: np.ndarray) -> str:
    """Return how many of a hundred, with the interval of Clopper & Pearson."""
    n, k = len(found), int(found.sum())
    low = beta.ppf((1 - COVERAGE) / 2, k, n - k + 1) if k else 0.0
    high = beta.ppf((1 + COVERAGE) / 2, k + 1, n - k) if k < n else 1.0
    return f"{100 * k / n:.1f} in 100 ({100 * low:.1f} to {100 * high:.1f})"
